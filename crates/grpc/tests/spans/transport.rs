//! Failures of the transport and of handlers: the client's span says what the caller is told.

use crate::echo::listen;
use crate::telemetry::{Telemetry, ending, text};
use crate::{Bench, Kind, codec, name, request, scripted, soon};
use bytes::Bytes;
use opentelemetry::trace::SpanKind;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tonic::Code;
use tonic::transport::{Endpoint, Server};
use tower::Layer;

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let (addr, incoming) = listen().await;
    drop(incoming);
    let telemetry = Telemetry::new();
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    let channel = telemetry.client().layer(endpoint.connect_lazy());
    let mut client = tonic::client::Grpc::new(channel);
    let reply = Kind::Unary.call(&mut client, request("send")).await;
    assert_eq!(reply.unwrap_err().code(), Code::Unavailable);
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "failed:connection_refused");
    let code = text(&span, "rpc.response.status_code");
    assert_eq!(code, name(Code::Unavailable));
}

#[tokio::test]
async fn a_server_dies_in_mid_stream() {
    let (telemetry, hangs) = (Telemetry::new(), Arc::new(Notify::new()));
    let server = Runtime::new().unwrap();
    let (layer, echo) = (telemetry.server(), scripted(hangs.clone()));
    let serving = async {
        let (addr, incoming) = listen().await;
        let server = Server::builder().layer(layer).add_service(echo);
        tokio::spawn(server.serve_with_incoming(incoming));
        addr
    };
    let addr = server.spawn(serving).await.unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    let channel = telemetry.client().layer(endpoint.connect_lazy());
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::from_static(b"send hang"));
    let replies = client.server_streaming(request, Kind::Server.path(), codec());
    let mut replies = soon(replies).await.unwrap().into_inner();
    assert!(soon(replies.message()).await.unwrap().is_some());
    soon(hangs.notified()).await;

    server.shutdown_background();
    let status = soon(replies.message()).await.unwrap_err();
    let mut spans = telemetry.ended::<2>().await;
    spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
    let [client, server] = spans;
    assert_eq!(ending(&server), "cancelled");
    let code = text(&client, "rpc.response.status_code");
    assert_eq!(code, name(status.code()), "as the caller sees it");
    assert!(ending(&client).starts_with("failed:"), "{client:#?}");
}

#[tokio::test]
async fn a_panic_of_the_handler_fails_both_spans() {
    for (kind, script) in [
        (Kind::Unary, "panic"),
        (Kind::Client, "panic"),
        (Kind::Server, "send panic"),
        (Kind::Both, "send panic"),
    ] {
        let bench = Bench::start().await;
        let reply = kind.call(&mut bench.client(), request(script)).await;
        let status = reply.unwrap_err();
        let [client, server] = bench.ended().await;
        assert_eq!(ending(&server), "failed:panic", "{kind:?}");
        let code = text(&client, "rpc.response.status_code");
        assert_eq!(code, name(status.code()), "as the caller sees it");
        assert!(ending(&client).starts_with("failed:"), "{client:#?}");
    }
}

#[tokio::test]
async fn a_panic_before_the_head_fails_a_call_of_any_kind() {
    for kind in Kind::ALL {
        let panics = |_, _: Arc<Notify>| async { panic!("as told") };
        let bench = Bench::answering(Server::builder(), panics).await;
        let reply = kind.call(&mut bench.client(), request("send")).await;
        let told = reply.unwrap_err().code();
        let [client, server] = bench.ended().await;
        assert_eq!(ending(&server), "failed:panic", "{kind:?}");
        assert_eq!(text(&server, "rpc.response.status_code"), None);
        assert!(ending(&client).starts_with("failed:"), "{client:#?}");
        assert_eq!(text(&client, "rpc.response.status_code"), name(told));
    }
}
