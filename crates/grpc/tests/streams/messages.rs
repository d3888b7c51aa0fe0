//! Messages are counted however the frames are cut, on both sides and in both directions.

use crate::{Frames, call, chunks, counts, ended, message, ok, start};
use dynamo_trace_grpc::Grpc;
use dynamo_trace_testkit::span_log::ending;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Frame;
use http_body_util::BodyExt;
use tonic::Status;

fn counting() -> Grpc {
    Grpc::new().with_message_counts()
}

/// As many messages of a byte, in one chunk.
fn many(count: usize) -> Vec<u8> {
    message(1).repeat(count)
}

/// A message in chunks of a byte.
fn cut(message: Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
    message.into_iter().map(|byte| vec![byte])
}

async fn assert_counts(request: Frames, response: Frames, expected: [i64; 2]) {
    let response = response.chain(ok()).boxed();
    let (log, response) = call(counting(), request, None, response).await;
    response.into_body().collect().await.unwrap();
    for span in ended(&log).await {
        assert_eq!(ending(&span), "complete");
        assert_eq!(counts(&span), expected.map(Some), "{:?}", span.span_kind);
    }
}

#[tokio::test]
async fn a_unary_call_has_one_each_way() {
    assert_counts(chunks([message(3)]), chunks([message(4)]), [1, 1]).await;
}

#[tokio::test]
async fn many_messages_may_be_in_one_frame() {
    assert_counts(
        chunks([many(100), many(23)]),
        chunks([many(1000)]),
        [123, 1000],
    )
    .await;
}

#[tokio::test]
async fn one_message_may_be_in_many_frames() {
    assert_counts(chunks(cut(message(300))), chunks(cut(message(70))), [1, 1]).await;
}

#[tokio::test]
async fn there_may_be_none_and_empty_ones() {
    assert_counts(chunks([]), chunks([message(0), message(0)]), [0, 2]).await;
}

#[tokio::test]
async fn they_are_counted_up_to_where_the_call_is_given_up() {
    let sent = chunks([many(2), many(3), many(4)]);
    let replies = chunks([many(5), many(6)]).chain(stream::pending()).boxed();
    let (log, response) = call(counting(), sent, Some(2), replies).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    for span in ended(&log).await {
        assert_eq!(ending(&span), "cancelled");
        assert_eq!(counts(&span), [Some(5), Some(5)], "{:?}", span.span_kind);
    }
}

#[tokio::test]
async fn they_are_counted_where_there_is_no_head() {
    let sent = chunks([many(2), many(3)]).chain(stream::pending()).boxed();
    let (log, response) = start(counting(), sent, None, chunks([]));
    assert!(response.now_or_never().is_none());
    for span in ended(&log).await {
        assert_eq!(ending(&span), "cancelled");
        assert_eq!(counts(&span), [Some(5), Some(0)], "{:?}", span.span_kind);
    }
}

#[tokio::test]
async fn they_are_counted_up_to_an_error() {
    let failed = stream::iter([Err::<Frame<_>, _>(Status::data_loss("as told"))]);
    let replies = chunks([many(5)]).chain(failed).boxed();
    let (log, response) = call(counting(), chunks([many(2)]), None, replies).await;
    assert!(response.into_body().collect().await.is_err());
    for span in ended(&log).await {
        assert_eq!(ending(&span), "failed:DATA_LOSS");
        assert_eq!(counts(&span), [Some(2), Some(5)], "{:?}", span.span_kind);
    }
}

#[tokio::test]
async fn the_trailers_of_grpc_web_are_no_message() {
    let mut trailers = message(15);
    trailers[0] = 0x80;
    assert_counts(chunks([many(1)]), chunks([many(2), trailers]), [1, 2]).await;
}

#[tokio::test]
async fn they_are_counted_on_demand_only() {
    let replies = chunks([many(2), many(2)]).chain(ok()).boxed();
    let (log, response) = call(Grpc::new(), chunks([many(2)]), None, replies).await;
    response.into_body().collect().await.unwrap();
    for span in ended(&log).await {
        assert_eq!(counts(&span), [None, None]);
        let mut keys = span.attributes.iter().map(|kv| kv.key.as_str());
        assert!(!keys.any(|key| key.ends_with(".messages")), "{span:#?}");
    }
}
