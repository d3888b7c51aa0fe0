use super::{Carrier, CarrierMut, Field};
use crate::propagation::budget::Budget;
use opentelemetry::propagation::{Extractor, Injector};
use std::fmt;

/// An OpenTelemetry [`Extractor`] as a [`Carrier`].
pub struct ExtractorCarrier<'c>(pub &'c dyn Extractor);

/// An OpenTelemetry [`Injector`] as a [`CarrierMut`].
///
/// An injector can only set: [`CarrierMut::remove_field`] does nothing and nothing can be read back.
pub struct InjectorCarrier<'c>(pub &'c mut dyn Injector);

impl fmt::Debug for ExtractorCarrier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExtractorCarrier")
            .field(&self.0.keys())
            .finish()
    }
}

impl fmt::Debug for InjectorCarrier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InjectorCarrier").finish_non_exhaustive()
    }
}

impl Carrier for ExtractorCarrier<'_> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        let values = self.0.get_all(field.name()).unwrap_or_default();
        values.into_iter().map(str::as_bytes)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().into_iter()
    }
}

impl Carrier for InjectorCarrier<'_> {
    fn values_of<'a>(&'a self, _: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        std::iter::empty()
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

impl CarrierMut for InjectorCarrier<'_> {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        self.0.set(field.name(), value.to_owned());
    }

    fn remove_field(&mut self, _: Field<'_>) {}
}

/// Any carrier as an OpenTelemetry [`Extractor`], which finds what the budget allows.
pub(crate) struct AsExtractor<'c, C> {
    carrier: &'c C,
    budget: &'c Budget,
}

impl<'c, C> AsExtractor<'c, C> {
    pub(crate) const fn new(carrier: &'c C, budget: &'c Budget) -> Self {
        Self { carrier, budget }
    }
}

/// Any carrier as an OpenTelemetry [`Injector`].
pub(crate) struct AsInjector<'c, C>(pub(crate) &'c mut C);

impl<C: Carrier> Extractor for AsExtractor<'_, C> {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key)?.into_iter().next()
    }

    fn keys(&self) -> Vec<&str> {
        self.carrier.field_names().collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        // The extractor's key does not live as long as what it returns: name the field by the
        // carrier's own spelling.
        let mut names = self.carrier.field_names();
        let name = names.find(|name| self.carrier.is_named(name, key))?;
        let values = self.carrier.values_of(Field::named(name));
        let values = self.budget.spend(values);
        let values: Vec<_> = values.filter_map(|v| std::str::from_utf8(v).ok()).collect();
        Some(values).filter(|values| !values.is_empty())
    }
}

impl<C: CarrierMut> Injector for AsInjector<'_, C> {
    fn set(&mut self, key: &str, value: String) {
        self.0.set_field(Field::named(key), &value);
    }
}
