use crate::support::*;
use dynamo_trace_nats::{BrokerCounts, Client};
use std::time::{Duration, SystemTime};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const INGRESS: &str =
    r#"{"type":"in","ts":"2020-01-01T00:00:02Z","kind":0,"cid":1,"acc":"A","subj":"forged"}"#;

fn event(header: &str, points: &[&str]) -> String {
    let points = points.join(",");
    format!(r#"{{"server":{{}},"request":{{"header":{header}}},"events":[{points}]}}"#)
}

fn traced(points: &[&str]) -> String {
    event(&format!(r#"{{"traceparent":["{TRACEPARENT}"]}}"#), points)
}

/// A server of any version does here: what matters is what comes in.
struct Setup {
    _server: dynamo_trace_testkit::servers::NatsServer,
    spans: Spans,
    nats: Client,
    counts: BrokerCounts,
}

impl Setup {
    async fn new() -> Self {
        let server = dynamo_trace_testkit::servers::NatsServer::start().await;
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        let spans = Spans::new();
        let options = async_nats::ConnectOptions::new();
        let nats = spans.connect_with(&server, options).await;
        let counts = broker_spans(&nats).await;
        Self {
            _server: server,
            spans,
            nats,
            counts,
        }
    }

    async fn send(&self, event: impl Into<bytes::Bytes>) {
        let plain: &async_nats::Client = &self.nats;
        plain.publish(DESTINATION, event.into()).await.unwrap();
    }

    fn seen(&self) -> u64 {
        self.counts.recorded() + self.counts.ignored() + self.counts.unreadable()
    }
}

#[tokio::test]
async fn garbage_is_counted() {
    let setup = Setup::new().await;
    let mut garbage: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\xff\xfe\0".to_vec(),
        b"null".to_vec(),
        b"{\"events\":[]}".to_vec(),
        b"[".repeat(500_000),
        b"{\"request\":".repeat(50_000),
        vec![b'9'; 500_000],
        traced(&[]).into_bytes(),
        traced(&[INGRESS, "7"]).into_bytes(),
        traced(&[r#"{"type":"eg","ts":"2020-01-01T00:00:02Z","kind":0}"#]).into_bytes(),
        traced(&[&INGRESS.replace("2020", "0001")]).into_bytes(),
        traced(&[&INGRESS.replace("2020", "99999999999")]).into_bytes(),
        event(r#"{"traceparent":"text"}"#, &[INGRESS]).into_bytes(),
    ];
    // Cut everywhere.
    let whole = traced(&[INGRESS]);
    garbage.extend((1..whole.len()).map(|end| whole.as_bytes()[..end].to_vec()));
    let sent = garbage.len() as u64;
    for event in garbage {
        setup.send(event).await;
    }
    until(async || setup.seen() == sent).await;
    assert_eq!(setup.counts.unreadable(), sent);
    setup.send(whole).await;
    until(async || setup.counts.recorded() == 1).await;
    setup.spans.one("relay forged");
}

#[tokio::test]
async fn what_has_no_sampled_trace_is_ignored() {
    let setup = Setup::new().await;
    let header = |value: &str| format!(r#"{{"traceparent":["{value}"]}}"#);
    let headers = [
        "{}".to_owned(),
        header(""),
        header(&TRACEPARENT.replace("-01", "-00")),
        header(&TRACEPARENT.replace("00-", "ff-")),
        header(&TRACEPARENT.replace("-01", "-01-x")),
        header(&TRACEPARENT.to_uppercase()),
        format!(r#"{{"traceparent":["{TRACEPARENT}","{TRACEPARENT}"]}}"#),
        format!(r#"{{"traceparent":["{TRACEPARENT}"],"Traceparent":["{TRACEPARENT}"]}}"#),
    ];
    let sent = headers.len() as u64;
    for header in headers {
        setup.send(event(&header, &[INGRESS])).await;
    }
    until(async || setup.seen() == sent).await;
    assert_eq!(setup.counts.ignored(), sent);
    assert!(setup.spans.all().is_empty());
}

#[tokio::test]
async fn a_field_is_found_as_a_broker_spelt_it() {
    let setup = Setup::new().await;
    for (name, count) in [("Traceparent", 1), ("TRACEPARENT", 2), ("Xraceparent", 3)] {
        let header = format!(r#"{{"{name}":["{TRACEPARENT}"]}}"#);
        setup.send(event(&header, &[INGRESS])).await;
        until(async || setup.counts.recorded() == count).await;
    }
}

#[tokio::test]
async fn forged_values_stay_within_bounds() {
    let setup = Setup::new().await;
    let long = "x".repeat(5_000);
    let ingress = format!(
        r#"{{"type":"in","ts":"2020-01-01T00:00:02Z","kind":-7,"name":"{long}","acc":"{long}",
            "subj":"{long}","error":"{long}"}}"#
    );
    let before = r#"{"type":"js","ts":"2020-01-01T00:00:01Z","stream":"S","error":"row 7"}"#;
    let unknown = r#"{"type":"new","ts":"2020-01-01T00:00:09Z","kind":{}}"#;
    let egress = format!(
        r#"{{"type":"eg","ts":"2020-01-01T00:00:03Z","kind":9,"sub":"{long}","error":"{long}"}}"#
    );
    let client = r#"{"type":"eg","ts":"2020-01-01T00:00:03Z","kind":0,"name":"secret","sub":"s"}"#;
    let many = vec![client; 300];
    let points = [&[&*ingress, before, unknown, &egress], &many[..]].concat();
    setup.send(traced(&points)).await;
    until(async || setup.counts.recorded() == 1).await;

    let span = setup.spans.one("relay");
    let second = |n: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800 + n);
    assert_eq!((span.start_time, span.end_time), (second(2), second(9)));
    assert_eq!(
        attributes(&span),
        [
            "dynamo_trace.ending=failed",
            "error.type=_OTHER",
            "messaging.message.envelope.size=0",
            "messaging.nats.egress.count=301",
            "messaging.nats.stream=S",
            "messaging.operation.name=relay",
            "messaging.system=nats",
        ]
    );
    assert_eq!(span.events.len(), 128);
    assert_eq!(span.events.dropped_count, 0);
    assert_eq!(span.events[0].timestamp, second(1));
    let all = format!("{span:?}");
    assert!(!all.contains("xxx") && !all.contains("secret") && !all.contains("row 7"));
}

#[tokio::test]
async fn a_client_does_not_say_what_hop_it_is() {
    let setup = Setup::new().await;
    let header = format!(r#"{{"traceparent":["{TRACEPARENT}"],"Nats-Trace-Hop":["9"]}}"#);
    setup.send(event(&header, &[INGRESS])).await;
    let route = INGRESS.replace("\"kind\":0", "\"kind\":1");
    setup.send(event(&header, &[&route])).await;
    until(async || setup.counts.recorded() == 2).await;
    let hop = |span| attribute(span, "messaging.nats.hop");
    let spans = setup.spans.named("relay forged");
    assert_eq!(hop(&spans[0]), None);
    assert_eq!(hop(&spans[1]), Some("9".into()));
}

#[tokio::test]
async fn what_a_server_listens_on_may_be_no_address() {
    let setup = Setup::new().await;
    for (count, host) in (1..).zip(["0.0.0.0", "::", "", "broker.example"]) {
        let server = format!(r#""server":{{"host":"{host}"}}"#);
        let event = traced(&[INGRESS]).replace(r#""server":{}"#, &server);
        setup.send(event).await;
        until(async || setup.counts.recorded() == count).await;
    }
    let spans = setup.spans.named("relay forged");
    let address = |span| attribute(span, "server.address");
    let addresses: Vec<_> = spans.iter().map(address).collect();
    assert_eq!(addresses, [None, None, None, Some("broker.example".into())]);
}
