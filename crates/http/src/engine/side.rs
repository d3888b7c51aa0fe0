//! Which side of the call a layer stands on.

use dynamo_trace_core::{Propagation, Trust};
use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::trace::{Link, SpanKind};

/// Server or client: where the parent comes from and whether the context is sent on.
pub trait Side: Clone + Copy + Default + Send + Sync + 'static {
    /// The kind of the span.
    const KIND: SpanKind;

    /// The context to start the span in, and the caller's span where it is only linked.
    fn parent(
        propagation: &Propagation,
        trust: &Trust,
        headers: &HeaderMap,
    ) -> (Context, Option<Link>);

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

    fn parent(
        propagation: &Propagation,
        trust: &Trust,
        headers: &HeaderMap,
    ) -> (Context, Option<Link>) {
        let remote = propagation.remote(headers, trust);
        let link = remote.is_link_only().then(|| remote.to_link()).flatten();
        let context = Context::map_current(|current| remote.attach_to(current));
        (context, link)
    }

    fn send(_: &Propagation, _: &Context, _: &mut HeaderMap) {}
}

impl Side for Client {
    const KIND: SpanKind = SpanKind::Client;

    fn parent(_: &Propagation, _: &Trust, _: &HeaderMap) -> (Context, Option<Link>) {
        (Context::current(), None)
    }

    fn send(propagation: &Propagation, context: &Context, headers: &mut HeaderMap) {
        propagation.inject(context, headers);
    }
}
