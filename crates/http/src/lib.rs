//! Tower layers that carry trace context over HTTP.
//!
//! - [`ServerLayer`]: for any tower HTTP service, and `axum::ServerLayer` for axum's routers;
//! - [`ClientLayer`]: for any tower HTTP client;
//! - `reqwest::ClientMiddleware`, with the feature `reqwest`: for reqwest's clients.
//!
//! # What crosses the wire
//!
//! Request headers; to responses a server adds nothing unless told to:
//! [`traceresponse`](ServerLayer::with_traceresponse), and the
//! [id of the request](ServerLayer::with_request_id).
//!
//! | header | sent | read |
//! |---|---|---|
//! | `traceparent` | one, 55 bytes (W3C Trace Context Level 2, 3.2) | one; two restart the trace |
//! | `tracestate` | one or none, at most 32 members (3.3) | all values, joined in order |
//! | `baggage` | one or none (W3C Baggage, 3) | all values, joined in order |
//!
//! Names compare in any case, and are sent in lowercase. `tracestate` and `baggage` are read up
//! to [16 KiB together](dynamo_trace_core::Trust::DEFAULT_MAX_BYTES), or as
//! [trust](engine::TraceLayer::with_trust) says. Other headers are for a
//! [propagation](engine::TraceLayer::with_propagation) with other formats.
//!
//! # When spans start and end
//!
//! | | starts | ends |
//! |---|---|---|
//! | server | when the service is called | with the response *body*: its end, trailers, an error, a drop |
//! | client | when the service is called, once for every send | with the response head |
//!
//! The server's span ends with the head where nobody reads a body: for `HEAD`, 1xx, 204, 304, and
//! a `CONNECT` that succeeds. Bodies that are dropped before their end were cancelled, which is no
//! error. The response future and the server's response body are polled, and dropped, with the
//! span current: what makes tokens can set attributes until the last one. Where nobody records the
//! request, a body whose [`size_hint`](http_body::Body::size_hint) is exact is passed on as it is:
//! it is there already, or another's.
//!
//! # Names
//!
//! `{method} {route}` where a route is known, else `{method}`; never the path. A server's
//! `axum::ServerLayer` takes it from axum's `MatchedPath`, which a layer given to `Router::layer`
//! sees, and one around the whole `Router` does not; any other from a [`Route`] on the request or
//! the response, or from a [function](ServerLayer::with_route). A client's is the [`Route`] on its
//! request.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::get};
//! use dynamo_trace_http::axum::ServerLayer;
//!
//! let app: Router = Router::new()
//!     .route("/models/{model}", get(async || "ready"))
//!     .layer(ServerLayer::new());
//! # }
//! ```
//!
//! # Attributes
//!
//! Credentials in a URL are replaced: the userinfo, and the values of the query keys that the
//! semantic conventions list. No header but the user agent is recorded that was not
//! [asked for](ServerLayer::with_request_headers). What the other side chooses (path, query, URL,
//! user agent, host, unknown method) is cut at [2048 bytes](attributes::MAX_LEN).
//!
//! # With tower-http
//!
//! In any order with its layers a request is one span, and the client gets the same response.
//! What is inside of this layer is part of the span, what is outside is not:
//!
//! | layer | outside of this one | inside |
//! |---|---|---|
//! | `TimeoutLayer` | cancelled, without a status | its status: 504 failed, 408 did not |
//! | `ResponseBodyTimeoutLayer` | cancelled | failed |
//! | `CatchPanicLayer` | failed, `panic`, without a status | failed, `500` |
//! | `CorsLayer` | a preflight is no span | a preflight is a span |
//! | `CompressionLayer` | plain bytes and chunks are counted | those that are sent |
//! | `SetRequestIdLayer` | [recorded and given back](engine::TraceLayer::with_request_id) | recorded, if `PropagateRequestIdLayer` is inside of it |
//! | `SetSensitiveRequestHeadersLayer` | captured headers are redacted | too late: they are recorded |
//! | `SetSensitiveResponseHeadersLayer` | too late: captured headers are recorded | they are redacted |
//! | `TraceLayer` | its span misses the caller's and begins a trace | its span is a child |
//!
//! So with tower's: what is shed or waits for a limit outside is no span. An error that leaves
//! this layer has no status: what makes a response of it, such as axum's `HandleErrorLayer`,
//! belongs inside. A `Buffer` inside calls without the span, and its futures run with it.
//!
//! A browser sends `traceparent` to another origin if `CorsLayer::allow_headers` has it, and reads
//! [`traceresponse`](engine::TraceLayer::with_traceresponse) if `expose_headers` does.
//!
//! ```
//! use axum::{Router, routing::get};
//! use dynamo_trace_http::ServerLayer;
//! use http::{StatusCode, header::AUTHORIZATION};
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower_http::{
//!     catch_panic::CatchPanicLayer,
//!     compression::CompressionLayer,
//!     cors::CorsLayer,
//!     request_id::{MakeRequestUuid, SetRequestIdLayer},
//!     sensitive_headers::SetSensitiveRequestHeadersLayer,
//!     timeout::TimeoutLayer,
//! };
//!
//! const LIMIT: Duration = Duration::from_secs(30);
//!
//! // The first is the outermost.
//! let stack = ServiceBuilder::new()
//!     .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]))
//!     .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
//!     .layer(CorsLayer::new())
//!     .layer(CompressionLayer::new())
//!     .layer(ServerLayer::new().with_request_id())
//!     .layer(CatchPanicLayer::new())
//!     .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LIMIT));
//! let app: Router = Router::new().route("/", get(async || "ready")).layer(stack);
//! ```
//!
//! # With `tracing`
//!
//! Nothing of it is needed. Where `tracing-opentelemetry` records its spans (0.34 for OpenTelemetry
//! 0.33) they are in one tree with those of the layers: `info_span!` in a handler, or in what makes
//! a body, is a child of the server's span, and a call where such a span is entered, or in a
//! future that is instrumented with it, is a child of that one, whatever thread it runs on.
//!
//! ```
//! use tracing::level_filters::LevelFilter;
//! use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};
//!
//! // The tracer provider is installed by now.
//! let tracer = opentelemetry::global::tracer("app");
//! tracing_subscriber::registry()
//!     .with(LevelFilter::INFO)
//!     .with(tracing_opentelemetry::layer().with_tracer(tracer))
//!     .init();
//! ```
//!
//! - Its `with_context_activation` stays on, as it is by default: otherwise calls miss the span.
//! - The level keeps out the spans of h2 and of others, which what exports spans makes as well.
//! - `dynamo-trace-sdk` installs a subscriber of its own, unless it is set up `without_logs`.
//! - The server's span is none of `tracing`'s: `Span::current` does not find it, events outside of
//!   any `tracing` span are not on it, and `in_current_span` does not carry it to a task. A span
//!   that is made in the handler does, and OpenTelemetry's `FutureExt::with_current_context`.
//!
//! # Features
//!
//! - `axum`: the layer for axum's routers; `error.type` tells why an axum body failed.
//! - `metrics`: durations and active requests.
//! - `tonic`: traced services keep the name by which tonic's router finds them.
//! - `hyper-util`: `error.type` tells why hyper, or hyper-util's client, failed, and a client's
//!   `network.peer.address` and `network.peer.port` to whom it was connected.
//! - `reqwest`: the middleware for reqwest's clients; brings `hyper-util`, of which they are made.
//!
//! [`engine`] is the one service, future and body behind the layers, which gRPC shares.

pub mod attributes;
pub mod authority;
#[cfg(feature = "axum")]
pub mod axum;
pub mod engine;
mod framework;
mod options;
mod redact;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod resend;
mod semantics;

pub use engine::side::{Client, Server};
pub use framework::{Framework, PeerAddr, Route, Tower};
pub use resend::{Resend, ResendLayer};
pub use semantics::Http;

/// Spans of an HTTP server: kind SERVER, from the call to the end of the response body.
///
/// A 5xx is an error, a 4xx is none. What the caller sent is trusted unless
/// [told otherwise](engine::TraceLayer::with_trust). Where it sent nothing, a current span is
/// the parent.
///
/// Layers outside of it that drop calls, such as timeouts, make them cancelled.
///
/// Once it is told something its type is `ServerLayer<engine::Custom<Http>>`.
///
/// ```
/// use axum::{Router, routing::post};
/// use dynamo_trace_core::Trust;
/// use dynamo_trace_http::ServerLayer;
///
/// // On a public port: traces of one's own, linked to those of the callers.
/// let app: Router = Router::new()
///     .route("/v1/chat/completions", post(async || "tokens"))
///     .layer(ServerLayer::new().with_trust(Trust::linked()));
/// ```
pub type ServerLayer<C = engine::Defaults> = engine::TraceLayer<Server, Http, C>;

/// Spans of an HTTP client: kind CLIENT, from the call to the response head, one for every send.
///
/// The parent is the span that is current where the service is called: layers that call from a
/// task of their own, such as tower's `Buffer`, belong inside. Headers of the request that hold
/// another context are replaced. 4xx and 5xx are errors.
///
/// ```
/// use dynamo_trace_http::ClientLayer;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::{Service, ServiceBuilder};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&'static [u8]>>();
/// let mut client = ServiceBuilder::new()
///     .layer(ClientLayer::new())
///     .service(client);
///
/// let request = http::Request::get("http://localhost:8000/health").body(Empty::new())?;
/// let response = client.call(request).await?;
/// # Ok(())
/// # }
/// ```
pub type ClientLayer<C = engine::Defaults> = engine::TraceLayer<Client, Http, C>;
