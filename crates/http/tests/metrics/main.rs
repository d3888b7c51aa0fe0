//! Durations and active requests, measured beside the spans or without them.
#![cfg(all(feature = "axum", feature = "metrics"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail their tests"
)]

mod active;
mod attributes;
mod duration;
#[path = "../spans/give_up.rs"]
mod give_up;
mod instruments;
#[path = "../golden/lines.rs"]
mod lines;
#[path = "../spans/serve.rs"]
mod serve;
mod streams;

use axum::body::Body;
use dynamo_trace_core::Propagation;
use dynamo_trace_http::axum::{Axum, ServerLayer as AxumLayer};
use dynamo_trace_http::engine::Custom;
use dynamo_trace_http::{ClientLayer, Http, ServerLayer};
use dynamo_trace_testkit::span_log::SpanLog;
use http::Request;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use std::time::Duration;

/// What is measured in one test.
struct Measured {
    exporter: InMemoryMetricExporter,
    provider: SdkMeterProvider,
    log: SpanLog,
}

/// The calls of one set of attributes.
#[derive(Debug, PartialEq)]
struct Durations {
    attributes: String,
    count: u64,
    seconds: f64,
}

impl Measured {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        Self {
            exporter,
            provider: SdkMeterProvider::builder().with_reader(reader).build(),
            log: SpanLog::default(),
        }
    }

    /// For axum's routers. Without an SDK there are no spans.
    fn axum(&self, sdk: bool) -> AxumLayer<Custom<Http<Axum>>> {
        let layer = AxumLayer::new().with_meter_provider(&self.provider);
        let layer = layer.with_propagation(Propagation::w3c());
        match sdk {
            true => layer.with_tracer_provider(&self.log.provider()),
            false => layer.with_tracer_provider(&NoopTracerProvider::new()),
        }
    }

    fn server(&self) -> ServerLayer<Custom<Http>> {
        let layer = ServerLayer::new().with_meter_provider(&self.provider);
        layer.with_tracer_provider(&self.log.provider())
    }

    fn client(&self) -> ClientLayer<Custom<Http>> {
        let layer = ClientLayer::new().with_meter_provider(&self.provider);
        layer.with_tracer_provider(&self.log.provider())
    }

    /// What is measured up to now.
    fn read<T>(&self, read: impl FnOnce(&ResourceMetrics) -> T) -> T {
        self.provider.force_flush().unwrap();
        let all = self.exporter.get_finished_metrics().unwrap();
        self.exporter.reset();
        read(all.last().unwrap_or(&ResourceMetrics::default()))
    }

    /// The calls that have ended, by their attributes.
    fn durations(&self) -> Vec<Durations> {
        self.read(|metrics| {
            let durations = instruments(metrics).filter_map(|metric| match metric.data() {
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => Some(histogram),
                _ => None,
            });
            let points = durations.flat_map(|histogram| histogram.data_points());
            points
                .map(|point| Durations {
                    attributes: lines::attributes(&point.attributes().cloned().collect::<Vec<_>>()),
                    count: point.count(),
                    seconds: point.sum(),
                })
                .collect()
        })
    }

    /// The only call that has ended.
    fn only(&self) -> Durations {
        let mut all = self.durations();
        assert_eq!(all.len(), 1, "{all:#?}");
        let only = all.remove(0);
        assert_eq!(only.count, 1);
        only
    }

    /// The calls that are under way, by their attributes.
    fn active(&self) -> Vec<(String, i64)> {
        self.read(|metrics| {
            let counters = instruments(metrics).filter_map(|metric| match metric.data() {
                AggregatedMetrics::I64(MetricData::Sum(sum)) => Some(sum),
                _ => None,
            });
            let points = counters.flat_map(|sum| sum.data_points());
            let shown = |attributes: Vec<_>| lines::attributes(&attributes);
            points
                .map(|point| (shown(point.attributes().cloned().collect()), point.value()))
                .collect()
        })
    }
}

fn instruments(metrics: &ResourceMetrics) -> impl Iterator<Item = &Metric> {
    let scopes = metrics.scope_metrics();
    scopes.flat_map(|scope| scope.metrics())
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

/// Of a caller that does not sample.
fn unsampled(mut request: Request<Body>) -> Request<Body> {
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let caller = caller.parse().unwrap();
    request.headers_mut().insert("traceparent", caller);
    request
}

/// Fails where a test would wait in vain.
async fn soon<F: Future>(future: F) -> F::Output {
    let limit = tokio::time::timeout(Duration::from_secs(60), future);
    limit.await.expect("nothing happened for 60 s")
}
