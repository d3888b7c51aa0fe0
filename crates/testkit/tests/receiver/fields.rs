//! Every field arrives.

use std::time::Duration;

use dynamo_trace_testkit::{
    Attributes, Receiver, SpanKind, Value,
    span::{Event, Link, Resource, Scope, Span, Status, StatusCode},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
    resource,
    trace::v1 as otlp,
};
use prost::Message;
use tonic::codec::CompressionEncoding;

use crate::otlp::{PROTOBUF, attribute, grpc, http, text};

/// A request with something in every field.
fn full_request() -> ExportTraceServiceRequest {
    use any_value::Value::{
        ArrayValue as Array, BoolValue, BytesValue, DoubleValue, IntValue, KvlistValue,
    };
    let span = otlp::Span {
        trace_id: (1..=16).collect(),
        span_id: vec![2; 8],
        trace_state: "vendor=1,other=2".to_owned(),
        parent_span_id: vec![3; 8],
        flags: 0x303,
        name: "process work".to_owned(),
        kind: otlp::span::SpanKind::Consumer.into(),
        start_time_unix_nano: 1_700_000_000_000_000_001,
        end_time_unix_nano: 1_700_000_000_250_000_001,
        attributes: vec![
            text("text", "é"),
            attribute("truth", BoolValue(true)),
            attribute("integer", IntValue(-5)),
            attribute("float", DoubleValue(0.5)),
            attribute("bytes", BytesValue(vec![0, 255])),
            attribute(
                "array",
                Array(ArrayValue {
                    values: vec![
                        AnyValue {
                            value: Some(IntValue(1)),
                        },
                        AnyValue { value: None },
                    ],
                }),
            ),
            attribute(
                "map",
                KvlistValue(KeyValueList {
                    values: vec![text("key", "value")],
                }),
            ),
            KeyValue {
                key: "empty".to_owned(),
                ..KeyValue::default()
            },
        ],
        dropped_attributes_count: 1,
        events: vec![otlp::span::Event {
            time_unix_nano: 1_700_000_000_000_000_002,
            name: "first token".to_owned(),
            attributes: vec![text("model", "x")],
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![otlp::span::Link {
            trace_id: vec![4; 16],
            span_id: vec![5; 8],
            trace_state: "linked=1".to_owned(),
            attributes: vec![text("relation", "stale")],
            dropped_attributes_count: 4,
            flags: 0x101,
        }],
        dropped_links_count: 5,
        status: Some(otlp::Status {
            code: otlp::status::StatusCode::Error.into(),
            message: "out of memory".to_owned(),
        }),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![otlp::ResourceSpans {
            resource: Some(resource::v1::Resource {
                attributes: vec![text("service.name", "indexer")],
                dropped_attributes_count: 6,
                ..Default::default()
            }),
            scope_spans: vec![otlp::ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "scope".to_owned(),
                    version: "1.2.3".to_owned(),
                    attributes: vec![text("library", "y")],
                    dropped_attributes_count: 7,
                }),
                spans: vec![span],
                schema_url: "https://example.com/scope".to_owned(),
            }],
            schema_url: "https://example.com/resource".to_owned(),
        }],
    }
}

fn full_span() -> Span {
    let one = |key: &str, value: &str| Attributes::from_iter([(key, value)]);
    Span {
        trace_id: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        span_id: [2; 8],
        parent_span_id: Some([3; 8]),
        trace_state: "vendor=1,other=2".to_owned(),
        flags: 0x303,
        name: "process work".to_owned(),
        kind: SpanKind::Consumer,
        start_unix_nanos: 1_700_000_000_000_000_001,
        end_unix_nanos: 1_700_000_000_250_000_001,
        attributes: Attributes::from_iter([
            ("text", Value::from("é")),
            ("truth", Value::Bool(true)),
            ("integer", Value::Int(-5)),
            ("float", Value::Double(0.5)),
            ("bytes", Value::Bytes(vec![0, 255])),
            ("array", Value::Array(vec![Value::Int(1), Value::Empty])),
            ("map", Value::Map(one("key", "value"))),
            ("empty", Value::Empty),
        ]),
        dropped_attributes: 1,
        events: vec![Event {
            time_unix_nanos: 1_700_000_000_000_000_002,
            name: "first token".to_owned(),
            attributes: one("model", "x"),
            dropped_attributes: 2,
        }],
        dropped_events: 3,
        links: vec![Link {
            trace_id: [4; 16],
            span_id: [5; 8],
            trace_state: "linked=1".to_owned(),
            flags: 0x101,
            attributes: one("relation", "stale"),
            dropped_attributes: 4,
        }],
        dropped_links: 5,
        status: Status {
            code: StatusCode::Error,
            message: "out of memory".to_owned(),
        },
        resource: Resource {
            attributes: one("service.name", "indexer"),
            dropped_attributes: 6,
            schema_url: "https://example.com/resource".to_owned(),
        }
        .into(),
        scope: Scope {
            name: "scope".to_owned(),
            version: "1.2.3".to_owned(),
            attributes: one("library", "y"),
            dropped_attributes: 7,
            schema_url: "https://example.com/scope".to_owned(),
        }
        .into(),
    }
}

#[tokio::test]
async fn every_field_arrives_over_grpc() {
    let receiver = Receiver::start().await.unwrap();
    let response = grpc(&receiver).await.export(full_request()).await.unwrap();
    assert_eq!(response.into_inner(), ExportTraceServiceResponse::default());
    assert_eq!(receiver.spans(), [full_span()]);
}

#[tokio::test]
async fn every_field_arrives_over_http() {
    let receiver = Receiver::start().await.unwrap();
    let body = full_request().encode_to_vec();
    let (status, answer) = http(receiver.addresses()[0], "/v1/traces", PROTOBUF, &body).await;
    assert_eq!((status, answer.as_slice()), (200, [].as_slice()));
    assert_eq!(receiver.spans(), [full_span()]);
}

#[tokio::test]
async fn gzip_is_accepted_over_grpc() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = grpc(&receiver)
        .await
        .send_compressed(CompressionEncoding::Gzip);
    client.export(full_request()).await.unwrap();
    assert_eq!(receiver.spans(), [full_span()]);
}

#[test]
fn a_span_answers_questions() {
    let span = full_span();
    assert_eq!(span.service(), "indexer");
    assert_eq!(span.duration(), Duration::from_millis(250));
    assert_eq!(
        (span.trace_flags(), span.has_remote_parent()),
        (3, Some(true))
    );
    assert_eq!(
        (span.links[0].trace_flags(), span.links[0].is_remote()),
        (1, Some(false))
    );
    assert_eq!(Span::default().has_remote_parent(), None);
    assert!(span.is_error());
    assert_eq!(span.attribute("integer").and_then(Value::as_i64), Some(-5));
    let parent = Span {
        span_id: [3; 8],
        parent_span_id: None,
        ..span.clone()
    };
    assert!(span.is_child_of(&parent) && !parent.is_child_of(&parent));
    let linked = Span {
        trace_id: [4; 16],
        span_id: [5; 8],
        ..Span::default()
    };
    assert!(span.is_linked_to(&linked) && !span.is_linked_to(&parent));
    assert_eq!(
        span.attributes.to_string(),
        "{text=é, truth=true, integer=-5, float=0.5, bytes=00ff, array=[1, ], map={key=value}, empty=}"
    );
}
