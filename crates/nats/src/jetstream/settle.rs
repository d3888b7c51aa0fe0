use super::consumer::Origin;
use super::message::Facts;
use super::{attributes, error_type};
use crate::attributes::Operation;
use async_nats::Error;
use async_nats::jetstream::AckKind;
use dynamo_trace_core::{Detail, Ending};
use opentelemetry::trace::{Link, SpanBuilder, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

/// How the settlement of a message is recorded: `ack`, `nak`, `term`, `in-progress`, `next`.
///
/// Only what is called is recorded. An event and a span have the sequence of the message, the
/// delay of a `nak` that has one, and the `error.type` of a settlement that could not be sent:
/// `timeout`, `connection_closed`, `invalid_subject` or `_OTHER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settlement {
    /// A plain settlement is an event of the current span, which in
    /// [`process`](crate::Received::process) is that of the work: it is handed to the connection
    /// and answered by nobody, so that a span of its own would show no time and no outcome, at
    /// the cost of one more span for each message. Where no span is current there is no record.
    ///
    /// A double acknowledgement waits for the server and can time out: it is a span.
    #[default]
    Events,
    /// Each is a CLIENT span `ack {filter or subject}`, linked to the message's creation context.
    Spans,
    /// There is no record.
    Off,
}

/// The message that is settled.
pub(super) struct Settled<'m> {
    pub(super) origin: &'m Origin,
    pub(super) subject: &'m str,
    pub(super) facts: Option<Facts>,
}

impl Settled<'_> {
    /// Runs `settling`, and records it. `confirmed`: it waits for the server.
    pub(super) async fn run(
        self,
        kind: AckKind,
        confirmed: bool,
        link: impl FnOnce() -> Option<Link>,
        settling: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        match self.origin.settlement() {
            Settlement::Off => settling.await,
            Settlement::Events if !confirmed => {
                let output = settling.await;
                self.add_event(kind, &output);
                output
            }
            _ => {
                let span = |detail| self.span(kind, confirmed, link, detail);
                let instrumentation = self.origin.instrumentation();
                let guard = instrumentation.start_with(Context::current(), span);
                guard.run_judged(settling, judge).await
            }
        }
    }

    fn add_event(&self, kind: AckKind, output: &Result<(), Error>) {
        Context::map_current(|cx| {
            let span = cx.span();
            if span.is_recording() {
                let error = output.as_ref().err().map(error_type::not_settled);
                let error = error.map(attributes::error_type);
                let attributes = self.attributes(kind).chain(error).collect();
                span.add_event(operation(kind).name(), attributes);
            }
        });
    }

    fn span(
        &self,
        kind: AckKind,
        confirmed: bool,
        link: impl FnOnce() -> Option<Link>,
        detail: Detail,
    ) -> SpanBuilder {
        let (operation, side) = (operation(kind), SpanKind::Client);
        let builder = self
            .origin
            .span_of(operation, side, self.subject, detail, || {
                let awaited = confirmed.then(|| attributes::ack_awaited(true));
                self.attributes(kind).chain(awaited)
            });
        match detail {
            Detail::Full => builder.with_links(link().into_iter().collect()),
            Detail::Name => builder,
        }
    }

    fn attributes(&self, kind: AckKind) -> impl Iterator<Item = KeyValue> {
        let delay = match kind {
            AckKind::Nak(delay) => delay,
            _ => None,
        };
        let sequence = self.facts.map(|facts| attributes::sequence(facts.sequence));
        let delay = delay.map(attributes::redelivery_delay);
        sequence.into_iter().chain(delay)
    }
}

const fn operation(kind: AckKind) -> Operation {
    match kind {
        AckKind::Ack => Operation::Ack,
        AckKind::Nak(_) => Operation::Nak,
        AckKind::Progress => Operation::InProgress,
        AckKind::Next => Operation::Next,
        AckKind::Term => Operation::Term,
    }
}

fn judge(output: &Result<(), Error>) -> Ending {
    match output {
        Ok(()) => Ending::Complete,
        Err(error) => Ending::failed(error_type::not_settled(error)),
    }
}
