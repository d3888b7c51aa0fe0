use crate::attributes::{
    NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, REQUEST_MESSAGES, RESPONSE_MESSAGES,
    RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT,
};
use crate::messages::{Counted, Messages, Requests};
use crate::method::{Answer, Asked};
use crate::{deadline, error, status};
use bytes::Buf;
use dynamo_trace_core::span::recent_value;
use dynamo_trace_core::{Detail, Ending};
use dynamo_trace_http::PeerAddr;
use dynamo_trace_http::attributes::{MAX_LEN, cut};
use dynamo_trace_http::engine::{
    AnyBody, Head, Measures, Record, Semantics, Settings, StreamSummary,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;
use tonic::Code;
use tonic::transport::server::TcpConnectInfo;

/// What the media types of gRPC begin with.
const GRPC: &[u8] = b"application/grpc";

/// How many attributes a span of a plain call has at most, to the end.
const ATTRIBUTES: usize = 12;

/// The RPC semantic conventions for gRPC.
///
/// ```
/// use dynamo_trace_grpc::{Grpc, ServerLayer};
///
/// let layer = ServerLayer::with_semantics(Grpc::new().with_message_counts());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Grpc {
    counts_messages: bool,
}

impl Grpc {
    /// The conventions, and nothing that they leave to choice.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counts_messages: false,
        }
    }

    /// Records how many messages were sent either way, as
    /// [`REQUEST_MESSAGES`](crate::attributes::REQUEST_MESSAGES) and
    /// [`RESPONSE_MESSAGES`](crate::attributes::RESPONSE_MESSAGES), up to the end of the call. Costs
    /// an allocation a call, and a few nanoseconds a message.
    #[must_use]
    pub const fn with_message_counts(mut self) -> Self {
        self.counts_messages = true;
        self
    }
}

/// What is remembered of one call.
#[derive(Debug, Default)]
pub struct GrpcCall {
    /// How long the caller waits for it.
    timeout: Option<Duration>,
    /// What the caller asks a server for.
    asked: Option<Asked>,
    /// The request is one of plain HTTP, such as a health check.
    plain: bool,
    messages: Option<(Requests, Messages)>,
}

impl Semantics for Grpc {
    const SCOPE: (&'static str, &'static str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

    type Call = GrpcCall;
    type Bodies = AnyBody;

    fn defaults() -> &'static Settings<Self> {
        static DEFAULTS: LazyLock<Settings<Grpc>> = LazyLock::new(|| Settings::new(Grpc::new()));
        &DEFAULTS
    }

    fn start<B>(
        &self,
        kind: &SpanKind,
        request: &Request<B>,
        detail: Detail,
        call: &mut GrpcCall,
    ) -> SpanBuilder {
        let asked = Asked::of(request.uri());
        let is_server = *kind == SpanKind::Server;
        let builder = SpanBuilder::from_name(asked.name());
        if detail == Detail::Name {
            return builder;
        }
        let mut attributes = Vec::with_capacity(ATTRIBUTES);
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, "grpc"));
        // Of a method that it was not asked for before, a server knows when it answers; and an
        // attribute is set but once.
        if is_server {
            attributes.extend(asked.known());
            attributes.extend(peer(request).into_iter().flatten());
            call.asked = Some(asked);
        } else {
            attributes.extend(asked.own());
        }
        attributes.extend(server(request).into_iter().flatten());
        builder.with_attributes(attributes)
    }

    fn remember<B: 'static>(&self, kind: &SpanKind, request: &mut Request<B>, call: &mut GrpcCall) {
        if self.counts_messages {
            let requests = Requests::default();
            Counted::put_around(request.body_mut(), &requests);
            call.messages = Some((requests, Messages::default()));
        }
        if *kind == SpanKind::Server {
            call.timeout = deadline::of(request.headers());
            call.plain = !is_grpc(request.headers());
            // There may be no span.
            call.asked.get_or_insert_with(|| Asked::of(request.uri()));
        }
    }

    fn measures<B>(&self, kind: &SpanKind, request: &Request<B>) -> Measures {
        let mut attributes = vec![KeyValue::new(RPC_SYSTEM_NAME, "grpc")];
        let duration = if *kind == SpanKind::Server {
            // The method comes with the answer.
            "rpc.server.call.duration"
        } else {
            attributes.extend(Asked::of(request.uri()).own().take(1));
            attributes.extend(server(request).into_iter().flatten());
            "rpc.client.call.duration"
        };
        Measures {
            duration,
            active: None,
            attributes,
        }
    }

    fn on_head<B>(&self, record: &mut Record<GrpcCall>, response: &mut Response<B>) -> Head {
        let (code, status) = (status::of(response.headers()), response.status());
        let answer = match Answer::of(code, status) {
            // It names no method.
            Answer::Known if record.call.plain => Answer::None,
            answer => answer,
        };
        answered(record, answer);
        // A status in the head means that no trailers follow.
        if let Some(code) = code {
            return Head::Decided(ended(record, code));
        }
        if record.call.plain && !is_grpc(response.headers()) {
            return if status.is_server_error() {
                Head::Decided(Ending::failed(status.as_str().to_owned()))
            } else {
                Head::Streams(Ending::Complete)
            };
        }
        match status {
            StatusCode::OK => Head::Streams(ending(record.kind(), Code::Unknown)),
            status => Head::Decided(ended(record, status::of_http(status))),
        }
    }

    fn on_no_head(&self, record: &mut Record<GrpcCall>) {
        answered(record, Answer::None);
        set_messages(record);
    }

    fn on_data(&self, record: &mut Record<GrpcCall>, data: &impl Buf) {
        if let Some((_, responses)) = &mut record.call.messages {
            responses.count(data);
        }
    }

    fn on_trailers(&self, record: &mut Record<GrpcCall>, trailers: &HeaderMap) -> Option<Ending> {
        let code = match status::of(trailers) {
            None if record.call.plain => return None,
            // What a stream without a status means: gRPC over HTTP/2, "Responses".
            code => code.unwrap_or(Code::Unknown),
        };
        Some(ended(record, code))
    }

    fn on_error<E: 'static>(&self, record: &mut Record<GrpcCall>, error: &E) -> Ending {
        let ending = ended(record, error::code(error));
        match error::io_kind(error) {
            Some(kind) if ending != Ending::Complete => Ending::failed(kind),
            _ => ending,
        }
    }

    fn on_drop(&self, record: &mut Record<GrpcCall>, elapsed: Duration) -> Option<Ending> {
        let timeout = record.call.timeout?;
        let exceeded = deadline::is_exceeded(timeout, elapsed);
        exceeded.then(|| ended(record, Code::DeadlineExceeded))
    }

    fn on_body_end(&self, record: &mut Record<GrpcCall>, summary: &StreamSummary) {
        if summary.chunks > 1 {
            record.set(summary.attributes());
        }
        set_messages(record);
    }
}

/// Whether this is gRPC, or gRPC-Web: gRPC over HTTP/2, "Requests".
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let start = kind.and_then(|kind| kind.get(..GRPC.len()));
    start.is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

/// Address and port of the server, as the request has them.
fn server<B>(request: &Request<B>) -> Option<impl Iterator<Item = KeyValue> + use<B>> {
    let authority = request.uri().authority()?;
    let host = authority.host();
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let address = KeyValue::new(SERVER_ADDRESS, recent_value(cut(host, MAX_LEN)));
    let port = authority.port_u16();
    let port = port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port)));
    Some([Some(address), port].into_iter().flatten())
}

/// The other end of the connection, where tonic or another server leaves it.
fn peer<B>(request: &Request<B>) -> Option<[KeyValue; 2]> {
    let extensions = request.extensions();
    let of_tonic = || extensions.get::<TcpConnectInfo>()?.remote_addr();
    let peer: SocketAddr = match extensions.get::<PeerAddr>() {
        Some(peer) => peer.0,
        None => of_tonic()?,
    };
    let address = recent_value(&peer.ip().to_canonical().to_string());
    Some([
        KeyValue::new(NETWORK_PEER_ADDRESS, address),
        KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())),
    ])
}

fn answered(record: &mut Record<GrpcCall>, answer: Answer) {
    if let Some(asked) = record.call.asked.take() {
        asked.record(answer, record);
    }
}

fn set_messages(record: &mut Record<GrpcCall>) {
    if let Some((requests, responses)) = record.call.messages.take() {
        let requests = requests.count().map(|n| KeyValue::new(REQUEST_MESSAGES, n));
        let responses = responses
            .total()
            .map(|n| KeyValue::new(RESPONSE_MESSAGES, n));
        record.set([requests, responses].into_iter().flatten());
    }
}

fn ended(record: &mut Record<GrpcCall>, code: Code) -> Ending {
    record.set_measured(KeyValue::new(RPC_RESPONSE_STATUS_CODE, status::name(code)));
    ending(record.kind(), code)
}

fn ending(kind: &SpanKind, code: Code) -> Ending {
    let failed = match kind {
        SpanKind::Server => status::is_server_error(code),
        _ => status::is_client_error(code),
    };
    if failed {
        Ending::failed(status::name(code))
    } else {
        Ending::Complete
    }
}
