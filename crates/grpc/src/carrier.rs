use dynamo_trace_core::{Carrier, CarrierMut, Field};
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};

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

/// tonic metadata as a carrier to write to. Values that are not printable ASCII are not set, and
/// neither are fields whose names end in `-bin`, which hold no text.
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

fn values<'m>(map: &'m MetadataMap, field: Field<'m>) -> impl Iterator<Item = &'m [u8]> {
    map.get_all(field.name())
        .into_iter()
        .map(MetadataValue::as_encoded_bytes)
}

fn names(map: &MetadataMap) -> impl Iterator<Item = &str> {
    map.keys().map(|key| match key {
        tonic::metadata::KeyRef::Ascii(key) => key.as_str(),
        tonic::metadata::KeyRef::Binary(key) => key.as_str(),
    })
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
        let name = field.name().to_ascii_lowercase();
        let key = MetadataKey::<Ascii>::from_bytes(name.as_bytes());
        match (key, MetadataValue::try_from(value)) {
            (Ok(key), Ok(value)) => {
                self.0.insert(key, value);
            }
            _ => self.remove_field(field),
        }
    }

    fn remove_field(&mut self, field: Field<'_>) {
        self.0.remove(field.name());
    }
}
