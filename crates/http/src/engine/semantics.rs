use super::StreamSummary;
use super::error::error_type;
use dynamo_trace_core::{Detail, Ending, SpanGuard};
use http::{HeaderMap, Request, Response};
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::time::Duration;

/// What a protocol's semantic conventions say of a span. Cheap to clone: a configuration behind
/// an `Arc`, or nothing.
///
/// But for [`start`](Self::start) and [`spans_body`](Self::spans_body), methods are called only
/// if the span records.
pub trait Semantics: Clone + Send + Sync + 'static {
    /// Name and version of the instrumentation scope.
    const SCOPE: (&'static str, &'static str);

    /// The span's name and, if the detail asks for them, its attributes. Kind and links are set
    /// by the engine.
    fn start<B>(&self, kind: &SpanKind, request: &Request<B>, detail: Detail) -> SpanBuilder;

    /// The semantics of this one call, where it has to be remembered: a clone by default.
    #[must_use]
    fn for_call<B>(&self, _kind: &SpanKind, _request: &Request<B>) -> Self {
        self.clone()
    }

    /// Adds what the response head says, and tells what ends the span.
    fn on_head<B>(&self, kind: &SpanKind, response: &Response<B>, span: &SpanGuard) -> Head;

    /// Adds what is to be said of a call that ends without a response head: with an error of the
    /// service, a panic of it, or a drop. Nothing by default.
    fn on_no_head(&self, _kind: &SpanKind, _span: &SpanGuard) {}

    /// Whether the span lasts as long as the body of this response, which is then made with the
    /// span current; asked only where the span does not record, as else
    /// [`on_head`](Self::on_head) says it. By default it does.
    fn spans_body<B>(&self, _kind: &SpanKind, _response: &Response<B>) -> bool {
        true
    }

    /// Adds what the trailers say, and tells the ending if they decide it; at the end of a body
    /// that had none they are empty.
    fn on_trailers(
        &self,
        kind: &SpanKind,
        trailers: &HeaderMap,
        span: &SpanGuard,
    ) -> Option<Ending>;

    /// Adds what an error of the service or of the response body says, and tells the ending: by
    /// default failed, with [`error_type`].
    fn on_error<E: 'static>(&self, _kind: &SpanKind, error: &E, _span: &SpanGuard) -> Ending {
        Ending::failed(error_type(error))
    }

    /// Tells the ending of a call that is dropped this long after its start, if it is another
    /// than that of any drop (see [`SpanGuard`]).
    fn on_drop(&self, _kind: &SpanKind, _elapsed: Duration, _span: &SpanGuard) -> Option<Ending> {
        None
    }

    /// Adds what was counted of the body.
    fn on_body_end(&self, kind: &SpanKind, summary: &StreamSummary, span: &SpanGuard);
}

/// What a response head means for the span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// The span ends now.
    Ends(Ending),
    /// The span ends with the body; in this way, if the body comes to its end and no trailers
    /// say otherwise.
    Streams(Ending),
    /// The span ends with the body, in this way whatever becomes of the body.
    Decided(Ending),
}
