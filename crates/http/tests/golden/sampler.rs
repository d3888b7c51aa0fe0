//! Samplers decide by the attributes that a span is created with.

use crate::lines::attributes;
use crate::shown::shown;
use crate::{answer, get, soon, status};
use dynamo_trace_http::{ClientLayer, PeerAddr, Route, ServerLayer};
use dynamo_trace_testkit::span_log::SpanLog;
use http::Request;
use http_body_util::BodyExt;
use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, SpanData,
};
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

/// Records what it was given.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl ShouldSample for Asked {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        kind: &SpanKind,
        given: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let asked = format!("{kind:?} {name}\n{}", attributes(given));
        self.0.lock().unwrap().push(asked);
        SamplingResult {
            decision: SamplingDecision::Drop,
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

impl Asked {
    fn provider(&self) -> SdkTracerProvider {
        SdkTracerProvider::builder()
            .with_sampler(self.clone())
            .build()
    }

    fn only(&self) -> String {
        let asked = self.0.lock().unwrap();
        assert_eq!(asked.len(), 1);
        asked.concat()
    }
}

fn request() -> Request<axum::body::Body> {
    let mut request = get("https://example.com:8443/users/42?sig=secret&a=b");
    for (name, value) in [
        ("user-agent", "test/1.0"),
        ("x-tenant", "t"),
        ("x-other", "o"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let peer = PeerAddr("192.0.2.1:4711".parse().unwrap());
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(Route::new("/users/{id}"));
    request
}

#[tokio::test]
async fn a_server_gives_it_all_that_the_request_says() {
    let asked = Asked::default();
    let layer = ServerLayer::new()
        .with_tracer_provider(&asked.provider())
        .with_request_headers([http::HeaderName::from_static("x-tenant")]);
    soon(layer.layer(answer(status(200))).oneshot(request()))
        .await
        .unwrap();
    let expected = r#"Server GET /users/{id}
client.address = "192.0.2.1"
http.request.header.x-tenant = ["t"]
http.request.method = "GET"
http.route = "/users/{id}"
network.peer.address = "192.0.2.1"
network.peer.port = 4711
network.protocol.version = "1.1"
server.address = "example.com"
server.port = 8443
url.path = "/users/42"
url.query = "sig=REDACTED&a=b"
url.scheme = "https"
user_agent.original = "test/1.0"
"#;
    assert_eq!(asked.only(), expected);
}

#[tokio::test]
async fn a_client_gives_it_all_that_the_request_says() {
    let asked = Asked::default();
    let layer = ClientLayer::new()
        .with_tracer_provider(&asked.provider())
        .with_request_headers([http::HeaderName::from_static("x-tenant")]);
    soon(layer.layer(answer(status(200))).oneshot(request()))
        .await
        .unwrap();
    let expected = r#"Client GET /users/{id}
http.request.header.x-tenant = ["t"]
http.request.method = "GET"
server.address = "example.com"
server.port = 8443
url.full = "https://example.com:8443/users/42?sig=REDACTED&a=b"
url.template = "/users/{id}"
"#;
    assert_eq!(asked.only(), expected);
}

/// Below a parent that is not sampled only the name is built, until it turns out that the span
/// records.
#[tokio::test]
async fn one_that_records_all_the_same_misses_nothing() {
    let log = SpanLog::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(log.clone())
        .build();
    let mut recorded = Vec::new();
    for flags in ["01", "00"] {
        let caller = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        let mut request = request();
        let headers = request.headers_mut();
        headers.insert("traceparent", caller.parse().unwrap());
        let server = ServerLayer::new().with_tracer_provider(&provider);
        let client = ClientLayer::new().with_tracer_provider(&provider);
        let inside = client.layer(answer(status(404)));
        let service = server.layer(service_fn(move |_| inside.clone().oneshot(self::request())));
        let response = soon(service.oneshot(request)).await.unwrap();
        soon(response.into_body().collect()).await.unwrap();
        recorded.push(
            log.all_ended(2 * (recorded.len() + 1))
                .await
                .split_off(2 * recorded.len()),
        );
    }
    let all = |spans: Vec<SpanData>| spans.iter().map(shown).collect::<String>();
    let (unsampled, sampled) = (recorded.pop().map(all), recorded.pop().map(all));
    assert_eq!(unsampled, sampled);
    assert!(sampled.unwrap().contains("url.query"));
}
