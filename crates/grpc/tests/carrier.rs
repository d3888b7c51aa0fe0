//! tonic metadata as carriers, against the W3C vectors.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their tests")]

use dynamo_trace_core::{Carrier, CarrierMut, Field, Propagation};
use dynamo_trace_grpc::{Metadata, MetadataMut};
use dynamo_trace_testkit::vectors::{WireField, baggages, traceparents, tracestates};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use std::collections::BTreeMap;
use tonic::metadata::MetadataMap;

/// The fields as metadata; nothing if HTTP/2 cannot carry them.
fn metadata(fields: Vec<WireField>) -> Option<MetadataMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    Some(MetadataMap::from_headers(headers))
}

/// What the metadata say, and what is written of it.
fn pass(metadata: &MetadataMap) -> (Context, MetadataMap) {
    let propagation = Propagation::w3c();
    let context = propagation.extract(&Context::new(), &Metadata(metadata));
    let mut written = MetadataMap::new();
    propagation.inject(&context, &mut MetadataMut(&mut written));
    let again = propagation.extract(&Context::new(), &MetadataMut(&mut written));
    let mut twice = MetadataMap::new();
    propagation.inject(&again, &mut MetadataMut(&mut twice));
    assert_eq!(written.as_ref(), twice.as_ref(), "written and read again");
    (context, written)
}

fn text<'m>(metadata: &'m MetadataMap, name: &str) -> Option<&'m str> {
    metadata.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn traceparents_are_read_as_the_vectors_say() {
    let mut run = 0;
    for vector in traceparents() {
        let Some(metadata) = metadata(vector.fields()) else {
            continue;
        };
        run += 1;
        let (_, written) = pass(&metadata);
        let expected = vector.expect.as_ref().map(|parent| parent.to_header());
        let traceparent = text(&written, "traceparent");
        assert_eq!(traceparent, expected.as_deref(), "{vector:?}");
    }
    assert!(run > 50, "{run} vectors run");
}

#[test]
fn tracestates_are_read_as_the_vectors_say() {
    let mut run = 0;
    for vector in tracestates() {
        let Some(metadata) = metadata(vector.fields()) else {
            continue;
        };
        run += 1;
        let (_, written) = pass(&metadata);
        let expected = Some(vector.expect.as_str()).filter(|state| !state.is_empty());
        assert_eq!(text(&written, "tracestate"), expected, "{vector:?}");
    }
    assert!(run > 40, "{run} vectors run");
}

#[test]
fn baggage_is_read_as_the_vectors_say() {
    for vector in baggages() {
        let (context, written) = pass(&metadata(vector.fields()).unwrap());
        let members: BTreeMap<_, _> = context
            .baggage()
            .iter()
            .map(|(key, (value, _))| (key.to_string(), value.to_string()))
            .collect();
        assert_eq!(members, vector.expect, "{vector:?}");
        let is_written = text(&written, "baggage").is_some();
        assert_eq!(is_written, !members.is_empty(), "{vector:?}");
    }
}

#[test]
fn a_field_is_set_once_and_removed_whole() {
    let mut map = MetadataMap::new();
    for value in ["1", "2"] {
        map.append("x-b3-traceid", value.parse().unwrap());
    }
    let field = Field::Other("X-B3-TraceId");
    let values = |carrier: &MetadataMut<'_>| -> Vec<Vec<u8>> {
        carrier.values_of(field).map(<[u8]>::to_vec).collect()
    };
    let mut carrier = MetadataMut(&mut map);
    assert_eq!(values(&carrier), [b"1", b"2"]);
    carrier.set_field(field, "3");
    assert_eq!(values(&carrier), [b"3"]);
    assert_eq!(carrier.field_names().collect::<Vec<_>>(), ["x-b3-traceid"]);
    carrier.set_field(field, "no\r\nvalue");
    assert!(values(&carrier).is_empty());
    carrier.set_field(Field::Other("no name"), "4");
    // Values of binary metadata are no text.
    carrier.set_field(Field::Other("context-bin"), "4");
    assert!(map.is_empty());
}

#[test]
fn a_full_map_is_left_as_it_is() {
    let mut headers = HeaderMap::new();
    let name = |at: usize| HeaderName::from_bytes(format!("n{at}").as_bytes()).unwrap();
    let value = HeaderValue::from_static("v");
    let fits = |&at: &usize| headers.try_append(name(at), value.clone()).is_ok();
    let count = (0..).take_while(fits).count();
    let mut map = MetadataMap::from_headers(headers);
    let mut carrier = MetadataMut(&mut map);
    carrier.set_field(Field::Baggage, "k=v");
    assert_eq!(carrier.values_of(Field::Baggage).count(), 0);
    assert_eq!(map.len(), count);
}
