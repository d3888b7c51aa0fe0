use crate::attributes::{MAX_LEN, cut};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};
use std::sync::Arc;

/// What stands for the value of a header that is marked as sensitive.
const REDACTED: &str = "REDACTED";
/// How many values of one header are recorded.
const MAX_VALUES: usize = 32;

/// A header that was asked for, and its attribute.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    name: HeaderName,
    key: Key,
}

/// Asks for these headers as well, once each; `side` is `request` or `response`.
pub(crate) fn add(
    asked: &mut Vec<Captured>,
    side: &str,
    names: impl IntoIterator<Item = HeaderName>,
) {
    for name in names {
        if asked.iter().all(|known| known.name != name) {
            let key: Arc<str> = format!("http.{side}.header.{name}").into();
            let key = Key::from(key);
            asked.push(Captured { name, key });
        }
    }
}

/// The headers that were asked for and are there: their values in order, as the conventions have
/// it, those that are marked as sensitive redacted.
pub(super) fn attributes(
    asked: &[Captured],
    headers: &HeaderMap,
) -> impl Iterator<Item = KeyValue> {
    asked.iter().filter_map(|captured| {
        let values = headers.get_all(&captured.name).iter().take(MAX_VALUES);
        let values: Vec<StringValue> = values.map(recorded).collect();
        let is_there = !values.is_empty();
        let value = Value::Array(Array::String(values));
        is_there.then(|| KeyValue::new(captured.key.clone(), value))
    })
}

fn recorded(value: &HeaderValue) -> StringValue {
    if value.is_sensitive() {
        return REDACTED.into();
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    StringValue::from(cut(&text, MAX_LEN).to_owned())
}
