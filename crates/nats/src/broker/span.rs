//! From what a server tells to a span, which has ended by then.

use super::attributes;
use super::counts::Fate;
use super::error;
use super::event::{Hop, Point};
use crate::carrier::{self, Headers};
use crate::settings::Settings;
use dynamo_trace_core::SpanGuard;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

/// How many events an SDK keeps of one span, if not told otherwise.
const MAX_POINTS: usize = 128;

pub(super) fn record(payload: &[u8], settings: &Settings) -> Fate {
    let Some(hop) = Hop::read(payload) else {
        return Fate::Unreadable;
    };
    match start(&hop, settings) {
        Some(guard) if guard.is_recording() => {
            end(guard, &hop, settings);
            Fate::Recorded
        }
        _ => Fate::Ignored,
    }
}

/// The span of a hop, if its message belongs to a sampled trace.
fn start(hop: &Hop, settings: &Settings) -> Option<SpanGuard> {
    let (at, ingress) = hop.ingress()?;
    let headers = hop.headers();
    let instrumentation = &settings.instrumentation;
    let propagation = instrumentation.propagation();
    let remote = propagation.remote(&Headers(&headers), &settings.trust);
    if !remote.span_context()?.is_sampled() {
        return None;
    }
    // What clients write there means nothing.
    let from_server = ingress.kind != 0;
    let id = carrier::first(Some(&headers), "Nats-Trace-Hop").filter(|_| from_server);
    let id = id.unwrap_or_default();
    let mut builder = attributes::span(hop, ingress, id, &settings.subjects).with_start_time(at);
    if remote.is_link_only() {
        builder.links = remote.to_link().map(|link| vec![link]);
        return Some(instrumentation.start(builder, &Context::new()));
    }
    // Whatever is current where this is polled has no part in it.
    Some(instrumentation.start(builder, &remote.attach_to(&Context::new())))
}

fn end(mut guard: SpanGuard, hop: &Hop, settings: &Settings) {
    let context = guard.context().clone();
    let span = context.span();
    let known = hop.points().iter().filter_map(|Point { at, what }| {
        let (name, attributes) = attributes::point(what, &settings.subjects)?;
        Some((name, *at, attributes))
    });
    for (name, at, attributes) in known.take(MAX_POINTS) {
        span.add_event_with_timestamp(name, at, attributes);
    }
    guard.end_at(error::ending(hop), hop.end());
}
