//! Names, units and buckets.

use crate::{Measured, get, soon};
use axum::body::Body;
use dynamo_trace_http::{ClientLayer, ServerLayer};
use http::{Request, Response};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};

/// Every instrument with its unit, kind, scope and buckets.
fn shown(measured: &Measured) -> Vec<String> {
    measured.read(|metrics| {
        let mut shown = Vec::new();
        for scope in metrics.scope_metrics() {
            let scope_name = scope.scope().name();
            assert!(scope.scope().version().is_some());
            for metric in scope.metrics() {
                let kind = match metric.data() {
                    AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                        let point = histogram.data_points().next().unwrap();
                        format!("{:?}", point.bounds().collect::<Vec<_>>())
                    }
                    AggregatedMetrics::I64(MetricData::Sum(sum)) if !sum.is_monotonic() => {
                        "up and down".to_owned()
                    }
                    other => panic!("{other:?}"),
                };
                let (name, unit) = (metric.name(), metric.unit());
                shown.push(format!("{scope_name}: {name} {unit} {kind}"));
            }
        }
        shown.sort();
        shown
    })
}

const BUCKETS: &str =
    "[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]";

async fn answer(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::default())
}

#[tokio::test]
async fn a_server_has_durations_and_active_requests() {
    let measured = Measured::new();
    let service = measured.server().layer(service_fn(answer));
    soon(service.oneshot(get("/"))).await.unwrap();
    let expected = [
        "dynamo-trace-http: http.server.active_requests {request} up and down".to_owned(),
        format!("dynamo-trace-http: http.server.request.duration s {BUCKETS}"),
    ];
    assert_eq!(shown(&measured), expected);
}

#[tokio::test]
async fn a_client_has_durations() {
    let measured = Measured::new();
    let service = measured.client().layer(service_fn(answer));
    soon(service.oneshot(get("http://example.com/")))
        .await
        .unwrap();
    let duration = format!("dynamo-trace-http: http.client.request.duration s {BUCKETS}");
    assert_eq!(shown(&measured), [duration]);
}

/// The only test that touches the global provider.
#[tokio::test]
async fn the_global_provider_is_the_one_of_the_first_call() {
    let measured = Measured::new();
    let server = ServerLayer::new().with_metrics().layer(service_fn(answer));
    let client = ClientLayer::new().with_metrics().layer(service_fn(answer));
    // Built before it was set.
    opentelemetry::global::set_meter_provider(measured.provider.clone());
    soon(server.oneshot(get("/"))).await.unwrap();
    soon(client.oneshot(get("/"))).await.unwrap();
    assert_eq!(shown(&measured).len(), 3);
}

#[tokio::test]
async fn nothing_is_measured_that_is_filtered_out_or_not_asked_for() {
    let measured = Measured::new();
    let server = measured
        .server()
        .with_filter(|request| request.uri.path() != "/health");
    let server = server.layer(service_fn(answer));
    let client = measured.client().with_filter(|_| false);
    let client = client.layer(service_fn(answer));
    soon(server.clone().oneshot(get("/health"))).await.unwrap();
    soon(client.oneshot(get("/"))).await.unwrap();
    assert_eq!(shown(&measured), [""; 0]);
    soon(server.oneshot(get("/work"))).await.unwrap();
    assert_eq!(measured.only().count, 1);

    let measured = Measured::new();
    let layer = ServerLayer::new().with_tracer_provider(&measured.log.provider());
    soon(layer.layer(service_fn(answer)).oneshot(get("/")))
        .await
        .unwrap();
    assert_eq!(shown(&measured), [""; 0]);
}
