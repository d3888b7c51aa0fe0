use crate::{Telemetry, assert_child, cancelled, complete, connect, ending, failed, soon};
use dynamo_trace_core::received::{Relation, RelationRule};
use dynamo_trace_core::{Propagation, Trust};
use dynamo_trace_frame::{Codec, CodecError, Frame};
use futures_util::{FutureExt, SinkExt, StreamExt};
use opentelemetry::Context;
use opentelemetry::trace::{SpanId, SpanKind, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::collections::BTreeMap;

fn all_attributes(span: &SpanData) -> BTreeMap<&str, String> {
    let attributes = span.attributes.iter();
    attributes
        .map(|kv| (kv.key.as_str(), kv.value.to_string()))
        .collect()
}

fn assert_is(span: &SpanData, kind: &SpanKind, name: &str) {
    assert_eq!((&span.span_kind, &*span.name), (kind, name));
}

#[tokio::test]
async fn a_message_is_sent_and_processed_in_one_trace() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (near, mut far) = connect(&codec).await;

    let caller = telemetry.caller();
    let mut sender = codec.sender(near);
    // The context counts that is current at the call, wherever the future runs.
    let sending = {
        let _current = caller.clone().attach();
        sender.send("hello")
    };
    soon(sending).await.unwrap();

    let received = soon(far.next()).await.unwrap().unwrap();
    let current = received
        .process(async |payload| {
            assert_eq!(payload, "hello");
            tokio::task::yield_now().await;
            Context::current().span().span_context().clone()
        })
        .await;

    let [send, process] = telemetry.ended();
    assert_is(&send, &SpanKind::Producer, "send tokens");
    assert_is(&process, &SpanKind::Consumer, "process tokens");
    assert_child(&send, caller.span().span_context());
    assert_child(&process, &send.span_context);
    assert!(process.parent_span_is_remote);
    assert_eq!(current, process.span_context);
    assert_eq!((ending(&send), ending(&process)), (complete(), complete()));
}

#[tokio::test]
async fn spans_say_what_the_conventions_demand() {
    let telemetry = Telemetry::new();
    let (near, mut far) = connect(&telemetry.codec()).await;
    let peer = near.get_ref().peer_addr().unwrap();
    let mut sender = telemetry.codec().peer(peer).sender(near);
    soon(sender.send("hello")).await.unwrap();
    soon(far.next())
        .await
        .unwrap()
        .unwrap()
        .process(async |_| ())
        .await;

    let [send, process] = telemetry.ended();
    let common = [
        ("messaging.system", "dynamo_trace_frame"),
        ("messaging.destination.name", "tokens"),
        ("messaging.message.body.size", "5"),
    ];
    let port = peer.port().to_string();
    let mut expected = BTreeMap::from(common.map(|(key, value)| (key, value.to_owned())));
    for key in ["messaging.operation.name", "messaging.operation.type"] {
        expected.insert(key, "process".to_owned());
    }
    assert_eq!(all_attributes(&process), expected);
    for (key, value) in [
        ("messaging.operation.name", "send"),
        ("messaging.operation.type", "send"),
        ("network.transport", "tcp"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", &port),
    ] {
        expected.insert(key, value.to_owned());
    }
    assert_eq!(all_attributes(&send), expected);
}

#[tokio::test]
async fn without_a_destination_the_name_is_the_operation() {
    let telemetry = Telemetry::new();
    let codec = Codec::new()
        .with_tracer_provider(&telemetry.provider)
        .with_propagation(Propagation::w3c());
    let (near, mut far) = connect(&codec).await;
    soon(codec.sender(near).send("")).await.unwrap();
    soon(far.next())
        .await
        .unwrap()
        .unwrap()
        .process(async |_| ())
        .await;
    let [send, process] = telemetry.ended();
    assert_is(&send, &SpanKind::Producer, "send");
    assert_is(&process, &SpanKind::Consumer, "process");
}

#[tokio::test]
async fn a_plain_frame_has_no_span_until_it_is_processed() {
    let telemetry = Telemetry::new();
    let (mut near, mut far) = connect(&telemetry.codec()).await;
    soon(near.send(Frame::new("token"))).await.unwrap();
    soon(near.send(Frame::new("token"))).await.unwrap();
    drop(soon(far.next()).await.unwrap().unwrap());
    let received = soon(far.next()).await.unwrap().unwrap();
    assert!(received.remote().is_empty());
    let [] = telemetry.ended();

    received.process(async |_| ()).await;
    let [process] = telemetry.ended();
    assert_eq!(process.parent_span_id, SpanId::INVALID);
}

#[tokio::test]
async fn a_frame_that_has_a_context_keeps_it() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (near, mut far) = connect(&codec).await;
    let author = telemetry.caller();
    let author_span = author.span().span_context().clone();
    let frame = Frame::with_context("hello", &author);
    soon(codec.sender(near).send(frame)).await.unwrap();
    let received = soon(far.next()).await.unwrap().unwrap();
    let span = received.remote().span_context().unwrap();
    assert_eq!(span.span_id(), author_span.span_id());

    let [send] = telemetry.ended();
    assert_is(&send, &SpanKind::Client, "send tokens");
    assert_eq!(send.links.links[0].span_context, author_span);
}

#[tokio::test]
async fn a_sender_is_continued_as_far_as_it_is_trusted() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (near, far) = connect(&codec).await;
    let mut far = far.map_codec(|codec| codec.with_trust(Trust::linked()));
    soon(codec.sender(near).send("hello")).await.unwrap();
    soon(far.next())
        .await
        .unwrap()
        .unwrap()
        .process(async |_| ())
        .await;

    let [send, process] = telemetry.ended();
    assert_ne!(
        process.span_context.trace_id(),
        send.span_context.trace_id()
    );
    let linked = &process.links.links[0].span_context;
    assert_eq!(linked.span_id(), send.span_context.span_id());
}

#[tokio::test]
async fn the_relation_is_what_the_codec_says() {
    let telemetry = Telemetry::new();
    for relation in [Relation::Parent, Relation::Link] {
        let rule = RelationRule::always(relation);
        let codec = telemetry.codec().with_relation(rule);
        let (near, mut far) = connect(&codec).await;
        soon(codec.sender(near).send("hello")).await.unwrap();
        assert_eq!(
            soon(far.next()).await.unwrap().unwrap().relation(),
            relation
        );
    }
}

#[tokio::test]
async fn a_payload_over_the_limit_fails_its_span() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec().max_payload(4);
    let (near, _far) = connect(&codec).await;
    let sent = soon(codec.sender(near).send("hello")).await;
    assert!(matches!(
        sent,
        Err(CodecError::PayloadTooLong { length: 5, max: 4 })
    ));
    let [send] = telemetry.ended();
    assert_eq!(ending(&send), failed("PayloadTooLong"));
}

#[tokio::test]
async fn a_message_to_a_peer_that_is_gone_fails_its_span() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (near, far) = connect(&codec).await;
    drop(far);
    let mut sender = codec.sender(near);
    // The first one may still fit into the socket's buffer.
    let error = soon(async {
        loop {
            if let Err(error) = sender.send("hello").await {
                break error;
            }
        }
    });
    let CodecError::Io(error) = error.await else {
        panic!("not an I/O error");
    };
    let spans = telemetry.exporter.get_finished_spans().unwrap();
    let (last, others) = spans.split_last().unwrap();
    assert_eq!(ending(last), failed(&format!("{:?}", error.kind())));
    assert!(others.iter().all(|span| ending(span) == complete()));
}

#[tokio::test]
async fn a_message_given_up_is_cancelled_and_still_sent_whole() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (mut near, mut far) = connect(&codec).await;
    // More than the sockets' buffers take while nobody reads.
    let large = vec![7; Codec::DEFAULT_MAX_PAYLOAD];
    assert!(
        codec
            .sender(&mut near)
            .send(large.clone())
            .now_or_never()
            .is_none()
    );
    let [send] = telemetry.ended();
    assert_eq!(ending(&send), cancelled());

    let (sent, received) = soon(async { tokio::join!(near.flush(), far.next()) }).await;
    sent.unwrap();
    assert!(received.unwrap().unwrap().into_inner() == large);
}

#[tokio::test]
async fn work_that_is_given_up_is_cancelled() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (near, mut far) = connect(&codec).await;
    soon(codec.sender(near).send("hello")).await.unwrap();
    let received = soon(far.next()).await.unwrap().unwrap();
    let work = received.process(|_| std::future::pending::<()>());
    assert!(work.now_or_never().is_none());
    let [_, process] = telemetry.ended();
    assert_eq!(ending(&process), cancelled());
}

#[tokio::test]
async fn the_futures_can_be_spawned() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (near, mut far) = connect(&codec).await;
    let sending = tokio::spawn(async move {
        let mut sender = codec.sender(near);
        sender.send("hello").await?;
        let out = sender.open("handshake").await?;
        out.finish().await
    });
    let receiving = tokio::spawn(async move {
        while let Some(Ok(received)) = far.next().await {
            received
                .process(async |_| tokio::task::yield_now().await)
                .await;
        }
    });
    drop(soon(sending).await.unwrap().unwrap());
    soon(receiving).await.unwrap();
    let _: [_; 4] = telemetry.ended();
}
