use super::{Carrier, CarrierMut, Field};
use std::collections::BTreeMap;

/// The propagation fields as a struct, to stand inside an envelope of the user's own.
///
/// With the feature `serde` it serializes as a map of strings; absent fields are left out, so
/// that an envelope without a context looks as it did before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Fields {
    /// `traceparent`
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub traceparent: Option<String>,
    /// `tracestate`
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub tracestate: Option<String>,
    /// `baggage`
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub baggage: Option<String>,
    /// Fields of other propagation formats, by name.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub other: BTreeMap<String, String>,
}

impl Fields {
    fn w3c(&self) -> [(Field<'static>, &Option<String>); 3] {
        [
            (Field::TraceParent, &self.traceparent),
            (Field::TraceState, &self.tracestate),
            (Field::Baggage, &self.baggage),
        ]
    }

    fn slot(&mut self, field: Field<'_>) -> Option<&mut Option<String>> {
        match field {
            Field::TraceParent => Some(&mut self.traceparent),
            Field::TraceState => Some(&mut self.tracestate),
            Field::Baggage => Some(&mut self.baggage),
            Field::Other(_) => None,
        }
    }
}

impl Carrier for Fields {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.w3c()
            .into_iter()
            .filter(move |(own, _)| own.is(field.name()))
            .filter_map(|(_, value)| value.as_deref().map(str::as_bytes))
            .chain(self.other.values_of(field))
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.w3c()
            .into_iter()
            .filter_map(|(field, value)| value.is_some().then_some(field.name()))
            .chain(self.other.field_names())
    }
}

impl CarrierMut for Fields {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        self.remove_field(field);
        match self.slot(field) {
            Some(slot) => *slot = Some(value.to_owned()),
            None => self.other.set_field(field, value),
        }
    }

    fn remove_field(&mut self, field: Field<'_>) {
        if let Some(slot) = self.slot(field) {
            *slot = None;
        }
        self.other.remove_field(field);
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn serializes_only_what_is_there() {
        let mut fields = Fields::default();
        assert_eq!(serde_json::to_string(&fields).unwrap(), "{}");
        fields.set_field(Field::TraceParent, "00-..");
        fields.set_field(Field::Other("b3"), "0");
        let json = serde_json::to_string(&fields).unwrap();
        assert_eq!(json, r#"{"traceparent":"00-..","b3":"0"}"#);
        assert_eq!(serde_json::from_str::<Fields>(&json).unwrap(), fields);
    }

    #[test]
    fn a_field_is_found_where_another_sender_spelt_it_otherwise() {
        let fields: Fields = serde_json::from_str(r#"{"TraceParent":"x"}"#).unwrap();
        assert_eq!(fields.values_of(Field::TraceParent).count(), 1);
    }
}
