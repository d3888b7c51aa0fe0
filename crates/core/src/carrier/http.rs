use super::{Carrier, CarrierMut, Field, Found};
use http::{HeaderMap, HeaderName, HeaderValue};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// HTTP headers, and gRPC metadata underneath. Names compare in any case; a value over the
/// transport's alphabet (visible ASCII, SP, HTAB) is not set.
impl Carrier for HeaderMap {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        match field {
            Field::TraceParent => self.get_all(&TRACEPARENT),
            Field::TraceState => self.get_all(&TRACESTATE),
            Field::Baggage => self.get_all(&BAGGAGE),
            Field::Other(name) => self.get_all(name),
        }
        .into_iter()
        .map(HeaderValue::as_bytes)
    }

    fn find_w3c(&self) -> Option<Found<'_>> {
        /// Of more headers than this each field is looked up by its hash.
        const FEW: usize = 24;
        if self.len() > FEW {
            return None;
        }
        let mut found = Found::default();
        for (name, value) in self {
            // Most names differ in length.
            match name.as_str().as_bytes() {
                b"traceparent" if found.traceparent.is_none() => {
                    found.traceparent = Some(value.as_bytes());
                }
                b"traceparent" | b"tracestate" | b"baggage" => found.more = true,
                _ => {}
            }
        }
        Some(found)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.keys().map(HeaderName::as_str)
    }
}

impl CarrierMut for HeaderMap {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        let name = match field {
            Field::TraceParent => TRACEPARENT.clone(),
            Field::TraceState => TRACESTATE.clone(),
            Field::Baggage => BAGGAGE.clone(),
            Field::Other(name) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) => name,
                Err(_) => return,
            },
        };
        self.remove_field(field);
        // `try_insert`: a map at its limit of 32,768 headers must not panic the caller.
        if let Ok(value) = HeaderValue::from_str(value) {
            let _ = self.try_insert(name, value);
        }
    }

    fn remove_field(&mut self, field: Field<'_>) {
        match field {
            Field::TraceParent => self.remove(&TRACEPARENT),
            Field::TraceState => self.remove(&TRACESTATE),
            Field::Baggage => self.remove(&BAGGAGE),
            Field::Other(name) => self.remove(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_header_cannot_carry_is_not_sent() {
        let mut headers = HeaderMap::new();
        headers.set_field(Field::Baggage, "k=v");
        headers.set_field(Field::Baggage, "a\r\nb");
        headers.set_field(Field::Other("no name"), "v");
        assert!(headers.is_empty());
    }
}
