//! Tower layers that carry trace context over gRPC.
//!
//! - [`ServerLayer`]: for `tonic::transport::Server::layer`, around routes, or around a single
//!   service, which keeps the name by which tonic's router finds it;
//! - [`ClientLayer`]: around a [`tonic::transport::Channel`];
//! - [`ServerInterceptor`], [`ClientInterceptor`]: where no layer can be laid. They carry the
//!   context, and see neither method nor status nor end: they make no spans, and measure nothing;
//! - [`Metadata`], [`MetadataMut`]: for interceptors and handlers of one's own.
//!
//! ```no_run
//! use dynamo_trace_grpc::{ClientLayer, Grpc, ServerLayer};
//! use tonic::transport::{Channel, Server};
//! use tower_layer::Layer;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder().layer(ServerLayer::new());
//!
//! let endpoint = Channel::from_static("http://[::1]:50051");
//! let layer = ClientLayer::with_semantics(Grpc::new().with_server(endpoint.uri()));
//! let channel = layer.layer(endpoint.connect().await?);
//! # Ok(())
//! # }
//! ```
//!
//! # What crosses the wire
//!
//! Request metadata; nothing is added to responses.
//!
//! | metadata | sent | read |
//! |---|---|---|
//! | `traceparent` | one, 55 bytes (W3C Trace Context Level 2, 3.2) | one; two restart the trace |
//! | `tracestate` | one or none, at most 32 members (3.3) | all values, joined in order |
//! | `baggage` | one or none (W3C Baggage, 3) | all values, joined in order |
//!
//! As ASCII values; names are lowercase in HTTP/2. `tracestate` and `baggage` are read up to
//! [16 KiB together](dynamo_trace_core::Trust::DEFAULT_MAX_BYTES), or as
//! [trust](TraceLayer::with_trust) says. tonic's server takes 16 KiB of metadata at most unless
//! its `http2_max_header_list_size` says more.
//!
//! # When spans start and end
//!
//! On either side a span covers the whole call with its streams: from the call of the service to
//! the trailers, or to a response that has its status in the head, an error, or a drop. It is
//! named `{package}.{Service}/{Method}`.
//!
//! A server's span is named `_OTHER` once the answer is that nobody knows the method
//! (`UNIMPLEMENTED` in the head, or a plain 404), and from its start where the path has more than
//! 256 bytes or names nothing. Only what is refused before its method ever answered, or is plain
//! HTTP, keeps the name that the caller chose. `rpc.method` is set with the answer there, and from the
//! start for methods that answered with a message or `OK` before; samplers see any other in the
//! name.
//!
//! # Attributes
//!
//! Those of the [RPC conventions](attributes): `rpc.system.name`, `rpc.method`,
//! `rpc.method_original`, `rpc.response.status_code`, `error.type`; `server.*` as the call names
//! the server, or as a client [is told](Grpc::with_server); `network.peer.*` on a server over TCP,
//! or where a [`PeerAddr`](dynamo_trace_http::PeerAddr) is left on the request.
//!
//! A response of several chunks of data has
//! [`dynamo_trace.stream.*`](dynamo_trace_http::attributes::STREAM_CHUNKS) on either side: chunks
//! and bytes, seconds to the first chunk and of the longest gap. Chunks are those of HTTP/2 and
//! hold any number of messages: [`Grpc::with_message_counts`] counts these, but none in the base64
//! of gRPC-Web.
//!
//! # Metrics
//!
//! With the feature `metrics`, and `with_metrics` of a layer: `rpc.server.call.duration` and
//! `rpc.client.call.duration`, histograms in seconds, of sampled calls and others. A duration is
//! that of the span, and has `rpc.system.name`, `rpc.method`, `rpc.response.status_code`,
//! `error.type` and the [ending](dynamo_trace_core::span::attributes::ENDING), on a client
//! `server.*` too. Callers of a server choose none: unknown methods are `_OTHER`, and a call that
//! is refused before its method ever answered has no `rpc.method`.
//!
//! # Status
//!
//! `rpc.response.status_code` is the name of the code in the trailers or in the head. Where the
//! transport failed it is the code that tonic makes of it for the caller (`UNAVAILABLE` where
//! nobody listens), but `DEADLINE_EXCEEDED` where tonic says `CANCELLED` of its own timeout. To
//! the client every code but `OK` is an error; to the server those that are
//! [not the caller's doing](status::is_server_error).
//!
//! A call that is given up was cancelled, which is no error and has no code. One that the server
//! drops at the caller's `grpc-timeout` failed with `DEADLINE_EXCEEDED`: the caller's clock runs
//! earlier, so a tenth of the timeout, and at least 5 ms, may be missing. Timeouts of tonic's
//! `Server` and of layers above are drops as any other.
//!
//! hyper tells a server that a stream of replies was given up only once the request has ended:
//! until then the server's span stays open, as its handler does.
//!
//! Plain HTTP requests that reach a server's layer, such as health checks, have no code where
//! the answer is no gRPC either: only a 5xx is an error there.
//!
//! gRPC-Web has its trailers in the body, where nobody looks: a call whose head has no status ends
//! without a code, and is no error. Inside of the layer that makes gRPC of it, a server's layer
//! sees the trailers.
//!
//! # Features
//!
//! - `metrics`: durations, see above. Without it there is no `with_metrics`.
//!
//! The engine is that of [`dynamo_trace_http::engine`]. Spans of `tracing` are in one tree with
//! those of the layers [as for HTTP](dynamo_trace_http#with-tracing).

mod address;
pub mod attributes;
mod carrier;
mod deadline;
pub mod error;
mod interceptor;
mod media;
mod messages;
mod method;
mod semantics;
pub mod status;

pub use carrier::{Metadata, MetadataMut};
pub use interceptor::{ClientInterceptor, ServerInterceptor};
pub use semantics::Grpc;

use dynamo_trace_http::engine::{Defaults, RequestHead, TraceLayer};
use dynamo_trace_http::{Client, Server};

/// Spans of a gRPC server: kind SERVER, from the call to the trailers.
///
/// What the caller sent is trusted unless [told otherwise](TraceLayer::with_trust).
///
/// ```
/// use dynamo_trace_core::Trust;
/// use dynamo_trace_grpc::ServerLayer;
/// use tonic::service::Routes;
/// use tower_layer::Layer;
///
/// // On a public port: traces of one's own, linked to those of the callers.
/// let layer = ServerLayer::new().with_trust(Trust::linked());
/// let routes = layer.layer(Routes::default());
/// ```
pub type ServerLayer<C = Defaults> = TraceLayer<Server, Grpc, C>;

/// Spans of a gRPC client: kind CLIENT, from the call to the trailers.
///
/// The parent is the span that is current where the call is made. Metadata of the request that
/// hold another context are replaced.
///
/// ```no_run
/// use dynamo_trace_grpc::ClientLayer;
/// use tonic::transport::Channel;
/// use tower::ServiceBuilder;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let channel = Channel::from_static("http://[::1]:50051").connect().await?;
/// let channel = ServiceBuilder::new()
///     .layer(ClientLayer::new())
///     .service(channel);
/// // For any generated client: `GreeterClient::new(channel)`.
/// let client = tonic::client::Grpc::new(channel);
/// # Ok(())
/// # }
/// ```
pub type ClientLayer<C = Defaults> = TraceLayer<Client, Grpc, C>;

/// Whether a request is for one of gRPC's own services, health checks and reflection: noise to
/// most, for [`with_filter`](TraceLayer::with_filter).
///
/// ```
/// use dynamo_trace_grpc::{ServerLayer, is_infrastructure};
///
/// let layer = ServerLayer::new().with_filter(|request| !is_infrastructure(request));
/// ```
#[must_use]
pub fn is_infrastructure(request: RequestHead<'_>) -> bool {
    let path = request.uri.path();
    path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.")
}
