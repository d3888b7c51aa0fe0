use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

/// Keeps what is measured.
pub(crate) struct Meter {
    pub(crate) provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

impl Default for Meter {
    fn default() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Self { provider, exporter }
    }
}

/// The calls that had the same attributes.
#[derive(Debug, PartialEq)]
pub(crate) struct Series {
    /// Instrument, unit and sorted attributes.
    pub(crate) text: String,
    pub(crate) bounds: Vec<f64>,
    pub(crate) count: u64,
    pub(crate) sum: f64,
}

impl Meter {
    /// Everything measured so far, sorted.
    pub(crate) fn series(&self) -> Vec<Series> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let mut all = Vec::new();
        let finished = self.exporter.get_finished_metrics().unwrap();
        let scopes = finished
            .iter()
            .flat_map(|resource| resource.scope_metrics());
        for metric in scopes.flat_map(|scope| scope.metrics()) {
            let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else {
                panic!("no histogram: {metric:?}");
            };
            for point in histogram.data_points() {
                let mut attributes: Vec<_> = point
                    .attributes()
                    .map(|kv| format!(" {}={}", kv.key, kv.value))
                    .collect();
                attributes.sort_unstable();
                all.push(Series {
                    text: format!("{} {}{}", metric.name(), metric.unit(), attributes.concat()),
                    bounds: point.bounds().collect(),
                    count: point.count(),
                    sum: point.sum(),
                });
            }
        }
        all.sort_by(|a, b| a.text.cmp(&b.text));
        all
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.series()
            .into_iter()
            .map(|series| series.text)
            .collect()
    }
}
