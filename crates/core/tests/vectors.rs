//! Every W3C vector, through every carrier and through the bridges to OpenTelemetry.
#![expect(clippy::expect_used, reason = "a failed step fails the test")]

use dynamo_trace_core::carrier::{ExtractorCarrier, InjectorCarrier};
use dynamo_trace_core::w3c::baggage;
use dynamo_trace_core::{
    Carrier, CarrierMut, ContextBlock, ContextBlockBuf, Environment, Field, Fields, Format,
    Propagation, Trust,
};
use dynamo_trace_testkit::vectors::{self, ExpectedParent, TRACEPARENT, WireField};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A carrier that fields can be put into as they stand on a wire.
trait Wire: CarrierMut + Default {
    /// Nothing if it cannot hold them.
    fn of(fields: &[WireField]) -> Option<Self>;
}

fn text(value: &[u8]) -> Option<String> {
    String::from_utf8(value.to_vec()).ok()
}

/// Text fields, each once.
fn unique<M: FromIterator<(String, String)>>(fields: &[WireField]) -> Option<M> {
    let mut names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
    names.dedup();
    let pair = |(name, value): &WireField| Some((name.clone(), text(value)?));
    let fits = names.len() == fields.len();
    fits.then(|| fields.iter().map(pair).collect())?
}

impl Wire for HeaderMap {
    fn of(fields: &[WireField]) -> Option<Self> {
        let mut headers = Self::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(headers)
    }
}

impl Wire for HashMap<String, String> {
    fn of(fields: &[WireField]) -> Option<Self> {
        unique(fields)
    }
}

impl Wire for BTreeMap<String, String> {
    fn of(fields: &[WireField]) -> Option<Self> {
        unique(fields)
    }
}

impl Wire for Vec<(String, String)> {
    fn of(fields: &[WireField]) -> Option<Self> {
        let pair = |(name, value): &WireField| Some((name.clone(), text(value)?));
        fields.iter().map(pair).collect()
    }
}

impl Wire for Fields {
    fn of(fields: &[WireField]) -> Option<Self> {
        let other = unique(fields)?;
        let json = serde_json::to_value::<BTreeMap<String, String>>(other).ok()?;
        serde_json::from_value(json).ok()
    }
}

impl Wire for ContextBlockBuf {
    fn of(fields: &[WireField]) -> Option<Self> {
        let mut block = Self::default();
        let fits = |(name, value): &WireField| block.append(Field::named(name), value);
        fields.iter().all(fits).then_some(block)
    }
}

impl Wire for Environment {
    fn of(fields: &[WireField]) -> Option<Self> {
        let fields: BTreeMap<String, String> = unique(fields)?;
        let upper = |(name, value): (String, String)| (name.to_uppercase(), value);
        Some(fields.into_iter().map(upper).collect())
    }
}

/// Fields of an instrumentation that knows OpenTelemetry's traits only.
#[derive(Default)]
struct Foreign(Vec<(String, String)>);

impl Extractor for Foreign {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key)?.first().copied()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let own = self.0.iter().filter(|(name, _)| name == key);
        let values: Vec<_> = own.map(|(_, value)| value.as_str()).collect();
        Some(values).filter(|values| !values.is_empty())
    }
}

impl Injector for Foreign {
    fn set(&mut self, key: &str, value: String) {
        self.0.retain(|(name, _)| name != key);
        self.0.push((key.to_owned(), value));
    }
}

/// What one hop sends on.
#[derive(Debug, PartialEq)]
struct Sent {
    traceparent: Vec<String>,
    tracestate: Vec<String>,
    baggage: BTreeMap<String, String>,
}

impl Sent {
    fn read(carrier: &impl Carrier) -> Self {
        let values = |field| -> Vec<String> {
            let values = carrier.values_of(field);
            values.map(|v| text(v).expect("text")).collect()
        };
        let members = values(Field::Baggage);
        let members = baggage::parse(members.iter().map(String::as_bytes));
        Self {
            traceparent: values(Field::TraceParent),
            tracestate: values(Field::TraceState),
            baggage: members
                .map(|member| (member.key.to_owned(), member.value.into_owned()))
                .collect(),
        }
    }
}

/// Every vector as name, fields, and what is sent on.
fn all() -> Vec<(String, Vec<WireField>, Sent)> {
    let sent = |traceparent: &str, tracestate: &str, baggage| {
        let value = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        Sent {
            traceparent: value(traceparent).into_iter().collect(),
            tracestate: value(tracestate).into_iter().collect(),
            baggage,
        }
    };
    let parents = vectors::traceparents().into_iter().map(|v| {
        let parent = v.expect.as_ref().map(ExpectedParent::to_header);
        let parent = parent.unwrap_or_default();
        (
            v.name.clone(),
            v.fields(),
            sent(&parent, "", BTreeMap::new()),
        )
    });
    let states = vectors::tracestates().into_iter().map(|v| {
        let expected = sent(TRACEPARENT, &v.expect, BTreeMap::new());
        (v.name.clone(), v.fields(), expected)
    });
    let baggages = vectors::baggages().into_iter().map(|v| {
        let expected = sent(TRACEPARENT, "", v.expect.clone());
        (v.name.clone(), v.fields(), expected)
    });
    parents.chain(states).chain(baggages).collect()
}

/// Runs every vector that `hop` can carry; tells how many.
fn run(hop: impl Fn(&[WireField]) -> Option<Sent>) -> usize {
    let mut run = 0;
    for (name, fields, expected) in all() {
        if let Some(sent) = hop(&fields) {
            assert_eq!(sent, expected, "{name}: {fields:?}");
            run += 1;
        }
    }
    run
}

/// Extracts and injects with no SDK between, into an empty carrier.
fn hop<C: Wire>(fields: &[WireField]) -> Option<Sent> {
    let context = Propagation::w3c().extract(&Context::new(), &C::of(fields)?);
    let mut out = C::default();
    Propagation::w3c().inject(&context, &mut out);
    Some(Sent::read(&out))
}

/// All of them; those with a repeated field; those with a control character but tab.
const ALL: usize = 131;
const REPEATED: usize = 11;
const CONTROL: usize = 3;

#[test]
fn header_map() {
    assert_eq!(run(hop::<HeaderMap>), ALL - CONTROL);
}

/// As a server does it, with few headers and with many.
#[test]
fn a_request() {
    fn hop<const OTHERS: usize>(fields: &[WireField]) -> Option<Sent> {
        let mut headers = HeaderMap::of(fields)?;
        for number in 0..OTHERS {
            let name = HeaderName::from_bytes(format!("x-{number}").as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_static("other"));
        }
        let propagation = Propagation::w3c();
        let (context, link) = propagation.receive(&Context::new(), &mut headers, &Trust::trusted());
        assert!(link.is_none());
        let mut out = HeaderMap::new();
        propagation.inject(&context, &mut out);
        Some(Sent::read(&out))
    }
    assert_eq!(run(hop::<0>), ALL - CONTROL);
    assert_eq!(run(hop::<100>), ALL - CONTROL);
}

#[test]
fn hash_map() {
    assert_eq!(run(hop::<HashMap<String, String>>), ALL - REPEATED);
}

#[test]
fn b_tree_map() {
    assert_eq!(run(hop::<BTreeMap<String, String>>), ALL - REPEATED);
}

#[test]
fn list_of_pairs() {
    assert_eq!(run(hop::<Vec<(String, String)>>), ALL);
}

#[test]
fn struct_of_fields() {
    assert_eq!(run(hop::<Fields>), ALL - REPEATED);
}

#[test]
fn environment() {
    assert_eq!(run(hop::<Environment>), ALL - REPEATED);
}

#[test]
fn context_block() {
    assert_eq!(run(hop::<ContextBlockBuf>), ALL);
}

#[test]
fn context_block_as_received() {
    let hop = |fields: &[WireField]| {
        let wire = ContextBlockBuf::of(fields)?;
        let block = ContextBlock::parse(wire.as_bytes()).expect("a valid block");
        let context = Propagation::w3c().extract(&Context::new(), &block);
        let mut out = ContextBlockBuf::default();
        Propagation::w3c().inject(&context, &mut out);
        let sent = ContextBlock::parse(out.as_bytes()).expect("a valid block");
        Some(Sent::read(&sent))
    };
    assert_eq!(run(hop), ALL);
}

#[test]
fn carriers_of_opentelemetry_by_our_propagation() {
    let hop = |fields: &[WireField]| {
        let propagation: &dyn TextMapPropagator = &Propagation::w3c();
        let carrier = Foreign(Wire::of(fields)?);
        let context = propagation.extract_with_context(&Context::new(), &carrier);
        let mut out = Foreign::default();
        propagation.inject_context(&context, &mut out);
        Some(Sent::read(&out.0))
    };
    assert_eq!(run(hop), ALL);

    let hop = |fields: &[WireField]| {
        let carrier = Foreign(Wire::of(fields)?);
        let carrier = ExtractorCarrier(&carrier);
        let context = Propagation::w3c().extract(&Context::new(), &carrier);
        let mut out = Foreign::default();
        Propagation::w3c().inject(&context, &mut InjectorCarrier(&mut out));
        Some(Sent::read(&out.0))
    };
    assert_eq!(run(hop), ALL);
}

/// Our own formats stand in for a third-party propagator; what passes through OpenTelemetry's
/// types keeps no Level 2 key.
#[test]
fn our_carriers_by_a_propagator_of_opentelemetry() {
    fn hop<C: Wire>(fields: &[WireField]) -> Option<Sent> {
        if fields.iter().any(|(_, value)| is_level2_only(value)) {
            return None;
        }
        let other = Format::Other(Arc::new(Propagation::w3c()));
        let propagation = Propagation::of([other]);
        let context = propagation.extract(&Context::new(), &C::of(fields)?);
        let mut out = C::default();
        propagation.inject(&context, &mut out);
        Some(Sent::read(&out))
    }
    let level2 = all().into_iter().filter(|(_, fields, _)| {
        let mut values = fields.iter().map(|(_, value)| value);
        values.any(|value| is_level2_only(value))
    });
    let level2 = level2.count();
    assert_eq!(run(hop::<HeaderMap>), ALL - CONTROL - level2);
    assert_eq!(run(hop::<Vec<(String, String)>>), ALL - level2);
    assert_eq!(run(hop::<ContextBlockBuf>), ALL - level2);
    assert_eq!(run(hop::<Environment>), ALL - REPEATED - level2);
}

/// Keys of these vectors that Level 1 does not have.
fn is_level2_only(value: &[u8]) -> bool {
    let value = String::from_utf8_lossy(value);
    let vendor = |key: &str| key.split_once('@').map(|(_, vendor)| vendor.to_owned());
    let vendor = value.split_once('=').and_then(|(key, _)| vendor(key));
    vendor.is_some_and(|v| v.contains('@') || v.len() > 13)
}

/// Injection on a carrier that was used before leaves nothing of that use.
#[test]
fn a_reused_carrier_keeps_nothing() {
    fn hop<C: Wire>(fields: &[WireField]) -> Option<Sent> {
        let context = Propagation::w3c().extract(&Context::new(), &C::of(fields)?);
        let mut out = C::default();
        let stale = [
            (Field::TraceParent, "00-stale"),
            (Field::TraceState, "stale=1"),
            (Field::Baggage, "stale=1"),
        ];
        for (field, value) in stale {
            out.set_field(field, value);
        }
        Propagation::w3c().inject(&context, &mut out);
        let sent = Sent::read(&out);
        // Without a context there is nothing to replace it by.
        let untouched = sent.traceparent == ["00-stale"];
        Some(if untouched {
            Sent::read(&C::default())
        } else {
            sent
        })
    }
    assert_eq!(run(hop::<HeaderMap>), ALL - CONTROL);
    assert_eq!(run(hop::<HashMap<String, String>>), ALL - REPEATED);
    assert_eq!(run(hop::<BTreeMap<String, String>>), ALL - REPEATED);
    assert_eq!(run(hop::<Vec<(String, String)>>), ALL);
    assert_eq!(run(hop::<Fields>), ALL - REPEATED);
    assert_eq!(run(hop::<ContextBlockBuf>), ALL);
    assert_eq!(run(hop::<Environment>), ALL - REPEATED);
}

#[test]
fn a_field_that_is_spelt_otherwise_is_replaced() {
    let json = r#"{"TraceParent":"stale","tracestate":"stale=1","Baggage":"stale=1"}"#;
    let mut carrier: Fields = serde_json::from_str(json).expect("a map of strings");
    let fields = vec![("traceparent".to_owned(), TRACEPARENT.to_owned())];
    let context = Propagation::w3c().extract(&Context::new(), &fields);
    Propagation::w3c().inject(&context, &mut carrier);
    assert_eq!(Sent::read(&carrier), Sent::read(&fields));
}
