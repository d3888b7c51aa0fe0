use super::call::{Call, Record, Unrecorded};
use super::filter::{Filter, RequestHead};
use super::layer::Settings;
use super::{ResponseBody, ResponseFuture, Semantics, Side, TraceLayer};
use dynamo_trace_core::Detail;
use dynamo_trace_core::span::OnUnwind;
use http::{Request, Response};
use http_body::Body;
use std::task::{Context, Poll};
use std::time::SystemTime;
use tower_service::Service;

/// A service whose calls are spans. Made by [`TraceLayer`].
///
/// Calls the service inside only after that was ready, and is ready when that is; an error of
/// its `poll_ready` makes no span. A clone shares tracer and propagation.
///
/// # Cancel safety
///
/// Dropping the response future or the response body drops what is inside, with the span
/// current, and ends the span as cancelled.
#[derive(Clone, Debug)]
pub struct Trace<S, D, M> {
    inner: S,
    layer: TraceLayer<D, M>,
}

impl<S, D, M> Trace<S, D, M> {
    pub(super) const fn new(inner: S, layer: TraceLayer<D, M>) -> Self {
        Self { inner, layer }
    }

    /// The service inside.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, D, M, B, R> Service<Request<B>> for Trace<S, D, M>
where
    S: Service<Request<B>, Response = Response<R>, Error: 'static>,
    R: Body<Error: 'static>,
    D: Side,
    M: Semantics,
{
    type Response = Response<ResponseBody<R, M>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Settings {
            instrumentation,
            trust,
            semantics,
            filter,
        } = &*self.layer.settings;
        let propagation = instrumentation.propagation();
        let (parent, link) = D::parent(propagation, trust, request.headers_mut());
        let is_wanted = |filter: &Filter| (filter.0)(RequestHead::of(&request));
        let mut start = None;
        let span = if filter.as_ref().is_none_or(is_wanted) {
            let span = instrumentation.start_with(parent, |detail| {
                let mut builder = semantics.start(&D::KIND, &request, detail);
                builder.span_kind = Some(D::KIND);
                builder.links = link.map(|link| vec![link]);
                if detail == Detail::Full {
                    // One clock read for the span and for what is measured from its start.
                    start = Some(SystemTime::now());
                    builder.start_time = start;
                }
                builder
            });
            span.recorded()
        } else {
            Err(parent)
        };
        let call = match span {
            Ok(span) => Call::Recorded(Record::new(span, semantics, D::KIND, &request, start)),
            Err(context) => Call::Passing(Unrecorded {
                context,
                semantics: semantics.clone(),
                kind: D::KIND,
            }),
        };
        D::send(propagation, call.context(), request.headers_mut());
        let current = call.context().clone();
        let mut call = Some(call);
        let inner = {
            let _current = current.attach();
            let _panicked = OnUnwind::new(|| {
                if let Some(call) = call.take() {
                    call.panicked();
                }
            });
            self.inner.call(request)
        };
        ResponseFuture::new(inner, call)
    }
}
