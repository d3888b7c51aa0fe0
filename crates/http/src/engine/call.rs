use super::open::Open;
use super::{Head, ResponseBody, Semantics, StreamSummary};
use dynamo_trace_core::{Detail, SpanGuard};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use opentelemetry::Context;
use opentelemetry::trace::SpanKind;
use std::time::SystemTime;

/// A call under way: what the future hands on to the body.
#[derive(Debug)]
pub(super) enum Call<M> {
    /// Its span is not recorded: there is a context to run in, and nothing to note.
    Passing(Unrecorded<M>),
    /// Its span is open.
    Recorded(Record<M>),
}

/// A call that nobody records.
#[derive(Debug)]
pub(super) struct Unrecorded<M> {
    pub(super) context: Context,
    pub(super) semantics: M,
    pub(super) kind: SpanKind,
}

/// A call whose span is open.
#[derive(Debug)]
pub(super) struct Record<M> {
    pub(super) span: SpanGuard,
    pub(super) semantics: M,
    pub(super) kind: SpanKind,
    pub(super) summary: StreamSummary,
    bodiless: Bodiless,
}

/// The methods whose responses have no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bodiless {
    Head,
    Connect,
    No,
}

impl<M: Semantics> Call<M> {
    pub(super) const fn context(&self) -> &Context {
        match self {
            Self::Passing(call) => &call.context,
            Self::Recorded(record) => record.span.context(),
        }
    }

    /// The response, with the span in its body unless it ends with the head.
    pub(super) fn respond<B: Body>(self, response: Response<B>) -> Response<ResponseBody<B, M>> {
        match self {
            Self::Passing(call) if call.semantics.spans_body(&call.kind, &response) => {
                response.map(|body| ResponseBody::passing(body, call.context))
            }
            Self::Passing(_) => response.map(ResponseBody::ended),
            Self::Recorded(record) => record.respond(response),
        }
    }

    /// The call failed.
    pub(super) fn fail<E: 'static>(self, error: &E) {
        if let Self::Recorded(record) = self {
            record.has_no_head();
            let ending = record.semantics.on_error(&record.kind, error, &record.span);
            record.span.end(ending);
        }
    }

    /// The call was given up.
    pub(super) fn give_up(self) {
        if let Self::Recorded(record) = self {
            record.has_no_head();
            record.give_up();
        }
    }

    /// The service panicked: the guard's drop ends the span as failed.
    pub(super) fn panicked(self) {
        if let Self::Recorded(record) = self {
            record.has_no_head();
        }
    }
}

impl<M: Semantics> Record<M> {
    /// `start` is when the span started, where its builder was asked for all detail; where it
    /// was not, and the sampler records all the same, the span gets its attributes now.
    pub(super) fn new<B>(
        span: SpanGuard,
        semantics: &M,
        kind: SpanKind,
        request: &Request<B>,
        start: Option<SystemTime>,
    ) -> Self {
        let start = start.unwrap_or_else(|| {
            let full = semantics.start(&kind, request, Detail::Full);
            span.set_attributes(full.attributes.into_iter().flatten());
            SystemTime::now()
        });
        Self {
            semantics: semantics.for_call(&kind, request),
            summary: StreamSummary::starting_at(start),
            bodiless: match *request.method() {
                Method::HEAD => Bodiless::Head,
                Method::CONNECT => Bodiless::Connect,
                _ => Bodiless::No,
            },
            span,
            kind,
        }
    }

    fn respond<B: Body>(mut self, response: Response<B>) -> Response<ResponseBody<B, M>> {
        let head = self.semantics.on_head(&self.kind, &response, &self.span);
        let (ending, decided) = match head {
            Head::Ends(ending) => {
                self.span.end(ending);
                return response.map(ResponseBody::ended);
            }
            Head::Streams(ending) => (ending, false),
            Head::Decided(ending) => (ending, true),
        };
        if self.has_no_body(response.status()) {
            self.span.end(ending);
            return response.map(ResponseBody::ended);
        }
        let text = |name| response.headers().get(name)?.to_str().ok();
        let length = text(CONTENT_LENGTH)
            .and_then(|length| length.parse().ok())
            .or_else(|| response.body().size_hint().exact());
        self.summary.event_stream = text(CONTENT_TYPE).is_some_and(is_event_stream);
        let open = Open::new(self, ending, decided, length);
        response.map(|body| ResponseBody::streaming(body, open))
    }

    fn has_no_head(&self) {
        self.semantics.on_no_head(&self.kind, &self.span);
    }

    /// Whether nobody reads the response's body, whatever the service gave: RFC 9110, 6.4.1.
    /// Servers drop it unpolled.
    fn has_no_body(&self, status: StatusCode) -> bool {
        self.bodiless == Bodiless::Head
            || (self.bodiless == Bodiless::Connect && status.is_success())
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
    }

    pub(super) fn give_up(self) {
        let elapsed = self.summary.elapsed();
        let ending = self.semantics.on_drop(&self.kind, elapsed, &self.span);
        if let Some(ending) = ending {
            self.span.end(ending);
        }
        // Else the guard's drop tells a cancellation from a shutdown or a panic.
    }
}

/// Media types compare in any case: RFC 9110, 8.3.1.
fn is_event_stream(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/event-stream")
}
