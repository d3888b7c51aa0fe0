use crate::{
    Connection, Telemetry, assert_child, attribute, cancelled, complete, connect, ending, failed,
    soon, text,
};
use dynamo_trace_core::Ending;
use dynamo_trace_frame::{CodecError, Outgoing};
use futures_util::{FutureExt, SinkExt, StreamExt};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use tokio::io::AsyncWriteExt;

/// An open response, and the end that reads it.
async fn open(telemetry: &Telemetry) -> (Outgoing<Connection>, Connection) {
    let codec = telemetry.codec();
    let (near, far) = connect(&codec).await;
    let out = soon(codec.sender(near).open("handshake")).await.unwrap();
    (out, far)
}

fn counts(span: &SpanData) -> [Option<Value>; 2] {
    ["dynamo_trace.stream.chunks", "dynamo_trace.stream.bytes"].map(|key| attribute(span, key))
}

fn counted(frames: i64, bytes: i64) -> [Option<Value>; 2] {
    [Some(Value::I64(frames)), Some(Value::I64(bytes))]
}

#[tokio::test]
async fn a_response_is_one_span_on_either_side() {
    let telemetry = Telemetry::new();
    let (mut out, mut far) = open(&telemetry).await;
    out.context()
        .span()
        .set_attribute(KeyValue::new("gen_ai.request.model", "m"));
    let sending = async {
        for token in ["Hello", ",", " world"] {
            out.send(token.into()).await.unwrap();
        }
        drop(out.finish().await.unwrap());
    };
    let receiving = async {
        let first = far.next().await.unwrap().unwrap();
        first
            .process(async |handshake| {
                assert_eq!(handshake, "handshake");
                let mut text = Vec::new();
                while let Some(token) = far.next().await {
                    let token = token.unwrap();
                    assert!(token.remote().is_empty());
                    text.extend_from_slice(&token);
                }
                text
            })
            .await
    };
    let ((), text) = soon(async { tokio::join!(sending, receiving) }).await;
    assert_eq!(text, b"Hello, world");

    let [send, process] = telemetry.ended();
    assert_eq!(
        (&*send.name, &send.span_kind),
        ("send tokens", &SpanKind::Producer)
    );
    assert_eq!(
        (&*process.name, &process.span_kind),
        ("process tokens", &SpanKind::Consumer)
    );
    assert_child(&process, &send.span_context);
    assert_eq!((ending(&send), ending(&process)), (complete(), complete()));
    assert!(send.end_time < process.end_time);
    assert_eq!(counts(&send), counted(4, 21));
    let gap = attribute(&send, "dynamo_trace.stream.longest_gap");
    assert!(matches!(gap, Some(Value::F64(gap)) if gap > 0.0));
    assert_eq!(
        crate::text(&send, "gen_ai.request.model").as_deref(),
        Some("m")
    );
}

#[tokio::test]
async fn closing_the_sink_completes_the_response() {
    let telemetry = Telemetry::new();
    let (mut out, mut far) = open(&telemetry).await;
    out.feed("token".into()).await.unwrap();
    soon(SinkExt::close(&mut out)).await.unwrap();
    let [send] = telemetry.ended();
    assert_eq!((ending(&send), counts(&send)), (complete(), counted(2, 14)));
    soon(far.next()).await.unwrap().unwrap();
    assert_eq!(**soon(far.next()).await.unwrap().unwrap(), *b"token");
    assert!(soon(far.next()).await.is_none());
}

#[tokio::test]
async fn a_response_that_the_worker_gives_up_is_failed_or_cancelled() {
    let telemetry = Telemetry::new();
    let (mut out, _far) = open(&telemetry).await;
    soon(out.send("token".into())).await.unwrap();
    drop(out.fail("out_of_memory"));
    let (mut out, _far) = open(&telemetry).await;
    soon(out.send("token".into())).await.unwrap();
    drop(out);
    let [first, second] = telemetry.ended();
    assert_eq!(
        (ending(&first), counts(&first)),
        (failed("out_of_memory"), counted(2, 14))
    );
    assert_eq!(
        (ending(&second), counts(&second)),
        (cancelled(), counted(2, 14))
    );
}

#[tokio::test]
async fn a_response_that_is_never_opened_is_cancelled() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec();
    let (near, _far) = connect(&codec).await;
    drop(codec.sender(near).open("handshake"));
    let [send] = telemetry.ended();
    assert_eq!((ending(&send), counts(&send)), (cancelled(), counted(0, 0)));
}

#[tokio::test]
async fn a_reader_that_is_gone_fails_the_response() {
    let telemetry = Telemetry::new();
    let (mut out, far) = open(&telemetry).await;
    drop(far);
    let error = soon(async {
        loop {
            if let Err(error) = out.send("token".into()).await {
                break error;
            }
        }
    });
    let CodecError::Io(error) = error.await else {
        panic!("not an I/O error");
    };
    // What happens afterwards changes nothing.
    drop(out);
    let [send] = telemetry.ended();
    assert_eq!(ending(&send), failed(&format!("{:?}", error.kind())));
}

#[tokio::test]
async fn the_first_error_counts() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec().max_payload(9);
    let (near, _far) = connect(&codec).await;
    let mut out = soon(codec.sender(near).open("handshake")).await.unwrap();
    let sent = soon(out.send("0123456789".into())).await;
    assert!(matches!(sent, Err(CodecError::PayloadTooLong { .. })));
    drop(soon(out.finish()).await.unwrap());
    let [send] = telemetry.ended();
    assert_eq!(ending(&send), failed("PayloadTooLong"));
    assert_eq!(counts(&send), counted(1, 9));
}

#[tokio::test]
async fn a_first_frame_that_cannot_be_sent_fails_the_response() {
    let telemetry = Telemetry::new();
    let codec = telemetry.codec().max_payload(8);
    let (near, _far) = connect(&codec).await;
    assert!(soon(codec.sender(near).open("handshake")).await.is_err());
    let [send] = telemetry.ended();
    assert_eq!(
        (ending(&send), counts(&send)),
        (failed("PayloadTooLong"), counted(0, 0))
    );
}

#[tokio::test]
async fn a_worker_that_dies_inside_a_frame_fails_the_reading() {
    let telemetry = Telemetry::new();
    let (out, mut far) = open(&telemetry).await;
    let mut socket = out.finish().await.unwrap().into_inner();
    soon(socket.write_all(b"\x01\x00\x00\x00\x00\x00\x09tok"))
        .await
        .unwrap();
    drop(socket);

    let first = soon(far.next()).await.unwrap().unwrap();
    let read = first.try_process(async |_| {
        while let Some(token) = far.next().await {
            token?;
        }
        Ok(())
    });
    let error = soon(read).await.unwrap_err();
    assert!(matches!(error, CodecError::Truncated(10)));
    let [_, process] = telemetry.ended();
    let Ending::Failed(error_type) = Ending::failed_with(&error) else {
        unreachable!()
    };
    assert_eq!(ending(&process), failed(&error_type));
}

#[tokio::test]
async fn a_reading_that_is_given_up_is_cancelled() {
    let telemetry = Telemetry::new();
    let (_out, mut far) = open(&telemetry).await;
    let first = soon(far.next()).await.unwrap().unwrap();
    let reading = first.process(async |_| far.next().await.map(drop));
    assert!(reading.now_or_never().is_none());
    let [process] = telemetry.ended();
    assert_eq!(ending(&process), cancelled());
    assert_eq!(
        text(&process, "messaging.message.body.size").as_deref(),
        Some("9")
    );
}
