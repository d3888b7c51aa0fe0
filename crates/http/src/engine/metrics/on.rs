use super::super::Measures;
use dynamo_trace_core::Ending;
use dynamo_trace_core::span::attributes::{ENDING, ERROR_TYPE};
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};
use opentelemetry::{InstrumentationScope, KeyValue, global};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The bounds of the durations' buckets, in seconds, as the semantic conventions advise.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The instruments of a layer, if it measures.
#[derive(Clone)]
pub(crate) struct Meters(Option<Arc<Lazily>>);

/// Made with the first call: what they are named, the semantics say of it.
struct Lazily {
    meter: OnceLock<Meter>,
    scope: InstrumentationScope,
    instruments: OnceLock<Instruments>,
}

struct Instruments {
    duration: Histogram<f64>,
    active: Option<UpDownCounter<i64>>,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meters").field(&self.0.is_some()).finish()
    }
}

impl Meters {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Instruments of this meter, or of the global provider as it is at the first call.
    pub(crate) fn of(scope: InstrumentationScope, meter: Option<Meter>) -> Self {
        Self(Some(Arc::new(Lazily {
            meter: meter.map(OnceLock::from).unwrap_or_default(),
            scope,
            instruments: OnceLock::new(),
        })))
    }

    pub(crate) const fn are_there(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn start(&self, is_wanted: bool, measures: impl FnOnce() -> Measures) -> Measure {
        let Some(lazily) = self.0.as_ref().filter(|_| is_wanted) else {
            return Measure(None);
        };
        let measures = measures();
        let instruments = lazily
            .instruments
            .get_or_init(|| Instruments::new(lazily.meter(), &measures));
        let active = measures.active.map(|(_, attributes)| attributes);
        let active = active.unwrap_or_default();
        if let Some(counter) = &instruments.active {
            counter.add(1, &active);
        }
        Measure(Some(Box::new(Running {
            lazily: lazily.clone(),
            active,
            attributes: measures.attributes,
        })))
    }
}

impl Lazily {
    fn meter(&self) -> &Meter {
        self.meter
            .get_or_init(|| global::meter_with_scope(self.scope.clone()))
    }
}

impl Instruments {
    fn new(meter: &Meter, measures: &Measures) -> Self {
        Self {
            duration: meter
                .f64_histogram(measures.duration)
                .with_unit("s")
                .with_boundaries(BUCKETS.to_vec())
                .build(),
            active: measures.active.as_ref().map(|(name, _)| {
                meter
                    .i64_up_down_counter(*name)
                    .with_unit("{request}")
                    .build()
            }),
        }
    }
}

/// What is measured of one call, until it ends.
pub(crate) struct Measure(Option<Box<Running>>);

struct Running {
    lazily: Arc<Lazily>,
    active: Vec<KeyValue>,
    attributes: Vec<KeyValue>,
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Measure").field(&self.is_running()).finish()
    }
}

impl Measure {
    pub(crate) const fn is_running(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn add(&mut self, attribute: &KeyValue) {
        if let Some(running) = &mut self.0 {
            running.attributes.push(attribute.clone());
        }
    }

    pub(crate) fn end(&mut self, ending: &Ending, duration: Duration) {
        let Some(running) = self.0.take() else { return };
        let Running {
            lazily,
            active,
            mut attributes,
        } = *running;
        let Some(instruments) = lazily.instruments.get() else {
            return;
        };
        if let Some(counter) = &instruments.active {
            counter.add(-1, &active);
        }
        if *ending != Ending::Complete {
            attributes.push(KeyValue::new(ENDING, ending.as_str()));
        }
        if let Ending::Failed(error_type) = ending {
            attributes.push(KeyValue::new(ERROR_TYPE, error_type.clone()));
        }
        instruments
            .duration
            .record(duration.as_secs_f64(), &attributes);
    }
}
