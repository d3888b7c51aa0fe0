//! Chunks, bytes and times: of streams, not of plain replies.

use crate::{Frames, call, chunks, ended, message, ok};
use dynamo_trace_grpc::Grpc;
use dynamo_trace_testkit::span_log::{attribute, text};
use futures_util::StreamExt;
use futures_util::stream;
use http_body_util::BodyExt;
use opentelemetry::Value;
use opentelemetry_sdk::trace::SpanData;
use std::time::Duration;

const FIRST: &str = "dynamo_trace.stream.time_to_first_chunk";
const GAP: &str = "dynamo_trace.stream.longest_gap";
const ALL: [&str; 4] = [
    "dynamo_trace.stream.chunks",
    "dynamo_trace.stream.bytes",
    FIRST,
    GAP,
];

fn seconds(span: &SpanData, key: &str) -> f64 {
    match attribute(span, key) {
        Some(Value::F64(seconds)) => seconds,
        other => panic!("{key} is {other:?}"),
    }
}

/// Nothing, after this long.
fn pause(duration: Duration) -> Frames {
    let pause = stream::once(async move { tokio::time::sleep(duration).await });
    pause.filter_map(async |()| None).boxed()
}

#[tokio::test]
async fn a_stream_has_chunks_bytes_and_times() {
    const WAIT: Duration = Duration::from_millis(30);
    const LONGEST: Duration = Duration::from_millis(60);
    let parts = [
        pause(WAIT),
        chunks([message(1)]),
        pause(LONGEST),
        chunks([message(2)]),
        pause(WAIT),
        chunks([message(3)]),
        ok(),
    ];
    let replies = stream::iter(parts).flatten().boxed();
    let (log, response) = call(Grpc::new(), chunks([message(0)]), None, replies).await;
    response.into_body().collect().await.unwrap();
    for span in ended(&log).await {
        assert_eq!(text(&span, ALL[0]).as_deref(), Some("3"));
        assert_eq!(text(&span, ALL[1]).as_deref(), Some("21"));
        let whole = span.end_time.duration_since(span.start_time).unwrap();
        let (first, gap) = (seconds(&span, FIRST), seconds(&span, GAP));
        assert!(first >= WAIT.as_secs_f64(), "{first}");
        assert!(gap >= LONGEST.as_secs_f64(), "{gap}");
        assert!(
            first + gap <= whole.as_secs_f64(),
            "{first} + {gap} of {whole:?}"
        );
        // These are no tokens.
        assert_eq!(text(&span, "gen_ai.response.time_to_first_chunk"), None);
    }
}

#[tokio::test]
async fn a_stream_that_is_given_up_has_them_up_to_there() {
    let replies = chunks([message(1), message(2), message(3)]).chain(stream::pending());
    let (log, response) = call(Grpc::new(), chunks([]), None, replies.boxed()).await;
    let mut body = response.into_body();
    for _ in 0..2 {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    for span in ended(&log).await {
        assert_eq!(text(&span, ALL[0]).as_deref(), Some("2"));
        assert_eq!(text(&span, ALL[1]).as_deref(), Some("13"));
    }
}

#[tokio::test]
async fn one_chunk_is_no_stream() {
    let replies = chunks([message(1)]).chain(ok()).boxed();
    let (log, response) = call(Grpc::new(), chunks([]), None, replies).await;
    response.into_body().collect().await.unwrap();
    for span in ended(&log).await {
        for key in ALL {
            assert_eq!(text(&span, key), None, "{key}");
        }
    }
}
