//! Which side of the call a layer stands on.

use super::settings::TrustPolicy;
use super::{RequestHead, Semantics, Settings};
use dynamo_trace_core::{Propagation, Trust};
use http::{HeaderMap, Request};
use opentelemetry::Context;
use opentelemetry::trace::{Link, SpanKind};
use std::fmt;

/// Server or client: where the parent comes from and whether the context is sent on.
pub trait Side: Clone + Copy + fmt::Debug + Default + Send + Sync + 'static {
    /// The kind of the span.
    const KIND: SpanKind;

    /// The context to start the span in, and the caller's span where it is only linked. Takes
    /// from the headers what must not go on.
    fn parent<M: Semantics, B>(
        settings: &Settings<M>,
        request: &mut Request<B>,
    ) -> (Context, Option<Vec<Link>>);

    /// Puts the span's context on the request.
    fn send(propagation: &Propagation, context: &Context, headers: &mut HeaderMap);
}

/// The side that receives requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

/// The side that sends requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client;

impl Side for Server {
    const KIND: SpanKind = SpanKind::Server;

    fn parent<M: Semantics, B>(
        settings: &Settings<M>,
        request: &mut Request<B>,
    ) -> (Context, Option<Vec<Link>>) {
        let propagation = settings.propagation();
        match &settings.trust {
            TrustPolicy::All(trust) => received(propagation, trust, request.headers_mut()),
            TrustPolicy::By(trust) => {
                let trust = (trust.0)(RequestHead::of(request));
                received(propagation, &trust, request.headers_mut())
            }
        }
    }

    fn send(_: &Propagation, _: &Context, _: &mut HeaderMap) {}
}

fn received(
    propagation: &Propagation,
    trust: &Trust,
    headers: &mut HeaderMap,
) -> (Context, Option<Vec<Link>>) {
    // Not in `map_current`: what is rejected is logged, and a subscriber may attach a context.
    propagation.receive(&Context::current(), headers, trust)
}

impl Side for Client {
    const KIND: SpanKind = SpanKind::Client;

    fn parent<M: Semantics, B>(
        _: &Settings<M>,
        _: &mut Request<B>,
    ) -> (Context, Option<Vec<Link>>) {
        (Context::current(), None)
    }

    fn send(propagation: &Propagation, context: &Context, headers: &mut HeaderMap) {
        propagation.inject(context, headers);
    }
}
