//! Callers that give up, and deadlines.

use crate::telemetry::{ending, text};
use crate::{Bench, Kind, codec, name, request, soon};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::SpanKind;
use std::time::Duration;
use tonic::Code;
use tower::Layer;

#[tokio::test]
async fn a_call_that_is_given_up_before_the_head_is_cancelled() {
    for kind in [Kind::Unary, Kind::Client] {
        let bench = Bench::start().await;
        let mut client = bench.client();
        tokio::select! {
            reply = kind.call(&mut client, request("hang")) => panic!("{reply:?}"),
            () = soon(bench.hangs.notified()) => {}
        }
        for span in bench.ended().await {
            assert_eq!(ending(&span), "cancelled", "{kind:?}");
            assert_eq!(text(&span, "rpc.response.status_code"), None);
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_given_up_is_cancelled() {
    for kind in [Kind::Server, Kind::Both] {
        let bench = Bench::start().await;
        let mut client = bench.client();
        client.ready().await.unwrap();
        let script = Bytes::from_static(b"send hang");
        let request = tonic::Request::new(script.clone());
        let replies = match kind {
            Kind::Server => client.server_streaming(request, kind.path(), codec()).await,
            _ => {
                let scripts = request.map(|script| futures_util::stream::iter([script]));
                client.streaming(scripts, kind.path(), codec()).await
            }
        };
        let mut replies = replies.unwrap().into_inner();
        assert!(soon(replies.message()).await.unwrap().is_some());
        soon(bench.hangs.notified()).await;
        assert_eq!(bench.telemetry.count(), 0, "the stream is open");
        drop(replies);
        for span in bench.ended().await {
            assert_eq!(ending(&span), "cancelled", "{kind:?}");
            assert_eq!(text(&span, "rpc.response.status_code"), None);
        }
    }
}

/// Long enough that a tenth of it is more than the way to the server takes.
const TIMEOUT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_deadline_of_the_client_is_exceeded() {
    let bench = Bench::start().await;
    let mut client = bench.client();
    // Connects.
    Kind::Unary
        .call(&mut client, request("send"))
        .await
        .unwrap();
    bench.ended().await;
    for calls in 2.. {
        let mut hang = request("hang");
        hang.set_timeout(TIMEOUT);
        let reply = Kind::Unary.call(&mut client, hang).await;
        // What tonic makes of it.
        assert_eq!(reply.unwrap_err().code(), Code::Cancelled);
        let mut spans = bench.telemetry.all_ended(2 * calls).await;
        let mut spans = spans.split_off(2 * calls - 2);
        spans.sort_by_key(|span| span.start_time);
        let [client, server] = spans.try_into().unwrap();
        let way = server.start_time.duration_since(client.start_time);
        if way.unwrap() > TIMEOUT / 10 {
            // The server may take it for another drop: again.
            continue;
        }
        for span in [client, server] {
            assert_eq!(ending(&span), "failed:DEADLINE_EXCEEDED", "{span:#?}");
            let code = text(&span, "rpc.response.status_code");
            assert_eq!(code, name(Code::DeadlineExceeded));
        }
        return;
    }
}

#[tokio::test]
async fn a_deadline_is_exceeded_on_the_server() {
    let bench = Bench::start().await;
    // A client that sends its deadline, and leaves it to the server.
    let client: Client<_, UnsyncBoxBody<Bytes, tonic::Status>> =
        Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
    let client = tower::util::MapRequest::new(client, |request: http::Request<_>| {
        request.map(UnsyncBoxBody::<Bytes, tonic::Status>::new)
    });
    let client = bench.telemetry.client().layer(client);
    let origin = format!("http://{}", bench.addr).parse().unwrap();
    let mut client = tonic::client::Grpc::with_origin(client, origin);
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(Bytes::from_static(b"hang"));
    request.set_timeout(TIMEOUT);
    let reply = client.unary(request, Kind::Unary.path(), codec());
    let status = soon(reply).await.unwrap_err();
    let [client, server] = bench.ended().await;
    assert_eq!(server.span_kind, SpanKind::Server);
    assert_eq!(ending(&server), "failed:DEADLINE_EXCEEDED");
    let code = text(&server, "rpc.response.status_code");
    assert_eq!(code, name(Code::DeadlineExceeded));
    let code = text(&client, "rpc.response.status_code");
    assert_eq!(code, name(status.code()), "as the caller sees it");
}
