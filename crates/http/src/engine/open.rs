use super::Semantics;
use super::call::Record;
use bytes::Buf;
use dynamo_trace_core::Ending;
use http::HeaderMap;
use http_body::Frame;

/// A call whose response head is in, and whose span ends with the body.
#[derive(Debug)]
pub(super) struct Open<M> {
    pub(super) record: Record<M>,
    /// The ending if the body comes to its end.
    ending: Ending,
    /// It stands, whatever becomes of the body.
    decided: bool,
    /// `content-length`: a server stops polling once that much was sent.
    length: Option<u64>,
}

impl<M: Semantics> Open<M> {
    pub(super) const fn new(
        record: Record<M>,
        ending: Ending,
        decided: bool,
        length: Option<u64>,
    ) -> Self {
        Self {
            record,
            ending,
            decided,
            length,
        }
    }

    /// Takes note of what the body gave, `last` by its own word or not, and tells whether that
    /// was the last of it.
    pub(super) fn observe<D: Buf, E: 'static>(
        &mut self,
        polled: Option<&Result<Frame<D>, E>>,
        last: bool,
    ) -> bool {
        let frame = match polled {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.decide(|record| {
                    let Record {
                        semantics,
                        kind,
                        span,
                        ..
                    } = record;
                    Some(semantics.on_error(kind, error, span))
                });
                return true;
            }
            None => return true,
        };
        if let Some(data) = frame.data_ref() {
            self.record.summary.count(data.remaining(), last);
        }
        // Servers poll for nothing behind the trailers.
        let trailers = frame.trailers_ref();
        if let Some(trailers) = trailers {
            self.decide_by(trailers);
        }
        last || trailers.is_some()
    }

    /// The body came to its end.
    pub(super) fn end(mut self) {
        self.decide_by(&HeaderMap::new());
        self.summarize();
        self.record.span.end(self.ending);
    }

    /// The consumer went away; after the last byte that is no cancellation.
    pub(super) fn end_dropped(self) {
        let all_sent = self.length == Some(self.record.summary.bytes);
        if self.decided || (all_sent && self.ending == Ending::Complete) {
            self.end();
        } else {
            self.summarize();
            self.record.give_up();
        }
    }

    /// The body panicked.
    pub(super) fn end_unwinding(self) {
        self.summarize();
    }

    fn summarize(&self) {
        let Record {
            semantics,
            kind,
            summary,
            span,
            ..
        } = &self.record;
        semantics.on_body_end(kind, summary, span);
    }

    fn decide_by(&mut self, trailers: &HeaderMap) {
        self.decide(|record| {
            let Record {
                semantics,
                kind,
                span,
                ..
            } = record;
            semantics.on_trailers(kind, trailers, span)
        });
    }

    /// Takes this ending, if there is one and none was decided before.
    fn decide(&mut self, ending: impl FnOnce(&Record<M>) -> Option<Ending>) {
        if std::mem::replace(&mut self.decided, true) {
            return;
        }
        if let Some(ending) = ending(&self.record) {
            self.ending = ending;
        }
    }
}
