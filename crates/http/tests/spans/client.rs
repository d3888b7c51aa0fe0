//! Spans of a client.

use crate::telemetry::{assert_child, attribute, ending, text};
use crate::{BoxError, Protocol, Server, Telemetry, VERSIONS, channel, soon};
use axum::Router;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

fn request(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// The span of a request that is answered without a network.
async fn record(request: Request<Full<Bytes>>, status: StatusCode) -> SpanData {
    let telemetry = Telemetry::new();
    let answer = service_fn(move |_| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.status_mut() = status;
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let client = telemetry.client().layer(answer);
    client.oneshot(request).await.unwrap();
    let [span] = telemetry.ended().await;
    span
}

#[tokio::test]
async fn the_span_ends_with_the_head_and_parents_the_server() {
    for protocol in VERSIONS {
        let telemetry = Telemetry::new();
        let (mut sender, body) = channel();
        let body = std::sync::Mutex::new(Some(body));
        let handler = async move |headers: HeaderMap| {
            assert_eq!(headers.get_all("traceparent").iter().count(), 1);
            body.lock().unwrap().take().unwrap()
        };
        let handler = std::sync::Arc::new(handler);
        let app = Router::new()
            .route(
                "/",
                get(move |headers| async move { handler(headers).await }),
            )
            .layer(telemetry.axum());
        let server = Server::start(app).await;
        let client = telemetry.client().layer(protocol.client());
        let caller = telemetry.caller();
        let mut request = request(&format!("http://{}/?sig=secret", server.addr));
        // Of another use of the same request.
        let stale = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        request
            .headers_mut()
            .insert("traceparent", stale.parse().unwrap());
        let called = client.oneshot(request).with_context(caller.clone());
        let response = soon(called).await.unwrap();
        assert_eq!(telemetry.count(), 1, "the client's has ended");
        sender.send_data("body".into()).await.unwrap();
        drop(sender);
        soon(response.collect()).await.unwrap();
        caller.span().end();

        let spans = telemetry.all_ended(3).await;
        let of = |kind| spans.iter().find(|span| span.span_kind == kind).unwrap();
        let (client, server_span) = (of(SpanKind::Client), of(SpanKind::Server));
        assert_child(client, caller.span().span_context());
        assert_child(server_span, &client.span_context);
        assert_eq!(ending(client), "complete");
        assert_eq!(client.name, "GET");
        let port = i64::from(server.addr.port());
        let expected = format!("http://{}/?sig=REDACTED", server.addr);
        assert_eq!(text(client, "url.full"), Some(expected));
        assert_eq!(text(client, "server.address").as_deref(), Some("127.0.0.1"));
        assert_eq!(attribute(client, "server.port"), Some(port.into()));
        let version = match protocol {
            Protocol::Http1 => "1.1",
            Protocol::Http2 => "2",
        };
        for span in [client, server_span] {
            let recorded = text(span, "network.protocol.version");
            assert_eq!(recorded.as_deref(), Some(version));
        }
        assert_eq!(
            text(server_span, "url.query").as_deref(),
            Some("sig=REDACTED")
        );
    }
}

#[tokio::test]
async fn statuses_from_400_are_errors() {
    for (status, expected) in [
        (StatusCode::OK, "complete"),
        (StatusCode::FOUND, "complete"),
        (StatusCode::NOT_FOUND, "failed:404"),
        (StatusCode::BAD_GATEWAY, "failed:502"),
    ] {
        let span = record(request("http://example.com/"), status).await;
        assert_eq!(ending(&span), expected);
        let code = i64::from(status.as_u16());
        let recorded = attribute(&span, "http.response.status_code");
        assert_eq!(recorded, Some(code.into()));
    }
}

#[tokio::test]
async fn a_refused_connection_is_an_error_of_its_kind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let telemetry = Telemetry::new();

    let client = telemetry.client().layer(Protocol::Http1.client());
    soon(client.oneshot(request(&url))).await.unwrap_err();
    let boxed = tower::util::MapErr::new(Protocol::Http1.client(), BoxError::from);
    let client = telemetry.client().layer(boxed);
    soon(client.oneshot(request(&url))).await.unwrap_err();

    let [plain, boxed] = telemetry.ended().await;
    let expected = match cfg!(feature = "hyper-util") {
        true => "failed:connection_refused",
        false => "failed:hyper_util::client::legacy::client::Error",
    };
    assert_eq!(ending(&plain), expected);
    assert_eq!(ending(&boxed), "failed:connection_refused");
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled() {
    let telemetry = Telemetry::new();
    let hangs =
        service_fn(async |_| std::future::pending::<Result<Response<String>, Infallible>>().await);
    let client = telemetry.client().layer(hangs);
    let mut call = Box::pin(client.oneshot(request("http://example.com/")));
    assert!(futures_util::poll!(&mut call).is_pending());
    drop(call);
    let [span] = telemetry.ended().await;
    assert_eq!(ending(&span), "cancelled");
}

#[tokio::test]
async fn an_ipv6_host_stands_without_brackets() {
    let span = record(request("http://[::1]:8080/"), StatusCode::OK).await;
    assert_eq!(text(&span, "server.address").as_deref(), Some("::1"));
    assert_eq!(attribute(&span, "server.port"), Some(8080.into()));
    let span = record(request("https://[2001:db8::1]/"), StatusCode::OK).await;
    assert_eq!(
        text(&span, "server.address").as_deref(),
        Some("2001:db8::1")
    );
    assert_eq!(attribute(&span, "server.port"), Some(443.into()));
}

#[tokio::test]
async fn a_path_alone_is_no_url() {
    let span = record(request("/p?x=1"), StatusCode::OK).await;
    for key in ["url.full", "server.address", "server.port"] {
        assert_eq!(attribute(&span, key), None);
    }
    for (host, port) in [("example.com", None), ("example.com:81", Some(81.into()))] {
        let mut request = request("/p?sig=x");
        let headers = request.headers_mut();
        headers.insert("host", host.parse().unwrap());
        let span = record(request, StatusCode::OK).await;
        let url = format!("http://{host}/p?sig=REDACTED");
        assert_eq!(text(&span, "url.full"), Some(url));
        let address = text(&span, "server.address");
        assert_eq!(address.as_deref(), Some("example.com"));
        assert_eq!(attribute(&span, "server.port"), port);
    }
}

#[tokio::test]
async fn what_the_other_side_chooses_is_cut() {
    let long = "x".repeat(3000);
    let mut sent = request(&format!("http://example.com/{long}?{long}"));
    let agent = long.parse().unwrap();
    sent.headers_mut().insert("user-agent", agent);
    let client = record(sent.clone(), StatusCode::OK).await;
    let telemetry = Telemetry::new();
    let answer = service_fn(async |_| Ok::<_, Infallible>(Response::new(String::new())));
    let server = telemetry.server().layer(answer);
    server.oneshot(sent).await.unwrap();
    let [server] = telemetry.ended().await;
    let cut = |span, key| assert_eq!(text(span, key).unwrap().len(), 2048, "{key}");
    cut(&client, "url.full");
    for key in ["url.path", "url.query", "user_agent.original"] {
        cut(&server, key);
    }
    let mut sent = request("/");
    sent.headers_mut().insert("host", long.parse().unwrap());
    *sent.method_mut() = long.parse().unwrap();
    let span = record(sent, StatusCode::OK).await;
    for key in ["url.full", "server.address", "http.request.method_original"] {
        cut(&span, key);
    }
}

#[tokio::test]
async fn credentials_do_not_stand_on_the_span() {
    let mut request = request("http://me:secret@example.com/p?X-Goog-Signature=secret&a=b");
    for name in ["authorization", "cookie", "x-api-key"] {
        let value = "secret".parse().unwrap();
        request.headers_mut().insert(name, value);
    }
    let span = record(request, StatusCode::OK).await;
    let url = "http://REDACTED:REDACTED@example.com/p?X-Goog-Signature=REDACTED&a=b";
    assert_eq!(text(&span, "url.full").as_deref(), Some(url));
    assert_eq!(
        text(&span, "server.address").as_deref(),
        Some("example.com")
    );
    assert!(!format!("{span:?}").contains("secret"), "{span:#?}");
}

#[tokio::test]
async fn every_method_has_a_name_of_its_own_or_other() {
    for (method, name, recorded, original) in [
        ("GET", "GET", "GET", None),
        ("QUERY", "QUERY", "QUERY", None),
        ("get", "HTTP", "_OTHER", Some("get")),
        ("PROPFIND", "HTTP", "_OTHER", Some("PROPFIND")),
    ] {
        let mut request = request("http://example.com/");
        *request.method_mut() = method.parse().unwrap();
        let span = record(request, StatusCode::OK).await;
        assert_eq!(span.name, name);
        assert_eq!(
            text(&span, "http.request.method").as_deref(),
            Some(recorded)
        );
        let kept = text(&span, "http.request.method_original");
        assert_eq!(kept.as_deref(), original);
    }
}

#[tokio::test]
async fn without_an_sdk_the_context_passes_through() {
    let provider = opentelemetry::trace::noop::NoopTracerProvider::new();
    let telemetry = Telemetry::new();
    let inner = Router::new().route(
        "/",
        any(async |headers: HeaderMap| headers["traceparent"].to_str().unwrap().to_owned()),
    );
    let inner = Server::start(inner).await;
    let url = format!("http://{}/", inner.addr);
    let client = telemetry
        .client()
        .with_tracer_provider(&provider)
        .layer(Protocol::Http1.client());
    let forward = async move || {
        let response = client.oneshot(request(&url)).await.unwrap();
        response.collect().await.unwrap().to_bytes()
    };
    let layer = telemetry.server().with_tracer_provider(&provider);
    let outer = Router::new().route("/", get(forward)).layer(layer);
    let outer = Server::start(outer).await;
    let mut request = request(&format!("http://{}/", outer.addr));
    let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
    request
        .headers_mut()
        .insert("traceparent", sent.parse().unwrap());
    let response = Protocol::Http1.client().request(request).await.unwrap();
    let arrived = response.collect().await.unwrap().to_bytes();
    assert_eq!(arrived, sent);
}
