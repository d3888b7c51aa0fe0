//! What is told of bad headers, to a subscriber that exports what it is told. In a process of its
//! own: only some of what is rejected is told of, the first of it for one.

use bytes::Bytes;
use dynamo_trace_core::{Propagation, Trust};
use dynamo_trace_http::ServerLayer;
use http::{Request, Response};
use http_body_util::Full;
use opentelemetry::Context;
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::{Layer, ServiceExt, service_fn};
use tracing::subscriber::set_default;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{self, SubscriberExt};

/// Suppresses telemetry while it exports an event, as OpenTelemetry's simple log processor does.
struct Exports(Arc<AtomicUsize>);

impl<S: Subscriber> layer::Layer<S> for Exports {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let is_ours = event.metadata().target() == "dynamo_trace";
        self.0.fetch_add(usize::from(is_ours), Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_subscriber_may_make_a_context_current() {
    let told = Arc::new(AtomicUsize::new(0));
    let _subscriber = set_default(tracing_subscriber::registry().with(Exports(told.clone())));
    let answer = service_fn(|_: Request<Full<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let server = ServerLayer::new()
        .with_propagation(Propagation::w3c())
        .with_trust(Trust::trusted().max_bytes(8))
        .layer(answer);
    let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (number, (traceparent, tracestate, baggage)) in [
        ("no traceparent", "", ""),
        (valid, "NO KEY=1", ""),
        (valid, "", "a=too,b=long"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = Request::get("/")
            .header("traceparent", traceparent)
            .header("tracestate", tracestate)
            .header("baggage", baggage);
        let request = request.body(Full::default()).unwrap();
        server.clone().oneshot(request).await.unwrap();
        assert_eq!(told.load(Ordering::Relaxed), number + 1, "{traceparent}");
    }
}
