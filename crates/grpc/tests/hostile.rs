//! Whatever bytes come from either side, both spans end once, with a name and each attribute once.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use bytes::Bytes;
use dynamo_trace_core::Propagation;
use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
use dynamo_trace_testkit::span_log::{SpanLog, ending};
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::convert::Infallible;
use std::iter::repeat_with;
use std::sync::Mutex;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

const CALLS: usize = 2_000;

const NAMES: [&str; 7] = [
    "content-type",
    "content-length",
    "grpc-status",
    "grpc-timeout",
    "traceparent",
    "tracestate",
    "baggage",
];

const VALUES: [&str; 12] = [
    "application/grpc",
    "application/grpc-web-text",
    "text/html",
    "0",
    "12",
    "99",
    "-1",
    "",
    "1n",
    "99999999H",
    "999999999H",
    "én",
];

const URIS: [&str; 8] = [
    "/",
    "/a/b",
    "*",
    "//",
    "/é",
    "/?x",
    "host:80",
    "http://u@[::1]:99999/a",
];

const METHODS: [&str; 5] = ["POST", "GET", "HEAD", "CONNECT", "X"];

const STATUSES: [u16; 8] = [200, 200, 100, 204, 304, 404, 503, 999];

fn some_bytes(random: &mut SmallRng, most: usize) -> Vec<u8> {
    let count = random.random_range(0..=most);
    repeat_with(|| random.random()).take(count).collect()
}

fn value(random: &mut SmallRng) -> HeaderValue {
    let known = VALUES.choose(random).unwrap();
    match random.random_bool(0.7) {
        true => HeaderValue::from_bytes(known.as_bytes()).unwrap(),
        false => HeaderValue::from_bytes(&some_bytes(random, 12))
            .unwrap_or_else(|_| HeaderValue::from_static("\t")),
    }
}

fn headers(random: &mut SmallRng) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in NAMES {
        for _ in 0..random.random_range(0..3) {
            headers.append(name, value(random));
        }
    }
    headers
}

fn uri(random: &mut SmallRng) -> Uri {
    let long = format!("/{}", "x".repeat(random.random_range(0..600)));
    match random.random_bool(0.5) {
        true => long.parse().unwrap(),
        false => URIS.choose(random).unwrap().parse().unwrap_or_default(),
    }
}

/// A body of some frames, which may hang then.
fn body(random: &mut SmallRng) -> Body {
    let frame = |random: &mut SmallRng| match random.random_range(0..8) {
        0 => Err(Status::aborted("as told")),
        1 => Ok(Frame::trailers(headers(random))),
        _ => Ok(Frame::data(Bytes::from(some_bytes(random, 40)))),
    };
    let count = random.random_range(0..5);
    let frames: Vec<_> = repeat_with(|| frame(random)).take(count).collect();
    match random.random_bool(0.2) {
        true => Body::new(StreamBody::new(
            stream::iter(frames).chain(stream::pending()),
        )),
        false => Body::new(StreamBody::new(stream::iter(frames))),
    }
}

/// Makes a call, and reads some of the response.
fn call(random: &mut SmallRng, log: &SpanLog) {
    let provider = log.provider();
    let semantics = match random.random() {
        true => Grpc::new().with_message_counts(),
        false => Grpc::new(),
    };
    let client = ClientLayer::with_semantics(semantics.clone())
        .with_tracer_provider(&provider)
        .with_propagation(Propagation::w3c());
    let server = ServerLayer::with_semantics(semantics)
        .with_tracer_provider(&provider)
        .with_propagation(Propagation::w3c());

    let mut response = Response::new(body(random));
    *response.headers_mut() = headers(random);
    *response.status_mut() = StatusCode::from_u16(*STATUSES.choose(random).unwrap()).unwrap();
    let (response, reads) = (Mutex::new(Some(response)), random.random_range(0..3));
    let answer = service_fn(move |request: Request<Body>| {
        let response = response.lock().unwrap().take().unwrap();
        async move {
            let mut body = request.into_body();
            for _ in 0..reads {
                let _ = body.frame().await;
            }
            Ok::<_, Infallible>(response)
        }
    });

    let mut request = Request::new(body(random));
    *request.headers_mut() = headers(random);
    *request.uri_mut() = uri(random);
    *request.method_mut() = METHODS.choose(random).unwrap().parse().unwrap();
    let calling = client.layer(server.layer(answer)).oneshot(request);
    if let Some(response) = calling.now_or_never() {
        let mut body = Box::pin(response.unwrap().into_body());
        for _ in 0..random.random_range(0..7) {
            body.frame().now_or_never();
        }
    }
}

#[tokio::test]
async fn both_spans_end_once() {
    let seed = rand::rng().random();
    eprintln!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    for _ in 0..CALLS {
        let log = SpanLog::default();
        call(&mut random, &log);
        for span in log.ended::<2>().await {
            let _ = ending(&span);
            assert!((1..=256).contains(&span.name.len()), "{span:#?}");
            let mut keys: Vec<_> = span.attributes.iter().map(|kv| kv.key.as_str()).collect();
            keys.sort_unstable();
            assert!(keys.is_sorted_by(|a, b| a < b), "{span:#?}");
        }
    }
}
