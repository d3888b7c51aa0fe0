//! A service that calls on in a span of `tracing`.

use crate::telemetry::Telemetry;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use std::convert::Infallible;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Instrument, info_span};

/// A client of a peer that gives way once, and gives the headers back that it was sent.
pub(crate) fn echo(
    telemetry: &Telemetry,
) -> BoxCloneSyncService<Request<()>, Response<Full<Bytes>>, Infallible> {
    let echo = service_fn(async |request: Request<()>| {
        tokio::task::yield_now().await;
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, Infallible>(response)
    });
    let client = telemetry.client().layer(echo);
    let plain = client.map_response(|response| response.map(|_| Full::default()));
    BoxCloneSyncService::new(plain)
}

/// A server that calls on, in a span `work` of `tracing`, and tells which headers it sent.
pub(crate) fn relay(
    telemetry: &Telemetry,
) -> BoxCloneSyncService<Request<()>, HeaderMap, Infallible> {
    let echo = echo(telemetry);
    let relay = service_fn(move |_: Request<()>| {
        let echo = echo.clone();
        let work = async {
            tokio::task::yield_now().await;
            let response = echo.oneshot(Request::new(())).await;
            tokio::task::yield_now().await;
            info_span!("last").in_scope(|| ());
            response
        };
        work.instrument(info_span!("work"))
    });
    let server = telemetry.server().layer(relay);
    BoxCloneSyncService::new(server.map_response(|response| response.headers().clone()))
}

/// The one span of this kind.
pub(crate) fn of_kind(spans: &[SpanData], kind: SpanKind) -> &SpanData {
    let mut spans = spans.iter().filter(|span| span.span_kind == kind);
    let span = spans.next().unwrap();
    assert!(spans.next().is_none(), "two are {kind:?}");
    span
}
