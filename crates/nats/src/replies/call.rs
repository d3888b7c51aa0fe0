use crate::attributes;
use async_nats::Message;
use dynamo_trace_core::span::StreamSummary;
use dynamo_trace_core::{Ending, SpanGuard};
use std::borrow::Cow;
use std::time::SystemTime;

/// The span of a request, and what it has to show at its end.
///
/// Dropped before that, the span ends so, and shows what there was.
#[derive(Debug)]
pub(crate) struct Call {
    guard: Option<SpanGuard>,
    /// Where there is something to count for: a span that records.
    start: Option<SystemTime>,
    summary: StreamSummary,
    /// The code of the first reply that said that it is an error.
    error: Option<Cow<'static, str>>,
}

impl Call {
    /// Of a request that is sent now.
    pub(crate) fn new(guard: SpanGuard) -> Self {
        Self {
            start: guard.is_recording().then(SystemTime::now),
            guard: Some(guard),
            summary: StreamSummary::default(),
            error: None,
        }
    }

    /// Asks the user whether this reply is the last one.
    pub(super) fn ask(
        &mut self,
        is_last: &mut (impl FnMut(&Message) -> bool + ?Sized),
        reply: &Message,
    ) -> bool {
        // Dropped in a panic, it fails.
        let guard = self.guard.take();
        let is_last = is_last(reply);
        self.guard = guard;
        is_last
    }

    /// Takes note of a reply, the last one or not.
    pub(super) fn count(&mut self, reply: &Message, is_last: bool) {
        let Some(start) = self.start else { return };
        let bytes = reply.payload.len();
        if bytes > 0 || !is_last {
            self.summary.count(bytes, is_last, start);
        }
        if self.error.is_none() {
            self.error = attributes::service_error(reply);
        }
    }

    pub(crate) fn end(mut self, ending: Ending) {
        self.finish(ending);
    }

    fn finish(&mut self, ending: Ending) {
        let Some(guard) = self.guard.take() else {
            return;
        };
        guard.set_attributes(self.summary.attributes().into_iter().flatten());
        guard.end(self.error.take().map_or(ending, Ending::Failed));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(Ending::dropped());
    }
}
