use super::attributes::{ENDING, ERROR_TYPE};
use super::future::InSpan;
use super::stream::StreamInSpan;
use super::{Ending, Verdict};
use futures_core::Stream;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, ContextGuard, KeyValue};
use std::time::SystemTime;

/// A span that ends exactly once: by [`end`](Self::end), or when the guard is dropped. A drop
/// means that the span was cancelled; in a panic that it failed, and after
/// [`begin_shutdown`](super::begin_shutdown) that the process went down. Clones of its context do
/// not keep the span from ending.
#[derive(Debug)]
#[must_use = "dropping the guard ends the span as cancelled"]
pub struct SpanGuard {
    context: Context,
    recording: bool,
    verdict: Option<Verdict>,
}

impl SpanGuard {
    pub(crate) const fn recording(context: Context) -> Self {
        Self {
            context,
            recording: true,
            verdict: None,
        }
    }

    pub(crate) const fn not_recording(context: Context) -> Self {
        Self {
            context,
            recording: false,
            verdict: None,
        }
    }

    /// Lets the span end as failed if `verdict` says so by then, whatever its ending.
    pub fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// The context in which the span is current.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The ids of the span.
    #[must_use]
    pub fn span_context(&self) -> SpanContext {
        self.context.span().span_context().clone()
    }

    /// Whether attributes are worth building: the span records them and has not ended.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.recording
    }

    /// The context alone. A span that records ends as if the guard were dropped.
    #[must_use]
    pub fn into_context(mut self) -> Context {
        if self.recording {
            self.end_at(Ending::dropped(), SystemTime::now());
        }
        std::mem::take(&mut self.context)
    }

    /// Adds attributes, if the span records; the iterator is not touched otherwise.
    pub fn set_attributes(&self, attributes: impl IntoIterator<Item = KeyValue>) {
        if self.recording {
            self.context.span().set_attributes(attributes);
        }
    }

    /// Ends the span now.
    pub fn end(mut self, ending: Ending) {
        if self.recording {
            self.end_at(ending, SystemTime::now());
        }
    }

    /// Ends the span as of this time and keeps its context. Nothing happens where the span has
    /// ended before.
    pub fn end_at(&mut self, ending: Ending, time: SystemTime) {
        if !std::mem::take(&mut self.recording) {
            return;
        }
        let verdict = self.verdict.as_ref().and_then(Verdict::error_type);
        let ending = verdict.map_or(ending, Ending::Failed);
        let span = self.context.span();
        if ending != Ending::Complete {
            span.set_attribute(KeyValue::new(ENDING, ending.as_str()));
        }
        if let Ending::Failed(error_type) = ending {
            span.set_attribute(KeyValue::new(ERROR_TYPE, error_type));
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(time);
    }

    /// Runs a future inside the span, which ends complete with the future, or cancelled when it
    /// is dropped before.
    pub fn run<F: Future>(self, future: F) -> InSpan<F> {
        self.run_judged(future, |_| Ending::Complete)
    }

    /// Runs a future inside the span, which ends as `judge` says of the output.
    pub fn run_judged<F: Future>(self, future: F, judge: fn(&F::Output) -> Ending) -> InSpan<F> {
        InSpan::new(future, self, judge)
    }

    /// Runs a stream inside the span, which ends complete after the last item, or cancelled when
    /// the stream is dropped before.
    pub fn run_stream<S: Stream>(self, stream: S) -> StreamInSpan<S> {
        StreamInSpan::new(stream, self)
    }
}

/// Makes the span current, while there is one.
pub(super) fn attach(guard: &Option<SpanGuard>) -> Option<ContextGuard> {
    let context = guard.as_ref()?.context().clone();
    Some(context.attach())
}

impl Drop for SpanGuard {
    fn drop(&mut self) {
        if self.recording {
            self.end_at(Ending::dropped(), SystemTime::now());
        }
    }
}
