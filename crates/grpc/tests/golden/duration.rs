//! A span lasts as long as the call with its streams.

use crate::bench::{Bench, codec};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use std::time::Duration;
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tower::service_fn;

/// From the first message to the last.
const STREAM: Duration = Duration::from_millis(150);

fn slowly(request: http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> {
    let slowly = service_fn(async |_: Request<Bytes>| {
        let replies = futures_util::stream::iter(0..4).then(async |number| {
            if number > 0 {
                tokio::time::sleep(STREAM / 3).await;
            }
            Ok::<_, Status>(Bytes::from_static(b"reply"))
        });
        Ok(Response::new(replies.boxed()))
    });
    Box::pin(async move {
        let mut server = tonic::server::Grpc::new(codec());
        server.server_streaming(slowly, request).await
    })
}

#[tokio::test]
async fn a_stream_counts_to_its_end_on_both_sides() {
    let bench = Bench::start(slowly).await;
    let mut client = bench.client();
    client.ready().await.unwrap();
    let path = "/test.Golden/Slowly".parse().unwrap();
    let request = Request::new(Bytes::new());
    let replies = client.server_streaming(request, path, codec()).await;
    let mut replies = replies.unwrap().into_inner();
    let mut count = 0;
    while replies.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 4);
    for span in bench.last_ended(1).await {
        let took = span.end_time.duration_since(span.start_time).unwrap();
        assert!(took >= STREAM, "{:?}: {took:?}", span.span_kind);
    }
}
