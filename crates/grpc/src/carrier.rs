use dynamo_trace_core::{Carrier, CarrierMut, Field};
use http::HeaderMap;
use tonic::metadata::MetadataMap;

/// tonic metadata as a carrier to read from, for interceptors and handlers.
///
/// The layers do not need it: under tonic, metadata are HTTP headers.
///
/// ```
/// use dynamo_trace_core::Propagation;
/// use dynamo_trace_grpc::Metadata;
/// use opentelemetry::Context;
///
/// fn parent(request: &tonic::Request<()>) -> Context {
///     let metadata = Metadata(request.metadata());
///     Propagation::global().extract(&Context::current(), &metadata)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'m>(pub &'m MetadataMap);

/// tonic metadata as a carrier to write to. Values that are not printable ASCII are not set,
/// neither are fields whose names end in `-bin`, which hold no text, and nothing is set where the
/// map is full, at some 24,000 entries.
///
/// ```
/// use dynamo_trace_core::Propagation;
/// use dynamo_trace_grpc::MetadataMut;
/// use opentelemetry::Context;
///
/// fn intercept(mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
///     let mut metadata = MetadataMut(request.metadata_mut());
///     Propagation::global().inject(&Context::current(), &mut metadata);
///     Ok(request)
/// }
/// ```
#[derive(Debug)]
pub struct MetadataMut<'m>(pub &'m mut MetadataMap);

/// Names of binary metadata, whose values are no text, end so.
fn is_binary(field: Field<'_>) -> bool {
    let name = field.name().as_bytes();
    name.last_chunk()
        .is_some_and(|end: &[u8; 4]| end.eq_ignore_ascii_case(b"-bin"))
}

fn values<'m>(map: &'m MetadataMap, field: Field<'m>) -> impl Iterator<Item = &'m [u8]> {
    let headers: &HeaderMap = map.as_ref();
    (!is_binary(field))
        .then(|| headers.values_of(field))
        .into_iter()
        .flatten()
}

fn names(map: &MetadataMap) -> impl Iterator<Item = &str> {
    let headers: &HeaderMap = map.as_ref();
    headers.field_names()
}

impl Carrier for Metadata<'_> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        values(self.0, field)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        names(self.0)
    }
}

impl Carrier for MetadataMut<'_> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        values(self.0, field)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        names(self.0)
    }
}

impl CarrierMut for MetadataMut<'_> {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        if is_binary(field) {
            return;
        }
        // tonic's own `insert` panics where the map is full.
        let mut headers = std::mem::take(self.0).into_headers();
        headers.set_field(field, value);
        *self.0 = MetadataMap::from_headers(headers);
    }

    fn remove_field(&mut self, field: Field<'_>) {
        if !is_binary(field) {
            self.0.remove(field.name());
        }
    }
}
