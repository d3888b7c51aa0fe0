//! What the caller sent arrives at the last hop: sampled or not, with an SDK or without.

use crate::support::{SOON, Setup, headers};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const TRACESTATE: &str = "a@b@c=1,vendor=x y";
const BAGGAGE: &str = "tenant=acme,user=a%20b;secret=no,z=1";

/// Sends one request with this `traceparent`, and the rest.
async fn send(setup: &Setup, traceparent: &str) {
    let sent = headers([
        ("traceparent", traceparent),
        ("tracestate", TRACESTATE),
        ("baggage", BAGGAGE),
    ]);
    setup.client.chat_with("hello", 4, sent).await.unwrap();
}

/// Every role logs the context that it would send on; the frontend does so at the first hop and,
/// with the tokens, at the last.
async fn assert_every_hop_has(setup: &mut Setup, flags: &str) {
    let ids = format!("traceparent=\"00-{TRACE}-");
    let flags = format!("-{flags}\"");
    let tracestate = format!("tracestate={TRACESTATE:?}");
    let parts = ["context", &*ids, &*flags, &*tracestate];
    // Baggage does not rest in etcd, but decode has it from NATS.
    let baggage = format!("baggage={BAGGAGE:?}");
    for role in ["frontend", "router", "prefill-1", "decode-1"] {
        let parts: Vec<_> = parts.iter().copied().chain([&*baggage]).collect();
        setup.until_logged(role, &parts).await;
    }
    let frontend = setup.stack.role("frontend").unwrap().log();
    let hops = frontend.lines().filter(|line| line.contains(&ids));
    let hops: Vec<_> = hops.filter(|line| line.contains("context")).collect();
    assert_eq!(hops.len(), 2, "the first hop and the last: {hops:#?}");
    for hop in hops {
        assert!(hop.contains(&flags) && hop.contains(&tracestate) && hop.contains(&baggage));
    }
    let decode = setup.stack.role("decode-1").unwrap().log();
    let hops = decode.lines().filter(|line| line.contains(&ids));
    let hops: Vec<_> = hops.filter(|line| line.contains("context")).collect();
    assert_eq!(hops.len(), 2, "over NATS and over etcd: {hops:#?}");
    assert!(
        hops.iter()
            .all(|hop| hop.contains(&flags) && hop.contains(&tracestate))
    );
}

async fn one_worker() -> Setup {
    Setup::with(|config| config.decode_workers = 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsampled_request_leaves_no_span_and_arrives() {
    for flags in ["00", "02"] {
        let mut setup = one_worker().await;
        send(&setup, &format!("00-{TRACE}-{SPAN}-{flags}")).await;
        assert_every_hop_has(&mut setup, flags).await;
        // A sampled request after it proves that its spans would have come by now.
        let later = setup.client.chat("hello").await.unwrap();
        let complete = |spans: &[_]| demo::drive::check(spans).is_complete();
        let arrived = setup
            .receiver
            .wait_for_trace(later.trace_id, complete, SOON);
        arrived.await.unwrap();
        let spans = setup.receiver.spans();
        assert!(spans.iter().all(|span| hex(&span.trace_id) != TRACE));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sampled_and_random_flags_arrive() {
    for flags in ["01", "03"] {
        let mut setup = one_worker().await;
        send(&setup, &format!("00-{TRACE}-{SPAN}-{flags}")).await;
        assert_every_hop_has(&mut setup, flags).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_passes_through_without_sdk() {
    let disabled = ("OTEL_SDK_DISABLED".to_owned(), "true".to_owned());
    let mut setup = Setup::with(|config| {
        config.decode_workers = 1;
        config.environment.push(disabled);
    })
    .await;
    send(&setup, &format!("00-{TRACE}-{SPAN}-03")).await;
    // Not even the parent changes: nobody has a span.
    assert_every_hop_has(&mut setup, "03").await;
    for role in ["frontend", "router", "prefill-1", "decode-1"] {
        let log = setup.stack.role(role).unwrap().log();
        let hops = log.lines().filter(|line| line.contains("traceparent=\""));
        let hops: Vec<_> = hops.filter(|line| line.contains(TRACE)).collect();
        assert!(
            hops.iter()
                .all(|hop| hop.contains(&format!("{TRACE}-{SPAN}-03")))
        );
    }
    assert_eq!(setup.receiver.spans().len(), 0);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
