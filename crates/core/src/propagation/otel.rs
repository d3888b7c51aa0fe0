use super::Propagation;
use crate::carrier::{ExtractorCarrier, InjectorCarrier};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};

/// As OpenTelemetry's propagator, so that `opentelemetry::global::set_text_map_propagator` makes
/// other instrumentation as strict as ours.
impl TextMapPropagator for Propagation {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        self.inject(cx, &mut InjectorCarrier(injector));
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.extract(cx, &ExtractorCarrier(extractor))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.0.fields)
    }
}
