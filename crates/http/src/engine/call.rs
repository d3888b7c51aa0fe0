use super::open::Open;
use super::{Head, ResponseBody, Semantics, StreamSummary};
use dynamo_trace_core::{Ending, SpanGuard};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use opentelemetry::trace::SpanKind;

/// A call whose span is open: what the future hands on to the body.
#[derive(Debug)]
pub(super) struct Call<M> {
    pub(super) span: SpanGuard,
    pub(super) semantics: M,
    pub(super) kind: SpanKind,
    pub(super) summary: StreamSummary,
    method: Method,
}

impl<M: Semantics> Call<M> {
    pub(super) fn new<B>(
        span: SpanGuard,
        semantics: &M,
        kind: SpanKind,
        request: &Request<B>,
    ) -> Self {
        Self {
            semantics: semantics.for_call(&kind, request),
            summary: StreamSummary::starting_now(),
            method: request.method().clone(),
            span,
            kind,
        }
    }

    /// The response, with the span in its body unless it ends with the head.
    pub(super) fn respond<B: Body>(
        mut self,
        response: Response<B>,
    ) -> Response<ResponseBody<B, M>> {
        let head = if self.span.is_recording() {
            self.semantics.on_head(&self.kind, &response, &self.span)
        } else {
            Head::Streams(Ending::Complete)
        };
        let (ending, decided) = match head {
            Head::Ends(ending) => return self.end_at(response, ending),
            Head::Streams(ending) => (ending, false),
            Head::Decided(ending) => (ending, true),
        };
        if has_no_body(&self.method, response.status()) {
            return self.end_at(response, ending);
        }
        let text = |name| response.headers().get(name)?.to_str().ok();
        let length = text(CONTENT_LENGTH)
            .and_then(|length| length.parse().ok())
            .or_else(|| response.body().size_hint().exact());
        self.summary.event_stream =
            text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/event-stream"));
        let open = Open::new(self, ending, decided, length);
        response.map(|body| ResponseBody::streaming(body, open))
    }

    fn end_at<B: Body>(
        self,
        response: Response<B>,
        ending: Ending,
    ) -> Response<ResponseBody<B, M>> {
        self.span.end(ending);
        response.map(ResponseBody::ended)
    }

    /// The call failed.
    pub(super) fn fail<E: 'static>(self, error: &E) {
        if self.span.is_recording() {
            let ending = self.semantics.on_error(&self.kind, error, &self.span);
            self.span.end(ending);
        }
    }

    /// The call was given up.
    pub(super) fn give_up(self) {
        if self.span.is_recording() {
            let elapsed = self.summary.elapsed();
            let ending = self.semantics.on_drop(&self.kind, elapsed, &self.span);
            if let Some(ending) = ending {
                self.span.end(ending);
            }
            // Else the guard's drop tells a cancellation from a shutdown or a panic.
        }
    }
}

/// Whether nobody reads the response's body, whatever the service gave: RFC 9110, 6.4.1. Servers
/// drop it unpolled.
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || (*method == Method::CONNECT && status.is_success())
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
