use crate::support::*;
use opentelemetry::trace::{SpanId, TraceContextExt};

/// Processes one message that was published by hand; gives its span's parent.
async fn process_raw(setup: &Setup, headers: &[u8]) -> SpanId {
    let Setup {
        server,
        nats,
        spans,
        ..
    } = setup;
    let mut events = nats.subscribe("events").await.unwrap();
    settle(nats).await;
    server.publish_raw("events", headers, b"payload").await;
    let received = take(&mut events).await;
    let payload = received.process(async |message| message.payload).await;
    assert_eq!(payload, "payload");
    spans.all().pop().unwrap().parent_span_id
}

#[tokio::test]
async fn a_name_is_found_in_any_case_and_as_a_broker_renamed_it() {
    let setup = setup().await;
    for name in ["traceparent", "Traceparent", "TRACEPARENT", "Xraceparent"] {
        let line = format!("{name}: {TRACEPARENT}\r\n");
        let parent = process_raw(&setup, line.as_bytes()).await;
        assert_eq!(parent, remote_span().span_id(), "{name}");
    }
}

#[tokio::test]
async fn a_renamed_field_gives_way_to_a_valid_one() {
    let setup = setup().await;
    let other = TRACEPARENT.replace("b7ad", "aaaa");
    let lines = format!("Xraceparent: {other}\r\ntraceparent: {TRACEPARENT}\r\n");
    let parent = process_raw(&setup, lines.as_bytes()).await;
    assert_eq!(parent, remote_span().span_id());
}

#[tokio::test]
async fn several_traceparents_restart_the_trace() {
    let setup = setup().await;
    let twice = format!("traceparent: {TRACEPARENT}\r\n").repeat(2);
    let spelt = format!("traceparent: {TRACEPARENT}\r\nTraceparent: {TRACEPARENT}\r\n");
    for lines in [twice, spelt] {
        let parent = process_raw(&setup, lines.as_bytes()).await;
        assert_eq!(parent, SpanId::INVALID);
    }
}

#[tokio::test]
async fn several_tracestates_are_joined_in_order() {
    let setup = setup().await;
    let lines = format!("traceparent: {TRACEPARENT}\r\nTracestate: a=1\r\nTracestate: b=2\r\n");
    let mut events = setup.nats.subscribe("events").await.unwrap();
    settle(&setup.nats).await;
    let publish = setup.server.publish_raw("events", lines.as_bytes(), b"");
    publish.await;
    let received = take(&mut events).await;
    let state = received.remote().span_context().unwrap().trace_state();
    assert_eq!(state.header(), "a=1,b=2");
}

/// Header lines that no sender should send.
pub(crate) fn garbage() -> Vec<Vec<u8>> {
    let huge = format!("baggage: k={}\r\n", "v".repeat(100_000));
    let many = "baggage: k=v\r\n".repeat(5_000);
    let folded = format!(
        "traceparent: {}\r\n {}\r\n",
        &TRACEPARENT[..20],
        &TRACEPARENT[20..]
    );
    let garbage: [&[u8]; 15] = [
        b"",
        b"traceparent:\r\n",
        b"traceparent: \r\n",
        b"traceparent: 00-\r\n",
        b"traceparent: \0\0\0\r\n",
        b"traceparent: \x01\x02\x7f\r\n",
        "traceparent: \u{e9}\u{1f600}\u{2028}\r\n".as_bytes(),
        "traceparent: 00-0af7651916cd43dd8448eb211c80319\u{e9}-b7ad6b7169203331-01\r\n".as_bytes(),
        b"traceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n",
        b"traceparent: ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        b"tracestate: ===,,,\r\nbaggage: %%%=%zz;;;\r\n",
        b"a!#$%&'*+-.^_`|~(),/;<=>?@[]{}: x\r\nNats-Msg-Id:\r\n",
        huge.as_bytes(),
        many.as_bytes(),
        folded.as_bytes(),
    ];
    garbage.map(<[u8]>::to_vec).into()
}

#[tokio::test]
async fn garbage_never_panics_and_never_costs_the_message() {
    let setup = setup().await;
    for headers in garbage() {
        let parent = process_raw(&setup, &headers).await;
        let text = String::from_utf8_lossy(&headers[..headers.len().min(40)]).into_owned();
        assert_eq!(parent, SpanId::INVALID, "{text:?}");
    }
}

#[tokio::test]
async fn a_received_context_is_sent_on_as_it_came() {
    let setup = setup().await;
    let mut events = setup.nats.subscribe("events").await.unwrap();
    let mut next = setup.nats.subscribe("next").await.unwrap();
    settle(&setup.nats).await;
    // Random flag, and a tracestate key that only Level 2 allows.
    let lines = format!(
        "traceparent: {}\r\ntracestate: 1a@b@c=x\r\nbaggage: a=1;p\r\n",
        TRACEPARENT.replace("-01", "-03")
    );
    let publish = setup.server.publish_raw("events", lines.as_bytes(), b"");
    publish.await;
    let received = take(&mut events).await;
    let span = received
        .process(async |_| {
            setup.nats.publish("next", "".into()).await.unwrap();
            opentelemetry::Context::map_current(|cx| cx.span().span_context().clone())
        })
        .await;
    assert_eq!(span.trace_id(), remote_span().trace_id());
    let message = take(&mut next).await;
    let parent = header(&message, "traceparent").unwrap();
    assert!(
        parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
        "{parent}"
    );
    assert!(parent.ends_with("-03"), "{parent}");
    assert_eq!(header(&message, "tracestate").as_deref(), Some("1a@b@c=x"));
    assert_eq!(header(&message, "baggage").as_deref(), Some("a=1;p"));
}

#[tokio::test]
async fn several_renamed_fields_restart_the_trace() {
    let setup = setup().await;
    let twice = format!("Xraceparent: {TRACEPARENT}\r\n").repeat(2);
    let spelt = format!("Xraceparent: {TRACEPARENT}\r\nXRACEPARENT: {TRACEPARENT}\r\n");
    let beside = format!("Xraceparent: {TRACEPARENT}\r\ntraceparent: garbage\r\n");
    for lines in [twice, spelt, beside] {
        let parent = process_raw(&setup, lines.as_bytes()).await;
        assert_eq!(parent, SpanId::INVALID, "{lines}");
    }
}

#[tokio::test]
async fn look_alikes_are_not_read() {
    let setup = setup().await;
    for name in [
        "xtraceparent",
        "traceparent2",
        "trace-parent",
        "Xtraceparent",
        "raceparent",
        "Nats-Traceparent",
    ] {
        let line = format!("{name}: {TRACEPARENT}\r\n");
        let parent = process_raw(&setup, line.as_bytes()).await;
        assert_eq!(parent, SpanId::INVALID, "{name}");
    }
}

#[tokio::test]
async fn white_space_around_a_value_is_none_of_it() {
    let setup = setup().await;
    for line in [
        format!("traceparent:{TRACEPARENT}\r\n"),
        format!("traceparent: \t {TRACEPARENT} \t \r\n"),
    ] {
        let parent = process_raw(&setup, line.as_bytes()).await;
        assert_eq!(parent, remote_span().span_id(), "{line:?}");
    }
}

#[tokio::test]
async fn thousands_of_names_do_not_hide_the_context() {
    let setup = setup().await;
    let mut lines: String = (0..5_000).map(|n| format!("x-{n}: v\r\n")).collect();
    lines += &format!("traceparent: {TRACEPARENT}\r\n");
    let parent = process_raw(&setup, lines.as_bytes()).await;
    assert_eq!(parent, remote_span().span_id());
}

/// async-nats cannot read such a header, and closes the connection: the message is lost, and what
/// comes after is not.
#[tokio::test]
async fn bytes_that_are_no_text_cost_no_more_than_their_message() {
    let setup = setup().await;
    let Setup {
        server,
        nats,
        spans,
        ..
    } = &setup;
    let mut events = nats.subscribe("events").await.unwrap();
    settle(nats).await;
    let bad = b"traceparent: \xff\xfe\r\n";
    server.publish_raw("events", bad, b"lost").await;
    let good = format!("traceparent: {TRACEPARENT}\r\n");
    let received = loop {
        server
            .publish_raw("events", good.as_bytes(), b"payload")
            .await;
        let brief = std::time::Duration::from_millis(50);
        if let Ok(received) = tokio::time::timeout(brief, events.next()).await {
            break received.unwrap();
        }
    };
    assert_eq!(received.payload, "payload");
    received.process(async |_| {}).await;
    assert_eq!(
        spans.one("process events").parent_span_id,
        remote_span().span_id()
    );
}

#[tokio::test]
async fn a_hostile_reply_subject_is_answered_or_refused_and_never_panics() {
    let setup = setup().await;
    let Setup { server, nats, .. } = &setup;
    let mut work = nats.subscribe("work").await.unwrap();
    settle(nats).await;
    let long = "r".repeat(500);
    for reply in ["a..b", ".", "_INBOX.", "\u{e9}\u{1f600}", "$SYS.x", &long] {
        server
            .publish_raw(&format!("work {reply}"), b"", b"payload")
            .await;
        let received = take(&mut work).await;
        let answer = received.process(async |request| {
            assert_eq!(request.reply.as_deref(), Some(reply));
            nats.reply(&request, "r".into()).await
        });
        answer.await.unwrap();
        // The broker may have closed the connection for it; it comes back.
        settle(nats).await;
    }
    assert_eq!(setup.spans.names(), ["process work"; 6]);
}

#[tokio::test]
async fn replies_of_a_stream_may_be_anything() {
    let setup = setup().await;
    let Setup {
        server,
        nats,
        spans,
        ..
    } = &setup;
    let mut work = nats.subscribe("work").await.unwrap();
    let request = async_nats::Request::new().inbox("answers".to_owned());
    let replies = nats.request_stream("work", request).await.unwrap();
    let mut replies = replies.max_messages(4);
    take(&mut work).await.into_inner().reply.unwrap();
    for headers in [
        "Nats-Service-Error-Code:\r\n".to_owned(),
        "Nats-Service-Error-Code: \u{e9}\r\n".to_owned(),
        format!("Nats-Service-Error-Code: {}\r\n", "9".repeat(10_000)),
        "traceparent: 00-\r\nbaggage: %%%\r\n".to_owned(),
    ] {
        server
            .publish_raw("answers", headers.as_bytes(), b"r")
            .await;
    }
    while let Some(reply) = within(replies.next()).await {
        assert_eq!(reply.unwrap().payload, "r");
    }
    let error = attribute(&spans.one("request work"), "error.type");
    assert_eq!(error, Some("_OTHER".into()));
}
