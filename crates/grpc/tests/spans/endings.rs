//! Calls that end before their time, of any kind: a span ends once, on either side.

use crate::bench::hang;
use crate::telemetry::{Telemetry, ending, text};
use crate::{Bench, Kind, codec, name, request, soon};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::transport::Server;
use tonic::{Code, Request, Status, Streaming};
use tower::{Layer, ServiceExt, service_fn};

/// The replies to a call of a kind that streams them.
async fn replies(bench: &Bench, kind: Kind, script: &'static str) -> Streaming<Bytes> {
    let mut client = bench.client();
    client.ready().await.unwrap();
    let script = Bytes::from_static(script.as_bytes());
    let replies = match kind {
        Kind::Server => {
            let request = Request::new(script);
            soon(client.server_streaming(request, kind.path(), codec())).await
        }
        _ => {
            let scripts = stream::iter([script]);
            soon(client.streaming(Request::new(scripts), kind.path(), codec())).await
        }
    };
    replies.unwrap().into_inner()
}

#[tokio::test]
async fn a_call_of_any_kind_may_be_given_up_before_the_head() {
    for kind in Kind::ALL {
        let bench = Bench::answering(Server::builder(), hang).await;
        let mut client = bench.client();
        tokio::select! {
            reply = kind.call(&mut client, request("send")) => panic!("{reply:?}"),
            () = soon(bench.hangs.notified()) => {}
        }
        for span in bench.ended().await {
            assert_eq!(ending(&span), "cancelled", "{kind:?}");
            assert_eq!(text(&span, "rpc.response.status_code"), None);
        }
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cancelled() {
    for kind in [Kind::Server, Kind::Both] {
        let bench = Bench::start().await;
        let unread = replies(&bench, kind, "send hang").await;
        soon(bench.hangs.notified()).await;
        drop(unread);
        for span in bench.ended().await {
            assert_eq!(ending(&span), "cancelled", "{kind:?}");
            assert_eq!(text(&span, "rpc.response.status_code"), None);
        }
    }
}

#[tokio::test]
async fn a_stream_given_up_behind_its_last_message_is_complete_on_the_server_only() {
    let bench = Bench::start().await;
    let mut replies = replies(&bench, Kind::Server, "send send").await;
    for _ in 0..2 {
        assert!(soon(replies.message()).await.unwrap().is_some());
    }
    let server_ended = async {
        while bench.telemetry.count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(server_ended).await;
    drop(replies);
    let [client, server] = bench.ended().await;
    assert_eq!(ending(&server), "complete");
    assert_eq!(text(&server, "rpc.response.status_code"), name(Code::Ok));
    // The status was not seen.
    assert_eq!(ending(&client), "cancelled");
    assert_eq!(text(&client, "rpc.response.status_code"), None);
}

#[tokio::test]
async fn a_reply_that_nobody_reads_is_cancelled_within_the_process_too() {
    let telemetry = Telemetry::new();
    let answer = service_fn(async |_: http::Request<Body>| {
        let frames = stream::pending::<Result<http_body::Frame<Bytes>, Status>>();
        let response = http::Response::builder().header("content-type", "application/grpc");
        Ok::<_, Infallible>(response.body(Body::new(StreamBody::new(frames))).unwrap())
    });
    let service = telemetry.client().layer(telemetry.server().layer(answer));
    let call = http::Request::post("http://localhost/test.Echo/Unary").body(Body::empty());
    let response = service.oneshot(call.unwrap()).await.unwrap();
    assert_eq!(telemetry.count(), 0);
    drop(response);
    for span in telemetry.ended::<2>().await {
        assert_eq!(ending(&span), "cancelled");
    }
}

#[tokio::test]
async fn a_task_that_holds_the_context_does_not_hold_up_the_span() {
    for kind in Kind::ALL {
        let (release, released) = oneshot::channel::<()>();
        let released = Arc::new(tokio::sync::Mutex::new(Some(released)));
        let echoes = move |request: http::Request<Body>, _| {
            let (context, released) = (Context::current(), released.clone());
            assert!(context.has_active_span());
            tokio::spawn(async move {
                let released = released.lock().await.take();
                let _ = released.unwrap().await;
                drop(context);
            });
            async move {
                // The messages of the request are the reply's.
                let mut response = http::Response::new(Body::empty());
                let content_type = request.headers()["content-type"].clone();
                response.headers_mut().insert("content-type", content_type);
                let data = request.into_body().collect().await.unwrap().to_bytes();
                let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
                let trailers = std::future::ready(Some(Ok(trailers.into_iter().collect())));
                let body = http_body_util::Full::new(data).with_trailers(trailers);
                *response.body_mut() = Body::new(body);
                response
            }
        };
        let bench = Bench::answering(Server::builder(), echoes).await;
        let reply = kind.call(&mut bench.client(), request("send")).await;
        assert_eq!(reply.unwrap(), 1);
        for span in bench.ended().await {
            assert_eq!(ending(&span), "complete", "{kind:?}");
        }
        assert!(!release.is_closed(), "the task is still there");
    }
}

#[tokio::test]
async fn a_call_may_be_given_up_between_the_messages_of_its_request() {
    let bench = Bench::start().await;
    let mut client = bench.client();
    client.ready().await.unwrap();
    let scripts = stream::iter([Bytes::from_static(b"hang")]).chain(stream::pending());
    let calling = client.client_streaming(Request::new(scripts), Kind::Client.path(), codec());
    tokio::select! {
        reply = calling => panic!("{reply:?}"),
        () = soon(bench.hangs.notified()) => {}
    }
    for span in bench.ended().await {
        assert_eq!(ending(&span), "cancelled");
        assert_eq!(text(&span, "rpc.response.status_code"), None);
    }
}
