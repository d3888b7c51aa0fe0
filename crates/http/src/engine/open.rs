use super::{Boundary, Head, Record, Semantics, StreamSummary};
use bytes::Buf;
use dynamo_trace_core::Ending;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::{Body, Frame};

type CallOf<L> = <<L as Boundary>::Semantics as Semantics>::Call;

/// A call whose span is open, or which is measured. However it goes, it ends once: a drop before
/// the end ends it as such.
#[derive(Debug)]
pub(super) struct Open<L: Boundary> {
    pub(super) record: Record<CallOf<L>>,
    layer: L,
    phase: Phase,
    summary: StreamSummary,
}

#[derive(Debug)]
enum Phase {
    /// No response head yet.
    Waiting(Bodiless),
    /// The response head is in; the span ends with the body.
    Streaming {
        /// The ending if the body comes to its end.
        ending: Ending,
        /// It stands, whatever becomes of the body.
        decided: bool,
        /// `content-length`: a server stops polling once that much was sent.
        length: Option<u64>,
    },
    Ended,
}

/// The methods whose responses have no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bodiless {
    Head,
    Connect,
    No,
}

impl Bodiless {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::No,
        }
    }

    /// Whether nobody reads the response's body, whatever the service gave: RFC 9110, 6.4.1.
    /// Servers drop it unpolled.
    fn has_no_body(self, status: StatusCode) -> bool {
        self == Self::Head
            || (self == Self::Connect && status.is_success())
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
    }
}

impl<L: Boundary> Open<L> {
    pub(super) fn new(record: Record<CallOf<L>>, layer: L, bodiless: Bodiless) -> Self {
        Self {
            record,
            layer,
            phase: Phase::Waiting(bodiless),
            summary: StreamSummary::default(),
        }
    }

    /// Takes note of the response head, and tells whether the body is still to come.
    pub(super) fn streams<B: Body>(&mut self, response: &mut Response<B>) -> bool {
        let semantics = &self.layer.settings().semantics;
        let head = semantics.on_head(&mut self.record, response);
        let Phase::Waiting(bodiless) = self.phase else {
            return false;
        };
        let (ending, decided) = match head {
            Head::Ends(ending) => {
                self.end(ending);
                return false;
            }
            Head::Streams(ending) => (ending, false),
            Head::Decided(ending) => (ending, true),
        };
        if bodiless.has_no_body(response.status()) {
            self.end(ending);
            return false;
        }
        let mut length = response.body().size_hint().exact();
        // A body of known length is no stream of events.
        if length.is_none() && L::Semantics::HAS_EVENT_STREAMS {
            let text = |name| response.headers().get(name)?.to_str().ok();
            self.summary.event_stream = text(CONTENT_TYPE).is_some_and(is_event_stream);
            length = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        }
        self.phase = Phase::Streaming {
            ending,
            decided,
            length,
        };
        // An empty one is never polled.
        let is_over = response.body().is_end_stream();
        if is_over {
            self.complete();
        }
        !is_over
    }

    /// The service failed.
    pub(super) fn fail<E: 'static>(&mut self, error: &E) {
        let semantics = &self.layer.settings().semantics;
        semantics.on_no_head(&mut self.record);
        let ending = semantics.on_error(&mut self.record, error);
        self.end(ending);
    }

    /// Takes note of what the body gave, `last` by its own word or not.
    pub(super) fn observe<D: Buf, E: 'static>(
        &mut self,
        polled: Option<&Result<Frame<D>, E>>,
        last: bool,
    ) {
        let frame = match polled {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.decide(|semantics, record| Some(semantics.on_error(record, error)));
                return;
            }
            None => return,
        };
        // HTTP/2 may end a body by a frame of no data.
        if let Some(data) = frame.data_ref().filter(|data| data.has_remaining()) {
            let record = &mut self.record;
            self.summary.count(data.remaining(), last, record.start());
            self.layer.settings().semantics.on_data(record, data);
        }
        if let Some(trailers) = frame.trailers_ref() {
            self.decide(|semantics, record| semantics.on_trailers(record, trailers));
        }
    }

    /// The body came to its end.
    pub(super) fn complete(&mut self) {
        self.decide(|semantics, record| semantics.on_trailers(record, &HeaderMap::new()));
        if let Phase::Streaming { ending, .. } = &mut self.phase {
            let ending = std::mem::replace(ending, Ending::Complete);
            self.summarize();
            self.end(ending);
        }
    }

    fn summarize(&mut self) {
        let semantics = &self.layer.settings().semantics;
        semantics.on_body_end(&mut self.record, &self.summary);
    }

    fn end(&mut self, ending: Ending) {
        self.phase = Phase::Ended;
        self.record.end(ending);
    }

    /// Takes this ending, if there is one and none was decided before.
    fn decide(
        &mut self,
        decision: impl FnOnce(&L::Semantics, &mut Record<CallOf<L>>) -> Option<Ending>,
    ) {
        if let Phase::Streaming {
            ending, decided, ..
        } = &mut self.phase
            && !std::mem::replace(decided, true)
            && let Some(other) = decision(&self.layer.settings().semantics, &mut self.record)
        {
            *ending = other;
        }
    }

    /// Its own ending, if dropped now.
    fn dropped(&mut self) -> Ending {
        let ending = Ending::dropped();
        if ending != Ending::Cancelled {
            return ending;
        }
        let elapsed = self.record.elapsed();
        let semantics = &self.layer.settings().semantics;
        semantics
            .on_drop(&mut self.record, elapsed)
            .unwrap_or(ending)
    }
}

impl<L: Boundary> Drop for Open<L> {
    fn drop(&mut self) {
        match &self.phase {
            Phase::Ended => {}
            Phase::Waiting(_) => {
                let semantics = &self.layer.settings().semantics;
                semantics.on_no_head(&mut self.record);
                let ending = self.dropped();
                self.end(ending);
            }
            Phase::Streaming {
                ending,
                decided,
                length,
            } => {
                // After the last byte it is no cancellation that the consumer goes away.
                let all_sent = *length == Some(self.summary.bytes);
                if !std::thread::panicking()
                    && (*decided || (all_sent && *ending == Ending::Complete))
                {
                    self.complete();
                } else {
                    self.summarize();
                    let ending = self.dropped();
                    self.end(ending);
                }
            }
        }
    }
}

/// Media types compare in any case: RFC 9110, 8.3.1.
fn is_event_stream(content_type: &str) -> bool {
    const EVENT_STREAM: &str = "text/event-stream";
    let kind = content_type.trim_start();
    kind.split_at_checked(EVENT_STREAM.len())
        .is_some_and(|(kind, rest)| {
            kind.eq_ignore_ascii_case(EVENT_STREAM)
                && matches!(rest.as_bytes(), [] | [b';' | b' ' | b'\t', ..])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_is_known_by_its_whole_type() {
        for (content_type, expected) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-stream ;a", true),
            ("text/event-streams", false),
            ("text/event", false),
            ("text/event-strea\u{e9}", false),
            ("", false),
        ] {
            assert_eq!(is_event_stream(content_type), expected, "{content_type}");
        }
    }
}
