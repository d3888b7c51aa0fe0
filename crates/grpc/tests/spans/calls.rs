//! Calls that come to their end, in all four kinds.

use crate::telemetry::{Telemetry, assert_child, attribute, ending, text};
use crate::{Bench, Kind, listen, name, request, scripted};
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::sync::Arc;
use tonic::Code;
use tonic::service::Routes;
use tonic::transport::{Endpoint, Server};
use tower::Layer;

#[tokio::test]
async fn a_call_of_any_kind_is_a_span_on_either_side() {
    for kind in Kind::ALL {
        let bench = Bench::start().await;
        let replies = kind.call(&mut bench.client(), request("send send")).await;
        let streams = matches!(kind, Kind::Server | Kind::Both);
        assert_eq!(replies.unwrap(), if streams { 2 } else { 1 });
        let [client, server] = bench.ended().await;
        assert_eq!(client.span_kind, SpanKind::Client);
        assert_eq!(server.span_kind, SpanKind::Server);
        assert_child(&server, &client.span_context);
        for span in [&client, &server] {
            assert_eq!(span.name, kind.method());
            assert_eq!(ending(span), "complete", "{kind:?}");
            assert_eq!(text(span, "rpc.system.name").as_deref(), Some("grpc"));
            assert_eq!(text(span, "rpc.method"), Some(kind.method()));
            assert_eq!(text(span, "rpc.response.status_code"), name(Code::Ok));
        }
        let address = text(&server, "server.address");
        assert_eq!(address.as_deref(), Some("127.0.0.1"));
        let port = i64::from(bench.addr.port());
        assert_eq!(attribute(&server, "server.port"), Some(port.into()));
    }
}

#[tokio::test]
async fn the_client_continues_the_current_span() {
    let bench = Bench::start().await;
    let caller = bench.telemetry.caller();
    let mut client = bench.client();
    let calling = Kind::Unary.call(&mut client, request("send"));
    calling.with_context(caller.clone()).await.unwrap();
    caller.span().end();
    let spans = bench.telemetry.all_ended(3).await;
    let client = spans.iter().find(|s| s.span_kind == SpanKind::Client);
    assert_child(client.unwrap(), caller.span().span_context());
}

/// The code, and whether it is an error to the client and to the server.
const CODES: [(Code, bool, bool); 5] = [
    (Code::Ok, false, false),
    (Code::NotFound, true, false),
    (Code::Cancelled, true, false),
    (Code::Internal, true, true),
    (Code::DataLoss, true, true),
];

async fn assert_recorded(kind: Kind, script: &'static str, code: (Code, bool, bool)) {
    let bench = Bench::start().await;
    let reply = kind.call(&mut bench.client(), request(script)).await;
    let (code, client_error, server_error) = code;
    assert_eq!(reply.err().map_or(Code::Ok, |status| status.code()), code);
    let spans = bench.ended().await;
    for (span, is_error) in spans.iter().zip([client_error, server_error]) {
        assert_eq!(text(span, "rpc.response.status_code"), name(code));
        let expected = match is_error {
            true => format!("failed:{}", name(code).unwrap()),
            false => "complete".to_owned(),
        };
        assert_eq!(ending(span), expected, "{kind:?}, {script}: {}", span.name);
    }
}

#[tokio::test]
async fn the_status_is_that_of_the_trailers() {
    for code in CODES {
        for kind in [Kind::Server, Kind::Both] {
            let script: String = format!("send fail:{}", i32::from(code.0));
            let script = match code.0 {
                Code::Ok => "send",
                _ => script.leak(),
            };
            assert_recorded(kind, script, code).await;
        }
    }
}

#[tokio::test]
async fn the_status_is_that_of_a_headers_only_response() {
    for code in CODES.into_iter().skip(1) {
        for kind in [Kind::Unary, Kind::Client] {
            let script: String = format!("fail:{}", i32::from(code.0));
            assert_recorded(kind, script.leak(), code).await;
        }
    }
}

/// The spans of a call of a path that nobody knows.
async fn unknown(path: String) -> [SpanData; 2] {
    let bench = Bench::start().await;
    let mut client = bench.client();
    client.ready().await.unwrap();
    let request = tonic::Request::new(bytes::Bytes::new());
    let reply = client.unary(request, path.parse().unwrap(), crate::codec());
    assert_eq!(reply.await.unwrap_err().code(), Code::Unimplemented);
    bench.ended().await
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_names_no_span() {
    for path in ["test.Nothing/Unary", "test.Echo/Nothing"] {
        let [client, server] = unknown(format!("/{path}")).await;
        for span in [&client, &server] {
            assert_eq!(ending(span), "failed:UNIMPLEMENTED");
            let code = text(span, "rpc.response.status_code");
            assert_eq!(code, name(Code::Unimplemented));
            let methods = span.attributes.iter();
            let methods = methods.filter(|kv| kv.key.as_str() == "rpc.method");
            assert_eq!(methods.count(), 1, "{span:#?}");
        }
        assert_eq!(client.name, path, "it is the client's own");
        assert_eq!(text(&client, "rpc.method").as_deref(), Some(path));
        assert_eq!(server.name, "_OTHER");
        assert_eq!(text(&server, "rpc.method").as_deref(), Some("_OTHER"));
        let original = text(&server, "rpc.method_original");
        assert_eq!(original.as_deref(), Some(path));
    }
}

#[tokio::test]
async fn a_long_path_names_no_span() {
    let path = format!("{}/Unary", "s".repeat(300));
    for span in unknown(format!("/{path}")).await {
        assert_eq!(span.name, "_OTHER");
        assert_eq!(text(&span, "rpc.method").as_deref(), Some("_OTHER"));
        let original = text(&span, "rpc.method_original");
        assert_eq!(original.as_deref(), path.get(..256));
    }
}

#[tokio::test]
async fn the_layer_wraps_routes_too() {
    let telemetry = Telemetry::new();
    let routes = || Routes::new(scripted(Arc::default()));
    let (around, incoming) = listen().await;
    let service = telemetry.server().layer(routes());
    let around_it = tokio::spawn(Server::builder().serve_with_incoming(service, incoming));
    let (inside, incoming) = listen().await;
    let service = routes().into_axum_router().layer(telemetry.server());
    let inside_it = tokio::spawn(Server::builder().serve_with_incoming(service, incoming));
    for addr in [around, inside] {
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
        let channel = telemetry.client().layer(endpoint.connect_lazy());
        let mut client = tonic::client::Grpc::new(channel);
        let replies = Kind::Both.call(&mut client, request("send")).await;
        assert_eq!(replies.unwrap(), 1);
    }
    for span in telemetry.ended::<4>().await {
        assert_eq!(span.name, "test.Echo/Both");
        assert_eq!(ending(&span), "complete");
    }
    around_it.abort();
    inside_it.abort();
}
