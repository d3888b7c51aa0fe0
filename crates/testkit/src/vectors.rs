//! The W3C vectors: what the wire may bring, and what it has to be read as.
//!
//! They lie in `vectors/*.json`: any number of values of one field, and what they mean by
//! [Trace Context Level 2](https://www.w3.org/TR/trace-context-2/) and
//! [Baggage](https://www.w3.org/TR/baggage/).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The traceparent that comes in front of tracestate and baggage vectors, so that they count.
pub const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A field as it stands on a wire: name and value.
pub type WireField = (String, Vec<u8>);

/// Values of `traceparent`, and what they are.
#[derive(Clone, Debug, Deserialize)]
pub struct TraceParentVector {
    /// Names the vector in failures.
    pub name: String,
    /// The values, each in a field of its own.
    pub traceparent: Vec<String>,
    /// What they say, or nothing: the trace restarts.
    pub expect: Option<ExpectedParent>,
    /// The reason, where it is not plain.
    pub why: String,
}

/// What a valid `traceparent` says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ExpectedParent {
    /// 32 lowercase hex digits.
    pub trace_id: String,
    /// 16 lowercase hex digits.
    pub span_id: String,
    /// The flags, undefined bits cleared.
    pub flags: u8,
}

impl ExpectedParent {
    /// The header that passes the parent on unchanged.
    #[must_use]
    pub fn to_header(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Values of `tracestate`, and what is sent on.
#[derive(Clone, Debug, Deserialize)]
pub struct TraceStateVector {
    /// Names the vector in failures.
    pub name: String,
    /// The values, each in a field of its own.
    pub tracestate: Vec<String>,
    /// The one value that is sent on; none if it is empty.
    pub expect: String,
    /// The reason, where it is not plain.
    pub why: String,
}

/// Values of `baggage`, and what they hold.
#[derive(Clone, Debug, Deserialize)]
pub struct BaggageVector {
    /// Names the vector in failures.
    pub name: String,
    /// The values, each in a field of its own.
    pub baggage: Vec<String>,
    /// The members' values, decoded, by key.
    pub expect: BTreeMap<String, String>,
    /// The reason, where it is not plain.
    pub why: String,
}

impl TraceParentVector {
    /// The fields to put on a wire.
    #[must_use]
    pub fn fields(&self) -> Vec<WireField> {
        fields("traceparent", &self.traceparent)
    }
}

impl TraceStateVector {
    /// The fields to put on a wire, behind a valid traceparent.
    #[must_use]
    pub fn fields(&self) -> Vec<WireField> {
        behind_traceparent(fields("tracestate", &self.tracestate))
    }
}

impl BaggageVector {
    /// The fields to put on a wire, behind a valid traceparent.
    #[must_use]
    pub fn fields(&self) -> Vec<WireField> {
        behind_traceparent(fields("baggage", &self.baggage))
    }
}

/// All `traceparent` vectors.
#[must_use]
pub fn traceparents() -> Vec<TraceParentVector> {
    read(include_str!("../vectors/traceparent.json"))
}

/// All `tracestate` vectors.
#[must_use]
pub fn tracestates() -> Vec<TraceStateVector> {
    read(include_str!("../vectors/tracestate.json"))
}

/// All `baggage` vectors.
#[must_use]
pub fn baggages() -> Vec<BaggageVector> {
    read(include_str!("../vectors/baggage.json"))
}

fn fields(name: &str, values: &[String]) -> Vec<WireField> {
    let field = |value: &String| (name.to_owned(), value.clone().into_bytes());
    values.iter().map(field).collect()
}

fn behind_traceparent(mut fields: Vec<WireField>) -> Vec<WireField> {
    fields.insert(0, ("traceparent".to_owned(), TRACEPARENT.into()));
    fields
}

#[expect(
    clippy::expect_used,
    reason = "the files are compiled in; a test reads them all"
)]
fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect("the vectors are valid JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_is_there() {
        assert_eq!(traceparents().len(), 62);
        assert_eq!(tracestates().len(), 49);
        assert_eq!(baggages().len(), 20);
    }

    #[test]
    fn fields_stand_behind_a_traceparent() {
        let two = &tracestates()[4];
        let names: Vec<_> = two.fields().into_iter().map(|field| field.0).collect();
        assert_eq!(names, ["traceparent", "tracestate", "tracestate"]);
    }
}
