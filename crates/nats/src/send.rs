//! What every send has alike: its span, and the headers that carry its context.

use crate::attributes::{self, Operation};
use crate::carrier::{Headers, HeadersMut, wire_len};
use crate::settings::Settings;
use async_nats::HeaderMap;
use dynamo_trace_core::{Carrier, CarrierMut, Detail, Field, SpanGuard, Trust};
use opentelemetry::Context;
use opentelemetry::trace::{Link, SpanKind};

/// How large a message is, and may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Its payload, in bytes.
    pub(crate) body: usize,
    /// The server's `max_payload`, in bytes: payload and headers.
    pub(crate) max: usize,
}

impl Settings {
    /// Starts the span of a send, and gives the headers that carry its context.
    ///
    /// A creation context that the author of the message put into the headers stays, and the
    /// span is linked to it.
    pub(crate) fn start_send(
        &self,
        operation: Operation,
        subject: &str,
        headers: Option<HeaderMap>,
        size: Size,
    ) -> (SpanGuard, Option<HeaderMap>) {
        let propagation = self.instrumentation.propagation();
        let has_context = |headers: &&HeaderMap| propagation.has_context(&Headers(headers));
        let creation = headers.as_ref().filter(has_context);
        let kind = match operation {
            Operation::Publish if creation.is_none() => SpanKind::Producer,
            _ => SpanKind::Client,
        };
        let describe = |detail| {
            let destination = self.subjects.destination(subject);
            let mut builder = attributes::send_span(operation, kind, destination, detail);
            let creation = creation.filter(|_| detail == Detail::Full);
            if let Some(link) = creation.and_then(|headers| self.creation_link(headers)) {
                builder.links = Some(vec![link]);
            }
            builder
        };
        let guard = (self.instrumentation).start_with(Context::current(), describe);
        guard.set_attributes(attributes::message_attributes(size.body, headers.as_ref()));
        let headers = self.inject(guard.context(), headers, size);
        (guard, headers)
    }

    /// The headers with the context of `cx`, unless they have one.
    pub(crate) fn inject(
        &self,
        cx: &Context,
        headers: Option<HeaderMap>,
        size: Size,
    ) -> Option<HeaderMap> {
        if !self.supports_headers {
            return headers;
        }
        let given = headers.is_some();
        let mut headers = headers.unwrap_or_default();
        let propagation = self.instrumentation.propagation();
        if headers.is_empty() {
            propagation.inject(cx, &mut HeadersMut(&mut headers));
            self.fit(&mut headers, None, size);
            return (given || !headers.is_empty()).then_some(headers);
        }
        // What the author wrote has to be there again if the context does not fit.
        let original = propagation
            .fields()
            .any(|field| has(&headers, Field::named(field)))
            .then(|| headers.clone());
        if propagation.inject_if_absent(cx, &mut HeadersMut(&mut headers)) {
            self.fit(&mut headers, original, size);
        }
        (given || !headers.is_empty()).then_some(headers)
    }

    /// Takes back as much of the context as the server would refuse the message for, and nothing
    /// of the author's. A message that is too large by itself stays so.
    fn fit(&self, headers: &mut HeaderMap, original: Option<HeaderMap>, size: Size) {
        let fits = |headers: &HeaderMap| wire_len(headers) + size.body <= size.max;
        if fits(headers) {
            return;
        }
        for field in [Field::Baggage, Field::TraceState] {
            if original.as_ref().is_some_and(|own| has(own, field)) {
                continue;
            }
            HeadersMut(headers).remove_field(field);
            if fits(headers) {
                return;
            }
        }
        // Without a `traceparent` nothing is left that a receiver could use.
        match original {
            Some(original) => *headers = original,
            None => {
                for field in self.instrumentation.propagation().fields() {
                    HeadersMut(headers).remove_field(Field::named(field));
                }
            }
        }
    }

    fn creation_link(&self, headers: &HeaderMap) -> Option<Link> {
        let propagation = self.instrumentation.propagation();
        propagation
            .remote(&Headers(headers), &Trust::trusted())
            .to_link()
    }
}

fn has(headers: &HeaderMap, field: Field<'_>) -> bool {
    Headers(headers).values_of(field).next().is_some()
}
