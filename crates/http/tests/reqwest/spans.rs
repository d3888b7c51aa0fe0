//! What stands on a span, and what is sent.

use crate::{Server, Telemetry, serve, soon, traced, url};
use axum::Router;
use axum::routing::{any, get};
use dynamo_trace_http::Route;
use dynamo_trace_testkit::span_log::{assert_child, attribute, ending, text};
use http::{HeaderMap, StatusCode, Version};
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt};
use opentelemetry::{Array, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;
use reqwest::{Method, Request, Url};

/// All attributes, by name.
fn attributes(span: &SpanData) -> Vec<(&str, Value)> {
    let pairs = span.attributes.iter();
    let mut pairs: Vec<_> = pairs
        .map(|kv| (kv.key.as_str(), kv.value.clone()))
        .collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

#[tokio::test]
async fn a_get_is_a_span_of_these_attributes() {
    let telemetry = Telemetry::new();
    let server = serve("/models", get(async || "ready")).await;
    let sent = telemetry.client().get(url(&server, "/models?x=1#part"));
    let response = soon(sent.send()).await.unwrap();
    assert_eq!(soon(response.text()).await.unwrap(), "ready");
    let [span] = telemetry.ended().await;
    assert_eq!(span.name, "GET");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(ending(&span), "complete");
    let port = i64::from(server.addr.port());
    let expected: [(&str, Value); 8] = [
        ("http.request.method", "GET".into()),
        ("http.response.status_code", 200.into()),
        ("network.peer.address", "127.0.0.1".into()),
        ("network.peer.port", port.into()),
        ("network.protocol.version", "1.1".into()),
        ("server.address", "127.0.0.1".into()),
        ("server.port", port.into()),
        ("url.full", url(&server, "/models?x=1").into()),
    ];
    assert_eq!(attributes(&span), expected);
}

#[tokio::test]
async fn the_caller_is_the_parent_and_the_server_the_child() {
    let telemetry = Telemetry::new();
    let app = Router::new()
        .route(
            "/",
            get(async |headers: HeaderMap| {
                assert_eq!(headers.get_all("traceparent").iter().count(), 1);
                assert!(!headers.contains_key("tracestate"), "{headers:?}");
                assert_eq!(headers["x-mine"], "kept");
            }),
        )
        .layer(telemetry.server());
    let server = Server::start(app).await;
    let caller = telemetry.caller();
    // Of another use of the same request.
    let stale = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let sent = telemetry.client().get(url(&server, "/"));
    let sent = sent
        .header("traceparent", stale)
        .header("tracestate", "a=1")
        .header("x-mine", "kept");
    let response = soon(sent.send().with_context(caller.clone()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    caller.span().end();
    let spans = telemetry.all_ended(3).await;
    let of = |kind| spans.iter().find(|span| span.span_kind == kind).unwrap();
    let (client, server) = (of(SpanKind::Client), of(SpanKind::Server));
    assert_child(client, caller.span().span_context());
    assert_child(server, &client.span_context);
}

#[tokio::test]
async fn a_route_is_the_template_of_the_url() {
    let telemetry = Telemetry::new();
    let server = serve("/models/{model}", get(async || {})).await;
    let sent = telemetry.client().get(url(&server, "/models/42"));
    let sent = sent.with_extension(Route::new("/models/{model}"));
    soon(sent.send()).await.unwrap();
    let [span] = telemetry.ended().await;
    assert_eq!(span.name, "GET /models/{model}");
    let template = text(&span, "url.template");
    assert_eq!(template.as_deref(), Some("/models/{model}"));
}

#[tokio::test]
async fn a_redirect_that_reqwest_follows_is_in_the_span() {
    let telemetry = Telemetry::new();
    let there = get(async |headers: HeaderMap| {
        let sent = headers["traceparent"].to_str().unwrap();
        sent.split('-').nth(2).unwrap().to_owned()
    });
    let here = get(async || axum::response::Redirect::to("/there"));
    let app = Router::new().route("/", here).route("/there", there);
    let server = Server::start(app).await;
    let response = soon(telemetry.client().get(url(&server, "/")).send()).await;
    let response = response.unwrap();
    assert_eq!(response.url().path(), "/there");
    let [span] = telemetry.ended().await;
    let parent = soon(response.text()).await.unwrap();
    assert_eq!(parent, span.span_context.span_id().to_string());
    let status = attribute(&span, "http.response.status_code");
    assert_eq!(status, Some(200.into()));
    assert_eq!(text(&span, "url.full"), Some(url(&server, "/")));
}

#[tokio::test]
async fn credentials_do_not_stand_on_the_span() {
    let telemetry = Telemetry::new();
    let server = serve(
        "/",
        any(async |headers: HeaderMap| {
            let value = headers.get("authorization");
            value
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default()
        }),
    )
    .await;
    let names = [http::header::AUTHORIZATION];
    let client = traced(telemetry.layer().with_request_headers(names));
    let with_user = format!("http://me:secret@{}/?sig=secret&a=b", server.addr);

    let sent = client.get(&with_user).header("cookie", "secret");
    let response = soon(sent.send()).await.unwrap();
    // "me:secret", in base64: reqwest has made a header of it.
    let encoded = "bWU6c2VjcmV0";
    let arrived = soon(response.text()).await.unwrap();
    assert_eq!(arrived, format!("Basic {encoded}"));
    let request = Request::new(Method::GET, Url::parse(&with_user).unwrap());
    soon(client.execute(request)).await.unwrap();
    let refused = format!("http://me:secret@{}/", vacant().await);
    let request = Request::new(Method::GET, Url::parse(&refused).unwrap());
    soon(client.execute(request)).await.unwrap_err();

    let spans: [SpanData; 3] = telemetry.ended().await;
    let host = server.addr;
    let expected = format!("http://{host}/?sig=REDACTED&a=b");
    assert_eq!(text(&spans[0], "url.full"), Some(expected));
    let expected = format!("http://REDACTED:REDACTED@{host}/?sig=REDACTED&a=b");
    assert_eq!(text(&spans[1], "url.full"), Some(expected));
    for span in &spans {
        let all = format!("{span:?}");
        assert!(!all.contains("secret") && !all.contains(encoded), "{all}");
    }
}

async fn vacant() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn the_options_of_the_layer_are_those_of_the_middleware() {
    let telemetry = Telemetry::new();
    let server = serve(
        "/{path}",
        any(async |headers: HeaderMap| {
            let has_context = headers.contains_key("traceparent");
            ([("x-answer", "42")], has_context.to_string())
        }),
    )
    .await;
    let layer = telemetry.layer();
    let layer = layer
        .with_filter(|request| request.uri.path() != "/health")
        .with_name(|request| (request.version == Version::HTTP_11).then(|| "ask".into()))
        .with_request_headers([http::HeaderName::from_static("x-question")])
        .with_response_headers([http::HeaderName::from_static("x-answer")])
        .with_body_sizes()
        .with_body();
    let client = traced(layer);
    let caller = telemetry.caller();
    for path in ["/health", "/work"] {
        let sent = client.post(url(&server, path)).body("what?");
        let sent = sent.header("x-question", "6*9");
        let response = sent.send().with_context(caller.clone());
        let response = soon(response).await.unwrap();
        // The one that was filtered out has the caller's context.
        assert_eq!(soon(response.text()).await.unwrap(), "true");
    }
    caller.span().end();
    let [span, _caller] = telemetry.ended().await;
    assert_child(&span, caller.span().span_context());
    assert_eq!(span.name, "ask");
    let list =
        |text: &'static str| Some(Value::Array(Array::String(vec![StringValue::from(text)])));
    let of = |key| attribute(&span, key);
    assert_eq!(of("http.request.header.x-question"), list("6*9"));
    assert_eq!(of("http.response.header.x-answer"), list("42"));
    assert_eq!(of("http.request.body.size"), Some(5.into()));
    assert_eq!(of("http.response.body.size"), Some(4.into()));
}
