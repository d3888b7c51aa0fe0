//! Where the propagation fields live: NATS headers.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use dynamo_trace_core::{Carrier, CarrierMut, Field};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// What brokers before 2.14 may rename `traceparent` to, when they decide not to trace the message
/// themselves.
const RENAMED: &str = "Xraceparent";

/// Reads propagation fields from NATS headers.
///
/// Names compare in any case, although [`HeaderMap`] itself is case-sensitive. Several values of
/// one name come in the order on the wire; where a sender mixes spellings of one name, the order
/// between the spellings is lost in [`HeaderMap`]. `Xraceparent` is read as `traceparent` where
/// there is no other `traceparent`: brokers before 2.14 rename it so. Never panics.
///
/// ```
/// use dynamo_trace_nats::{Headers, Propagation};
/// use opentelemetry::Context;
///
/// let message_headers = async_nats::HeaderMap::new();
/// let cx = Propagation::global().extract(&Context::current(), &Headers(&message_headers));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h>(pub &'h HeaderMap);

/// Reads and writes propagation fields in NATS headers.
///
/// Reads as [`Headers`] does. Writes one value, under the field's lowercase name, and removes
/// every other spelling. A value with CR, LF or NUL is not set, and neither is a name that NATS
/// does not allow (visible ASCII without `:`). Never panics.
///
/// ```
/// use dynamo_trace_nats::{HeadersMut, Propagation};
/// use opentelemetry::Context;
///
/// let mut headers = async_nats::HeaderMap::new();
/// Propagation::global().inject(&Context::current(), &mut HeadersMut(&mut headers));
/// ```
#[derive(Debug)]
pub struct HeadersMut<'h>(pub &'h mut HeaderMap);

impl Carrier for Headers<'_> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        values(self.0, field)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        names(self.0)
    }
}

impl Carrier for HeadersMut<'_> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        values(self.0, field)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        names(self.0)
    }
}

impl CarrierMut for HeadersMut<'_> {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        let name = match field {
            Field::TraceParent => Some(TRACEPARENT.clone()),
            Field::TraceState => Some(TRACESTATE.clone()),
            Field::Baggage => Some(BAGGAGE.clone()),
            Field::Other(name) => name.parse().ok(),
        };
        let value = Some(value).filter(|value| !value.contains('\0'));
        let value = value.and_then(|value| value.parse::<HeaderValue>().ok());
        let (Some(name), Some(value)) = (name, value) else {
            return self.remove_field(field);
        };
        retain(self.0, |own| own == &name || !spells(own, field));
        #[expect(
            clippy::disallowed_methods,
            reason = "name and value were checked, so it cannot panic"
        )]
        self.0.insert(name, value);
    }

    fn remove_field(&mut self, field: Field<'_>) {
        retain(self.0, |own| !spells(own, field));
    }
}

/// The first value of a header, in any case; nothing if it is not there.
pub(crate) fn first<'h>(headers: Option<&'h HeaderMap>, name: &'static str) -> Option<&'h str> {
    let mut entries = headers?.iter();
    let (_, values) = entries.find(|(own, _)| Field::Other(name).is((*own).as_ref()))?;
    values.first().map(HeaderValue::as_str)
}

/// How many bytes the headers take in a message.
pub(crate) fn wire_len(headers: &HeaderMap) -> usize {
    if headers.is_empty() {
        return 0;
    }
    let lines = headers.iter().flat_map(|(name, values)| {
        let name: &str = name.as_ref();
        let around = name.len() + ": \r\n".len();
        values
            .iter()
            .map(move |value| around + value.as_str().len())
    });
    "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>()
}

fn values<'h>(headers: &'h HeaderMap, field: Field<'h>) -> impl Iterator<Item = &'h [u8]> {
    // The broker's name counts only where there is no other.
    let renamed = !headers.iter().any(|(name, _)| field.is(name.as_ref()));
    headers
        .iter()
        .filter(move |(name, _)| field.is(name.as_ref()) || (renamed && spells(name, field)))
        .flat_map(|(_, values)| values)
        .map(|value| value.as_str().as_bytes())
}

fn names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.iter().map(|(name, _)| match name.as_ref() {
        name if is_renamed(name) => Field::TraceParent.name(),
        name => name,
    })
}

/// Whether `name` is a spelling of the field.
fn spells(name: &HeaderName, field: Field<'_>) -> bool {
    let name = name.as_ref();
    field.is(name) || (is_renamed(name) && field.is(Field::TraceParent.name()))
}

const fn is_renamed(name: &str) -> bool {
    name.eq_ignore_ascii_case(RENAMED)
}

/// `HeaderMap` cannot remove; it is built anew in the rare case that something has to go.
fn retain(headers: &mut HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    if headers.iter().all(|(name, _)| keep(name)) {
        return;
    }
    let all = std::mem::take(headers);
    for (name, values) in all.iter().filter(|(name, _)| keep(name)) {
        for value in values {
            headers.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, *value);
        }
        headers
    }

    fn values_of(headers: &HeaderMap, name: &str) -> Vec<String> {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        let read = Headers(headers)
            .values_of(Field::named(name))
            .map(text)
            .collect();
        let mut own = headers.clone();
        let written = HeadersMut(&mut own);
        let same: Vec<_> = written.values_of(Field::named(name)).map(text).collect();
        assert_eq!(read, same);
        read
    }

    #[test]
    fn names_compare_in_any_case_and_values_keep_their_order() {
        let map = headers(&[("TraceState", "a=1"), ("other", "x"), ("TraceState", "b=2")]);
        assert_eq!(values_of(&map, "tracestate"), ["a=1", "b=2"]);
        assert_eq!(values_of(&map, "TRACESTATE"), ["a=1", "b=2"]);
        assert!(values_of(&map, "traceparent").is_empty());
        assert!(values_of(&map, "no name: \r\n \u{e9}").is_empty());
    }

    #[test]
    fn spellings_of_one_name_are_several_values() {
        let map = headers(&[("traceparent", "a"), ("TRACEPARENT", "b")]);
        assert_eq!(values_of(&map, "traceparent").len(), 2);
    }

    #[test]
    fn what_a_broker_renamed_is_found() {
        let map = headers(&[("Xraceparent", "a")]);
        assert_eq!(values_of(&map, "traceparent"), ["a"]);
        assert_eq!(values_of(&map, "Traceparent"), ["a"]);
        assert_eq!(
            Headers(&map).field_names().collect::<Vec<_>>(),
            ["traceparent"]
        );
        assert!(values_of(&map, "tracestate").is_empty());
    }

    #[test]
    fn what_a_broker_renamed_gives_way_to_a_traceparent() {
        let map = headers(&[("Xraceparent", "a"), ("Traceparent", "b")]);
        assert_eq!(values_of(&map, "traceparent"), ["b"]);
    }

    #[test]
    fn setting_replaces_every_spelling_and_nothing_else() {
        let pairs = [
            ("Xraceparent", "a"),
            ("TraceParent", "b"),
            ("traceparent", "c"),
            ("own", "1"),
            ("own", "2"),
        ];
        let mut map = headers(&pairs);
        HeadersMut(&mut map).set_field(Field::TraceParent, "d");
        assert_eq!(
            map,
            headers(&[("traceparent", "d"), ("own", "1"), ("own", "2")])
        );
        HeadersMut(&mut map).set_field(Field::Other("TRACEPARENT"), "e");
        assert_eq!(
            map,
            headers(&[("TRACEPARENT", "e"), ("own", "1"), ("own", "2")])
        );
        HeadersMut(&mut map).remove_field(Field::TraceParent);
        assert_eq!(map, headers(&[("own", "1"), ("own", "2")]));
    }

    #[test]
    fn what_a_header_cannot_carry_is_not_sent() {
        for value in ["a\rb", "a\nb", "a\r\nb: c", "a\0"] {
            let mut map = headers(&[("baggage", "old")]);
            HeadersMut(&mut map).set_field(Field::Baggage, value);
            assert!(map.is_empty(), "{value:?}");
        }
        for name in ["no name", "a:b", "\r", "\u{e9}"] {
            let mut map = HeaderMap::new();
            HeadersMut(&mut map).set_field(Field::Other(name), "v");
            HeadersMut(&mut map).remove_field(Field::Other(name));
            assert!(map.is_empty(), "{name:?}");
        }
    }

    #[test]
    fn length_is_that_on_the_wire() {
        assert_eq!(wire_len(&HeaderMap::new()), 0);
        let map = headers(&[("a", "1"), ("a", "22"), ("bc", "")]);
        let wire = "NATS/1.0\r\na: 1\r\na: 22\r\nbc: \r\n\r\n";
        assert_eq!(wire_len(&map), wire.len());
    }

    #[test]
    fn a_header_is_found_in_any_case() {
        let map = headers(&[("nats-msg-id", "7")]);
        assert_eq!(first(Some(&map), "Nats-Msg-Id"), Some("7"));
        assert_eq!(first(Some(&map), "Nats-Stream"), None);
        assert_eq!(first(None, "Nats-Msg-Id"), None);
    }
}
