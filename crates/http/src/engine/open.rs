use super::Semantics;
use super::call::Call;
use bytes::Buf;
use dynamo_trace_core::Ending;
use http::HeaderMap;
use http_body::Frame;

/// A call whose response head is in, and whose span ends with the body.
#[derive(Debug)]
pub(super) struct Open<M> {
    pub(super) call: Call<M>,
    /// The ending if the body comes to its end.
    ending: Ending,
    /// It stands, whatever becomes of the body.
    decided: bool,
    /// `content-length`: a server stops polling once that much was sent.
    length: Option<u64>,
}

impl<M: Semantics> Open<M> {
    pub(super) const fn new(
        call: Call<M>,
        ending: Ending,
        decided: bool,
        length: Option<u64>,
    ) -> Self {
        Self {
            call,
            ending,
            decided,
            length,
        }
    }

    /// Takes note of what the body gave, and tells whether that was the last of it.
    pub(super) fn observe<D: Buf, E: 'static>(
        &mut self,
        polled: Option<&Result<Frame<D>, E>>,
    ) -> bool {
        let frame = match polled {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.decide(|call| Some(call.semantics.on_error(&call.kind, error, &call.span)));
                return true;
            }
            None => return true,
        };
        if let Some(data) = frame.data_ref()
            && self.call.span.is_recording()
        {
            self.call.summary.count(data.remaining());
        }
        // Servers poll for nothing behind the trailers.
        let trailers = frame.trailers_ref();
        if let Some(trailers) = trailers {
            self.decide_by(trailers);
        }
        trailers.is_some()
    }

    /// The body came to its end.
    pub(super) fn end(mut self) {
        self.decide_by(&HeaderMap::new());
        self.summarize();
        self.call.span.end(self.ending);
    }

    /// The consumer went away; after the last byte that is no cancellation.
    pub(super) fn end_dropped(self) {
        let all_sent = self.length == Some(self.call.summary.bytes);
        if self.decided || (all_sent && self.ending == Ending::Complete) {
            self.end();
        } else {
            self.summarize();
            self.call.give_up();
        }
    }

    /// The body panicked.
    pub(super) fn end_unwinding(self) {
        self.summarize();
    }

    fn summarize(&self) {
        let call = &self.call;
        if call.span.is_recording() {
            call.semantics
                .on_body_end(&call.kind, &call.summary, &call.span);
        }
    }

    fn decide_by(&mut self, trailers: &HeaderMap) {
        self.decide(|call| call.semantics.on_trailers(&call.kind, trailers, &call.span));
    }

    /// Takes this ending, if there is one and none was decided before.
    fn decide(&mut self, ending: impl FnOnce(&Call<M>) -> Option<Ending>) {
        if self.decided || !self.call.span.is_recording() {
            return;
        }
        self.decided = true;
        if let Some(ending) = ending(&self.call) {
            self.ending = ending;
        }
    }
}
