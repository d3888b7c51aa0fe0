use super::call::Call;
use super::future::Wrapped;
use super::open::{Bodiless, Open};
use super::{Boundary, Record, ResponseFuture, Semantics, Side, WrapBody};
use dynamo_trace_core::Detail;
use http::{Request, Response};
use http_body::Body;
use opentelemetry::Context;
use opentelemetry::trace::Link;
use std::task::{self, Poll};
use std::time::SystemTime;
use tower_service::Service;

/// A service whose calls are spans. Made by [`TraceLayer`](super::TraceLayer).
///
/// Calls the service inside only after that was ready, and is ready when that is; an error of
/// its `poll_ready` makes no span. A clone shares tracer and propagation.
///
/// # Cancel safety
///
/// Dropping the response future or the response body drops what is inside, with the span
/// current, and ends the span as cancelled.
#[derive(Clone, Debug)]
pub struct Trace<S, L> {
    inner: S,
    layer: L,
}

impl<S, L> Trace<S, L> {
    pub(super) const fn new(inner: S, layer: L) -> Self {
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

impl<S, L, B, R> Service<Request<B>> for Trace<S, L>
where
    S: Service<Request<B>, Response = Response<R>, Error: 'static> + 'static,
    L: Boundary<Semantics: Semantics<Bodies: WrapBody<R, L>>>,
    B: 'static,
    R: Body<Error: 'static>,
{
    type Response = Response<Wrapped<R, L>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, L>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_lazy = L::Semantics::calls_lazily::<S>();
        call(&self.layer, request, is_lazy, |request| {
            self.inner.call(request)
        })
    }
}

/// Calls what is inside of the layer: the one place where a span begins. What is lazy does nothing
/// but to make a future.
pub(crate) fn call<L: Boundary, B: 'static, F>(
    layer: &L,
    mut request: Request<B>,
    is_lazy: bool,
    inner: impl FnOnce(Request<B>) -> F,
) -> ResponseFuture<F, L> {
    let settings = layer.settings();
    let (parent, links) = L::Side::parent(settings, &mut request);
    let call = open(layer, parent, links, &mut request);
    L::Side::send(
        settings.propagation(),
        call.context(),
        request.headers_mut(),
    );
    // A panic inside drops the call while it unwinds.
    let current = (!is_lazy).then(|| call.context().clone().attach());
    let inner = inner(request);
    drop(current);
    ResponseFuture::new(inner, call)
}

#[cfg(feature = "tonic")]
impl<S: tonic::server::NamedService, L> tonic::server::NamedService for Trace<S, L> {
    const NAME: &'static str = S::NAME;
}

/// Starts the span, where one is wanted.
fn open<L: Boundary, B: 'static>(
    layer: &L,
    parent: Context,
    links: Option<Vec<Link>>,
    request: &mut Request<B>,
) -> Call<L> {
    let settings = layer.settings();
    let semantics = &settings.semantics;
    let is_wanted = settings.wants(request);
    let mut start = None;
    let mut call = <L::Semantics as Semantics>::Call::default();
    let span = if is_wanted {
        settings.instrumentation.start_with(parent, |detail| {
            let mut builder = semantics.start(&L::Side::KIND, request, detail, &mut call);
            builder.span_kind = Some(L::Side::KIND);
            builder.links = links;
            if detail == Detail::Full {
                // One clock read for the span and for what is measured from its start.
                start = Some(SystemTime::now());
                builder.start_time = start;
            }
            builder
        })
    } else {
        settings.instrumentation.pass(parent)
    };
    let is_measured = is_wanted && settings.meters.are_there();
    if !(span.is_recording() || is_measured || semantics.acts()) {
        return Call::Passing(span.into_context(), layer.clone());
    }
    if start.is_none() && span.is_recording() {
        // Nobody thought that it would be recorded.
        let full = semantics.start(&L::Side::KIND, request, Detail::Full, &mut call);
        span.set_attributes(full.attributes.into_iter().flatten());
    }
    let start = start.unwrap_or_else(SystemTime::now);
    let measure = settings
        .meters
        .start(is_measured, || semantics.measures(&L::Side::KIND, request));
    let bodiless = Bodiless::of(request.method());
    semantics.remember(&L::Side::KIND, request, &mut call);
    let record = Record::new(call, L::Side::KIND, start, span, measure);
    Call::Open(Box::new(Open::new(record, layer.clone(), bodiless)))
}
