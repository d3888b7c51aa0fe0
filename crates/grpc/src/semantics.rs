use crate::attributes::{
    REQUEST_MESSAGES, RESPONSE_MESSAGES, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME,
};
use crate::media::Media;
use crate::messages::{Counted, Messages, Requests};
use crate::method::{Answer, Asked};
use crate::{address, deadline, error, status};
use bytes::Buf;
use dynamo_trace_core::{Detail, Ending};
use dynamo_trace_http::engine::{
    AnyBody, Head, Measures, Record, Semantics, Settings, StreamSummary,
};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::any::TypeId;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tonic::Code;
use tonic::service::Routes;

/// How many attributes a span of a plain call has at most, to the end.
const ATTRIBUTES: usize = 12;

/// The RPC semantic conventions for gRPC.
///
/// ```
/// use dynamo_trace_grpc::{Grpc, ServerLayer};
///
/// let layer = ServerLayer::with_semantics(Grpc::new().with_message_counts());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Grpc {
    counts_messages: bool,
    server: Option<Arc<[KeyValue]>>,
}

impl Grpc {
    /// The conventions, and nothing that they leave to choice.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counts_messages: false,
            server: None,
        }
    }

    /// Says whom a client calls, where requests do not: tonic puts the channel's endpoint into a
    /// request only behind the layers around the channel. Without it, and without
    /// `with_origin` of the generated client, spans of a client have no `server.address`.
    ///
    /// ```
    /// use dynamo_trace_grpc::{ClientLayer, Grpc};
    /// use tonic::transport::Endpoint;
    ///
    /// let endpoint = Endpoint::from_static("http://[::1]:50051");
    /// let layer = ClientLayer::with_semantics(Grpc::new().with_server(endpoint.uri()));
    /// ```
    #[must_use]
    pub fn with_server(self, endpoint: &Uri) -> Self {
        Self {
            server: address::endpoint(endpoint),
            ..self
        }
    }

    /// Records how many messages were sent either way, as
    /// [`REQUEST_MESSAGES`](crate::attributes::REQUEST_MESSAGES) and
    /// [`RESPONSE_MESSAGES`](crate::attributes::RESPONSE_MESSAGES), up to the end of the call. Costs
    /// two allocations a call, and a few nanoseconds a message.
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
    /// How the caller asks a server.
    media: Media,
    messages: Option<(Requests, Messages)>,
}

impl Semantics for Grpc {
    const SCOPE: (&'static str, &'static str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

    const HAS_EVENT_STREAMS: bool = false;

    type Call = GrpcCall;
    type Bodies = AnyBody;

    fn defaults() -> &'static Settings<Self> {
        static DEFAULTS: LazyLock<Settings<Grpc>> = LazyLock::new(|| Settings::new(Grpc::new()));
        &DEFAULTS
    }

    /// Routes call what is in them when their future is polled.
    fn calls_lazily<S: 'static>() -> bool {
        TypeId::of::<S>() == TypeId::of::<Routes>()
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
            attributes.extend(address::peer(request).into_iter().flatten());
            call.asked = Some(asked);
        } else {
            let (method, original) = asked.own();
            attributes.push(method);
            attributes.extend(original);
        }
        attributes.extend(self.server(kind, request.uri()));
        builder.with_attributes(attributes)
    }

    fn remember<B: 'static>(&self, kind: &SpanKind, request: &mut Request<B>, call: &mut GrpcCall) {
        let is_server = *kind == SpanKind::Server;
        if !(is_server || self.counts_messages) {
            return;
        }
        let media = Media::of(request.headers());
        if self.counts_messages && media.has_messages() {
            let requests = Requests::default();
            Counted::put_around(request.body_mut(), &requests);
            call.messages = Some((requests, Messages::default()));
        }
        if is_server {
            call.timeout = deadline::of(request.headers());
            call.media = media;
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
            attributes.push(Asked::of(request.uri()).own().0);
            attributes.extend(self.server(kind, request.uri()));
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
        let media = record.call.media;
        answered(record, || {
            Answer::of(code, status, media, response.headers())
        });
        if let Some((_, responses)) = &mut record.call.messages
            && !Media::of(response.headers()).has_messages()
        {
            responses.lose();
        }
        // A status in the head means that no trailers follow.
        if let Some(code) = code {
            return Head::Decided(ended(record, code));
        }
        if media.is_plain() && Media::of(response.headers()).is_plain() {
            return if status.is_server_error() {
                Head::Decided(Ending::failed(status.as_str().to_owned()))
            } else {
                Head::Streams(Ending::Complete)
            };
        }
        match status {
            StatusCode::OK if media.has_trailers() => {
                Head::Streams(ending(record.kind(), Code::Unknown))
            }
            StatusCode::OK => Head::Streams(Ending::Complete),
            status => Head::Decided(ended(record, status::of_http(status))),
        }
    }

    fn on_no_head(&self, record: &mut Record<GrpcCall>) {
        answered(record, || Answer::None);
        set_messages(record);
    }

    fn on_data(&self, record: &mut Record<GrpcCall>, data: &impl Buf) {
        if let Some((_, responses)) = &mut record.call.messages {
            responses.count(data);
        }
    }

    fn on_trailers(&self, record: &mut Record<GrpcCall>, trailers: &HeaderMap) -> Option<Ending> {
        let code = match status::of(trailers) {
            None if !record.call.media.has_trailers() => return None,
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
        if let Some(attributes) = summary.attributes() {
            record.set(attributes);
        }
        set_messages(record);
    }
}

impl Grpc {
    /// Address and port of the server, as the request has them or as a client was told.
    fn server(&self, kind: &SpanKind, uri: &Uri) -> impl Iterator<Item = KeyValue> + use<'_> {
        let asked = address::server(uri);
        let told = self.server.as_deref();
        let told = told.filter(|_| asked.is_none() && *kind == SpanKind::Client);
        let told = told.unwrap_or_default().iter().cloned();
        asked.into_iter().flatten().chain(told)
    }
}

fn answered(record: &mut Record<GrpcCall>, answer: impl FnOnce() -> Answer) {
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
