//! What an HTTP layer can be told.

use crate::Http;
use crate::engine::side::{Client, Server};
use crate::engine::{Configured, Custom, RequestHead, Side, TraceLayer};
use crate::framework::Framework;
use crate::semantics::capture;
use crate::semantics::respond::REQUEST_ID;
use http::HeaderName;
use std::borrow::Cow;
use std::sync::Arc;

/// Options of servers and clients.
impl<D: Side, F: Framework, C: Configured<Http<F>>> TraceLayer<D, Http<F>, C> {
    /// Names the span, where `name` gives a name: one of few, and nothing that callers choose.
    ///
    /// ```
    /// use dynamo_trace_http::ServerLayer;
    ///
    /// let layer = ServerLayer::new().with_name(|request| {
    ///     let is_upload = request.uri.path().starts_with("/files/");
    ///     is_upload.then(|| "upload a file".into())
    /// });
    /// ```
    pub fn with_name(
        self,
        name: impl Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> TraceLayer<D, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| http.options.name = Some(Arc::new(name)))
    }

    /// Records these request headers, as `http.request.header.{name}`: the first 32 values, of at
    /// most [2048 bytes](crate::attributes::MAX_LEN) each. A value that is
    /// [marked as sensitive](http::HeaderValue::set_sensitive) is replaced; hyper marks none, but
    /// tower-http's `SetSensitiveHeadersLayer` does. No other header is ever recorded.
    pub fn with_request_headers(
        self,
        names: impl IntoIterator<Item = HeaderName>,
    ) -> TraceLayer<D, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| capture::add(&mut http.options.request_headers, "request", names))
    }

    /// Records these response headers, as `http.response.header.{name}`, like
    /// [`with_request_headers`](Self::with_request_headers).
    pub fn with_response_headers(
        self,
        names: impl IntoIterator<Item = HeaderName>,
    ) -> TraceLayer<D, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| {
            capture::add(&mut http.options.response_headers, "response", names)
        })
    }

    /// Replaces the list of methods that may be named: those of RFC 9110, PATCH and QUERY, or
    /// what `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` said when the SDK was set up. They compare
    /// by case. Any other is `_OTHER`.
    pub fn with_known_methods<T: Into<String>>(
        self,
        methods: impl IntoIterator<Item = T>,
    ) -> TraceLayer<D, Http<F>, Custom<Http<F>>> {
        // Names of spans are made of them; a process has few layers.
        let methods = methods.into_iter().map(|method| &*method.into().leak());
        self.with_changed(|http| http.options.known_methods = Some(methods.collect()))
    }

    /// Records `http.request.body.size`, from `content-length`, and `http.response.body.size`, as
    /// it was read; in bytes. That of a response takes a span that lasts as long as the body.
    pub fn with_body_sizes(self) -> TraceLayer<D, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| http.options.body_sizes = true)
    }
}

/// Options of servers.
impl<F: Framework, C: Configured<Http<F>>> TraceLayer<Server, Http<F>, C> {
    /// Takes the route from this function: `http.route` and a part of the span's name. It must be
    /// one of few, and never the path.
    ///
    /// ```
    /// use dynamo_trace_http::ServerLayer;
    ///
    /// let layer = ServerLayer::new().with_route(|request| {
    ///     let user = request.uri.path().strip_prefix("/users/")?;
    ///     (!user.contains('/')).then_some("/users/{id}")
    /// });
    /// ```
    pub fn with_route(
        self,
        route: impl for<'r> Fn(RequestHead<'r>) -> Option<&'r str> + Send + Sync + 'static,
    ) -> TraceLayer<Server, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| http.options.route = Some(Arc::new(route)))
    }

    /// Believes what this many proxies in front of the server say: `Forwarded` (RFC 7239), else
    /// `X-Forwarded-For`, `-Host` and `-Proto`, for `client.address`, `server.address` and
    /// `url.scheme`.
    ///
    /// Each proxy adds an element on the right; the one that the outermost of them added counts,
    /// and what stands to the left of it is the caller's own word. A proxy that adds to the one kind
    /// of header has to remove the other: a caller's `Forwarded` goes before `X-Forwarded-For` of a
    /// proxy. Without this option nothing of it is believed.
    pub fn with_trusted_proxies(
        self,
        proxies: usize,
    ) -> TraceLayer<Server, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| http.options.trusted_proxies = proxies)
    }

    /// Puts `traceresponse` on every response: `00-{trace-id}-{span-id}-{flags}`, of the span
    /// that answered, recorded or not (W3C Trace Context, editor's draft, `traceresponse`). There
    /// is none without an SDK, and for requests that are filtered out. Callers see the ids of your
    /// traces.
    pub fn with_traceresponse(self) -> TraceLayer<Server, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| http.options.traceresponse = true)
    }

    /// Gives `x-request-id` of the request back on the response, unless the service put one
    /// there. That of the request is recorded as `http.request.header.x-request-id`, that of the
    /// service as `http.response.header.x-request-id`.
    ///
    /// tower-http's `SetRequestIdLayer` belongs outside of this layer, and needs no
    /// `PropagateRequestIdLayer`. An id that is made inside is the service's: this layer sees it
    /// if `PropagateRequestIdLayer` is inside of what makes it.
    pub fn with_request_id(self) -> TraceLayer<Server, Http<F>, Custom<Http<F>>> {
        self.with_request_headers([REQUEST_ID.clone()])
            .with_response_headers([REQUEST_ID.clone()])
            .with_changed(|http| http.options.request_id = true)
    }
}

/// Options of clients.
impl<F: Framework, C: Configured<Http<F>>> TraceLayer<Client, Http<F>, C> {
    /// Ends the span with the response *body* instead of its head: at its end, an error or a
    /// drop, with the summary of the stream. The body is polled with the span current.
    pub fn with_body(self) -> TraceLayer<Client, Http<F>, Custom<Http<F>>> {
        self.with_changed(|http| http.options.client_body = true)
    }
}
