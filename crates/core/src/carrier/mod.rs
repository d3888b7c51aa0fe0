//! Where the propagation fields live on a transport.
//!
//! A [`Carrier`] reads *all* values of a field, in carrier order; a [`CarrierMut`] sets (replacing
//! every value) and removes. Adapters implement them for their transport's headers; this module
//! has those that belong to no transport.

mod block;
mod environment;
mod fields;
#[cfg(feature = "http")]
mod http;
mod map;
mod otel;

pub use block::{BlockError, ContextBlock, ContextBlockBuf};
pub use environment::Environment;
pub use fields::Fields;
pub(crate) use otel::{AsExtractor, AsInjector};
pub use otel::{ExtractorCarrier, InjectorCarrier};

/// The name of a propagation field.
///
/// The W3C fields are variants, so that a carrier can look them up by a prepared name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// `traceparent`
    TraceParent,
    /// `tracestate`
    TraceState,
    /// `baggage`
    Baggage,
    /// A field of another propagation format, such as `b3`.
    Other(&'a str),
}

impl<'a> Field<'a> {
    /// The W3C fields.
    pub const W3C: [Field<'static>; 3] = [Field::TraceParent, Field::TraceState, Field::Baggage];

    /// The field of this name, in any case.
    #[must_use]
    pub fn named(name: &'a str) -> Self {
        Field::W3C
            .into_iter()
            .find(|field| field.name().eq_ignore_ascii_case(name))
            .unwrap_or(Field::Other(name))
    }

    /// The name as it is sent; lowercase for the W3C fields.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        match self {
            Field::TraceParent => "traceparent",
            Field::TraceState => "tracestate",
            Field::Baggage => "baggage",
            Field::Other(name) => name,
        }
    }

    /// Whether `name` names this field, in any case.
    #[must_use]
    pub const fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }
}

/// Which W3C fields a carrier has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found<'a> {
    /// The one value of `traceparent`, if there is one.
    pub traceparent: Option<&'a [u8]>,
    /// Whether there is more: another `traceparent`, `tracestate` or `baggage`.
    pub more: bool,
}

/// Reads propagation fields.
pub trait Carrier {
    /// All values of `field`, in carrier order, as the bytes on the wire. Names compare
    /// without regard to case.
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]>;

    /// Finds the W3C fields in one pass, where that is cheaper than to look them up one by one.
    fn find_w3c(&self) -> Option<Found<'_>> {
        None
    }

    /// The names of all fields, for propagators that search them.
    fn field_names(&self) -> impl Iterator<Item = &str>;

    /// Whether `own`, one of [`field_names`](Self::field_names), is what `field` is called on
    /// this carrier: by default in any case.
    fn is_named(&self, own: &str, field: &str) -> bool {
        own.eq_ignore_ascii_case(field)
    }
}

/// Writes propagation fields.
pub trait CarrierMut: Carrier {
    /// Sets `field` to this one value. A value that the transport cannot carry leaves the
    /// field absent.
    fn set_field(&mut self, field: Field<'_>, value: &str);

    /// Removes every value of `field`.
    fn remove_field(&mut self, field: Field<'_>);
}
