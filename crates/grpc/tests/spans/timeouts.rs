//! Deadlines that others keep: tonic's channel and server, and layers above.

use crate::bench::hang;
use crate::telemetry::{Telemetry, ending, text};
use crate::{Bench, Kind, codec, name, request, scripted, soon};
use bytes::Bytes;
use opentelemetry::trace::SpanKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tonic::Code;
use tonic::transport::{Endpoint, Server};
use tower::{Layer, ServiceBuilder};

const TIMEOUT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_deadline_of_the_channel_is_exceeded_on_the_client() {
    for kind in Kind::ALL {
        let bench = Bench::answering(Server::builder(), hang).await;
        let endpoint = Endpoint::from_shared(format!("http://{}", bench.addr)).unwrap();
        let channel = endpoint.timeout(TIMEOUT).connect_lazy();
        let channel = bench.telemetry.client().layer(channel);
        let reply = kind
            .call(&mut tonic::client::Grpc::new(channel), request("send"))
            .await;
        assert!(reply.is_err());
        // It may be over before the request reaches the server.
        let spans = bench.telemetry.all_ended(1).await;
        for span in &spans {
            if span.span_kind == SpanKind::Client {
                assert_eq!(ending(span), "failed:DEADLINE_EXCEEDED", "{kind:?}");
                let code = text(span, "rpc.response.status_code");
                assert_eq!(code, name(Code::DeadlineExceeded));
            } else {
                // The server is told of no deadline.
                assert_eq!(ending(span), "cancelled", "{kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_deadline_of_the_server_alone_is_a_drop() {
    for kind in Kind::ALL {
        let bench = Bench::answering(Server::builder().timeout(TIMEOUT), hang).await;
        let reply = kind.call(&mut bench.client(), request("send")).await;
        let told = reply.unwrap_err().code();
        let [client, server] = bench.ended().await;
        // tonic keeps it outside of all layers.
        assert_eq!(ending(&server), "cancelled", "{kind:?}");
        assert_eq!(text(&server, "rpc.response.status_code"), None);
        assert_eq!(text(&client, "rpc.response.status_code"), name(told));
        assert_eq!(ending(&client), format!("failed:{}", name(told).unwrap()));
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_at_its_deadline_exceeded_it_on_the_server() {
    for (waits, expected) in [(true, "failed:DEADLINE_EXCEEDED"), (false, "cancelled")] {
        let (telemetry, hangs) = (Telemetry::new(), Arc::new(Notify::new()));
        // No channel and no server, which keep deadlines themselves, up to the head.
        let server = telemetry.server().layer(scripted(hangs.clone()));
        let mut client = tonic::client::Grpc::new(telemetry.client().layer(server));
        client.ready().await.unwrap();
        let mut message = tonic::Request::new(Bytes::from_static(b"send hang"));
        message.set_timeout(if waits { TIMEOUT } else { TIMEOUT * 1000 });
        let replies = client.server_streaming(message, Kind::Server.path(), codec());
        let mut replies = replies.await.unwrap().into_inner();
        assert!(soon(replies.message()).await.unwrap().is_some());
        let hanging = replies.message();
        tokio::select! {
            reply = hanging => panic!("{reply:?}"),
            () = soon(hangs.notified()) => {}
        }
        if waits {
            tokio::time::sleep(TIMEOUT).await;
        }
        drop(replies);
        let mut spans = telemetry.ended::<2>().await;
        spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
        assert_eq!(spans.map(|span| ending(&span)), ["cancelled", expected]);
    }
}

#[tokio::test]
async fn a_timeout_above_the_layer_cancels() {
    let bench = Bench::answering(Server::builder(), hang).await;
    let service = ServiceBuilder::new()
        .timeout(TIMEOUT)
        .layer(bench.telemetry.client())
        .service(bench.channel());
    let mut client = tonic::client::Grpc::new(service);
    client.ready().await.unwrap();
    let message = tonic::Request::new(Bytes::new());
    let reply = client.unary(message, Kind::Unary.path(), codec());
    soon(reply).await.unwrap_err();
    let spans = bench.telemetry.all_ended(1).await;
    assert!(!spans.is_empty());
    for span in spans {
        assert_eq!(ending(&span), "cancelled", "{:?}", span.span_kind);
        assert_eq!(text(&span, "rpc.response.status_code"), None);
    }
}
