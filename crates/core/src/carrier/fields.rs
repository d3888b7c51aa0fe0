use super::{Carrier, CarrierMut, Field};
use std::collections::BTreeMap;

/// The propagation fields as a struct, to stand inside an envelope of the user's own, under a
/// name of its own.
///
/// With the feature `serde` it serializes as a map of strings; absent fields are left out. It
/// deserializes from any map, or null: what is no string is ignored, so that a bad or newer
/// context never costs the envelope. Formats that do not describe themselves, such as bincode,
/// cannot hold it. It is not for `#[serde(flatten)]`, where every other entry of the envelope
/// would pass for a field of another format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

#[cfg(feature = "serde")]
mod deserialize {
    use super::{BTreeMap, Fields};
    use serde::de::{Deserialize, Deserializer, IgnoredAny};

    /// A map holds fields; whatever else stands there is ignored.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Envelope {
        Map(BTreeMap<String, Entry>),
        Other(IgnoredAny),
    }

    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Text(String),
        Other(IgnoredAny),
    }

    impl<'de> Deserialize<'de> for Fields {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let entries = match Envelope::deserialize(deserializer)? {
                Envelope::Map(entries) => entries,
                Envelope::Other(_) => BTreeMap::new(),
            };
            let texts = entries.into_iter().filter_map(|(name, entry)| match entry {
                Entry::Text(text) => Some((name, text)),
                Entry::Other(_) => None,
            });
            let mut other: BTreeMap<_, _> = texts.collect();
            Ok(Self {
                traceparent: other.remove("traceparent"),
                tracestate: other.remove("tracestate"),
                baggage: other.remove("baggage"),
                other,
            })
        }
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

    #[test]
    fn a_bad_or_newer_context_does_not_cost_the_envelope() {
        for bad in [
            "null",
            "5",
            "true",
            "\"text\"",
            "[1, {}]",
            r#"{"traceparent": 5, "n": {"a": [1]}, "x": null, "y": 1.5, "z": true}"#,
        ] {
            let fields: Fields = serde_json::from_str(bad).unwrap();
            assert_eq!(fields, Fields::default(), "{bad}");
        }
    }
}
