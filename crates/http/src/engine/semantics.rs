use super::error::error_type;
use super::{Record, Settings, StreamSummary};
use dynamo_trace_core::{Detail, Ending};
use http::{HeaderMap, Request, Response};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::fmt;
use std::time::Duration;

/// What a protocol's semantic conventions say of a call.
///
/// But for [`start`](Self::start) and [`spans_body`](Self::spans_body), methods are called only
/// if somebody sees what they do: the span records, the call is measured, or the semantics
/// [act](Self::acts) themselves.
pub trait Semantics: Clone + fmt::Debug + Send + Sync + Sized + 'static {
    /// Name and version of the instrumentation scope.
    const SCOPE: (&'static str, &'static str);

    /// Whether a response may be a stream of server-sent events, or have a length that only its
    /// header says.
    const HAS_EVENT_STREAMS: bool = true;

    /// What is remembered of one call.
    type Call: Default + fmt::Debug + Send + 'static;

    /// What becomes of response bodies: see [`WrapBody`](super::WrapBody).
    type Bodies;

    /// The settings of a layer that was given none, one for the whole process.
    fn defaults() -> &'static Settings<Self>;

    /// Whether `call` of this service does nothing but to make a future, so that the span need
    /// not be current yet.
    #[must_use]
    fn calls_lazily<S: 'static>() -> bool {
        false
    }

    /// Whether the semantics do something to calls that nobody records: change their responses,
    /// for example.
    fn acts(&self) -> bool {
        false
    }

    /// The span's name and, if the detail asks for them, its attributes. Kind and links are set
    /// by the engine.
    fn start<B>(
        &self,
        kind: &SpanKind,
        request: &Request<B>,
        detail: Detail,
        call: &mut Self::Call,
    ) -> SpanBuilder;

    /// Takes note of what has to be remembered of this call, behind what [`start`](Self::start)
    /// did, if there was a span to start.
    fn remember<B: 'static>(
        &self,
        kind: &SpanKind,
        request: &mut Request<B>,
        call: &mut Self::Call,
    );

    /// What is measured, and the attributes that are known from the start.
    fn measures<B>(&self, kind: &SpanKind, request: &Request<B>) -> Measures;

    /// Adds what the response head says, and tells what ends the span.
    fn on_head<B>(&self, record: &mut Record<Self::Call>, response: &mut Response<B>) -> Head;

    /// Adds what is to be said of a call that ends without a response head: with an error of the
    /// service, a panic of it, or a drop. Nothing by default.
    fn on_no_head(&self, _record: &mut Record<Self::Call>) {}

    /// Whether the span lasts as long as the body of this response, which is then made with the
    /// span current; asked only where nobody records the call, as else
    /// [`on_head`](Self::on_head) says it. By default it does.
    fn spans_body<B>(&self, _kind: &SpanKind, _response: &Response<B>) -> bool {
        true
    }

    /// Takes note of a chunk of the response body. Nothing by default.
    fn on_data(&self, _record: &mut Record<Self::Call>, _data: &impl bytes::Buf) {}

    /// Adds what the trailers say, and tells the ending if they decide it; at the end of a body
    /// that had none they are empty.
    fn on_trailers(&self, record: &mut Record<Self::Call>, trailers: &HeaderMap) -> Option<Ending>;

    /// Adds what an error of the service or of the response body says, and tells the ending: by
    /// default failed, with [`error_type`].
    fn on_error<E: 'static>(&self, _record: &mut Record<Self::Call>, error: &E) -> Ending {
        Ending::failed(error_type(error))
    }

    /// Tells the ending of a call that is dropped this long after its start, if it is another
    /// than that of any drop (see [`Ending::dropped`]).
    fn on_drop(&self, _record: &mut Record<Self::Call>, _elapsed: Duration) -> Option<Ending> {
        None
    }

    /// Adds what was counted of the body.
    fn on_body_end(&self, record: &mut Record<Self::Call>, summary: &StreamSummary);
}

/// What a response head means for the span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// The span ends now.
    Ends(Ending),
    /// The span ends with the body; in this way, if the body comes to its end and no trailers
    /// say otherwise.
    Streams(Ending),
    /// The span ends with the body, in this way whatever becomes of the body, but for a panic.
    Decided(Ending),
}

/// The instruments of a protocol.
#[derive(Clone, Debug)]
pub struct Measures {
    /// The histogram of durations, in seconds.
    pub duration: &'static str,
    /// The counter of active calls, and its attributes.
    pub active: Option<(&'static str, Vec<KeyValue>)>,
    /// The attributes of the duration.
    pub attributes: Vec<KeyValue>,
}
