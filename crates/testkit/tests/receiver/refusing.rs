//! What is too large, broken or unknown.

use dynamo_trace_testkit::{Receiver, SpanKind};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message;

use crate::otlp::{PROTOBUF, grpc, http, request, send, span, text};

#[tokio::test]
async fn requests_larger_than_the_usual_limits_are_accepted() {
    let receiver = Receiver::start().await.unwrap();
    let mut large = span(1, 1);
    large.attributes = vec![text("prompt", &"x".repeat(8 * 1024 * 1024))];
    let body = request(vec![large.clone()]).encode_to_vec();
    let (status, _) = http(receiver.addresses()[0], "/v1/traces", PROTOBUF, &body).await;
    assert_eq!(status, 200);
    send(&receiver, vec![large]).await;
    assert_eq!(receiver.spans().len(), 2);
}

#[tokio::test]
async fn garbage_is_refused_and_the_receiver_lives_on() {
    let receiver = Receiver::start().await.unwrap();
    let address = receiver.addresses()[0];
    let valid = request(vec![span(1, 1)]).encode_to_vec();
    for body in [
        &b"\xff\xff\xff\xff"[..],
        &valid[..valid.len() - 1],
        &[0x0a; 1000],
        &nested(10_000),
    ] {
        let (status, answer) = http(address, "/v1/traces", PROTOBUF, body).await;
        assert_eq!(status, 400, "{body:?}");
        assert!(!answer.is_empty(), "the reason, as a google.rpc.Status");
    }
    for headers in [
        "",
        "content-type: application/json\r\n",
        "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n",
    ] {
        assert_eq!(
            http(address, "/v1/traces", headers, &valid).await.0,
            415,
            "{headers}"
        );
    }
    assert_eq!(http(address, "/v1/metrics", PROTOBUF, &valid).await.0, 404);
    assert_eq!(http(address, "/", PROTOBUF, &valid).await.0, 404);
    assert_eq!(receiver.spans(), []);

    let accepted = "content-type: Application/X-Protobuf; charset=x\r\n";
    for body in [&valid, &nested(10)] {
        assert_eq!(http(address, "/v1/traces", accepted, body).await.0, 200);
    }
    assert_eq!(receiver.spans().len(), 1);
}

/// An export with a resource attribute that is a list in a list in a list ..
fn nested(depth: usize) -> Vec<u8> {
    let mut value = Vec::new();
    for _ in 0..depth {
        let array = field(0x0a, &value);
        value = field(0x2a, &array);
    }
    let resource = field(0x0a, &field(0x12, &value));
    field(0x0a, &field(0x0a, &resource))
}

/// A protobuf field of messages: `tag`, length, bytes.
fn field(tag: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    prost::encode_length_delimiter(message.len(), &mut bytes).unwrap();
    bytes.extend_from_slice(message);
    bytes
}

#[tokio::test]
async fn spans_with_invalid_ids_are_rejected_one_by_one() {
    let receiver = Receiver::start().await.unwrap();
    let broken = |change: fn(&mut otlp::Span)| {
        let mut span = span(1, 1);
        change(&mut span);
        span
    };
    let spans = vec![
        broken(|span| span.trace_id.clear()),
        broken(|span| span.trace_id = vec![0; 16]),
        broken(|span| span.trace_id.push(1)),
        broken(|span| span.span_id = vec![0; 8]),
        broken(|span| span.parent_span_id = vec![1; 7]),
        broken(|span| span.links.push(otlp::span::Link::default())),
        broken(|span| span.parent_span_id = vec![0; 8]),
        broken(|span| span.kind = 99),
    ];
    let response = grpc(&receiver).await.export(request(spans)).await.unwrap();
    let partial = response.into_inner().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 6);
    let kept = receiver.spans();
    assert_eq!(kept.len(), 2);
    assert_eq!(
        (kept[0].parent_span_id, kept[1].kind),
        (None, SpanKind::Unspecified)
    );
}
