use crate::SCOPE;
use crate::attributes::{
    DB_COLLECTION_NAME, DB_OPERATION_NAME, DB_RESPONSE_STATUS_CODE, DB_SYSTEM_NAME, ETCD,
};
use crate::channel::{Server, Servers, Template};
use dynamo_trace_core::span::{SharedText, shared_text, span_name};
use dynamo_trace_core::{Detail, Ending};
use dynamo_trace_grpc::{error, status};
use dynamo_trace_http::engine::{
    AnyBody, Head, Measures, Record, Semantics, Settings, StreamSummary,
};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use tonic::Code;

/// How many attributes a span has at most, to the end.
const ATTRIBUTES: usize = 9;

/// The database semantic conventions for etcd: what the engine of the HTTP and gRPC adapters
/// does with an etcd RPC. No key, no value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Etcd {
    pub(crate) servers: Arc<Servers>,
}

/// The method of `/{package}.{Service}/{Method}`; unique over etcd's services.
pub(crate) fn operation(uri: &Uri) -> &str {
    let path = uri.path();
    path.rsplit_once('/').map_or(path, |(_, method)| method)
}

/// On a response: it lasts as long as the caller wants, so the span covers its creation only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endless;

impl Endless {
    /// Whether the method's responses are endless.
    pub(crate) fn is(operation: &str) -> bool {
        matches!(operation, "Watch" | "LeaseKeepAlive" | "Observe")
    }
}

impl Semantics for Etcd {
    const SCOPE: (&'static str, &'static str) = SCOPE;

    const HAS_EVENT_STREAMS: bool = false;

    type Call = ();
    type Bodies = AnyBody;

    fn defaults() -> &'static Settings<Self> {
        static DEFAULTS: LazyLock<Settings<Etcd>> =
            LazyLock::new(|| Settings::new(Etcd::default()));
        &DEFAULTS
    }

    fn start<B>(
        &self,
        _: &SpanKind,
        request: &Request<B>,
        detail: Detail,
        _: &mut (),
    ) -> SpanBuilder {
        let builder = SpanBuilder::from_name(name(request));
        if detail == Detail::Name {
            return builder;
        }
        let mut attributes = Vec::with_capacity(ATTRIBUTES);
        attributes.extend(self.attributes(request));
        builder.with_attributes(attributes)
    }

    fn remember<B: 'static>(&self, _: &SpanKind, _: &mut Request<B>, _: &mut ()) {}

    fn measures<B>(&self, _: &SpanKind, request: &Request<B>) -> Measures {
        Measures {
            duration: "db.client.operation.duration",
            active: None,
            attributes: self.attributes(request).collect(),
        }
    }

    fn on_head<B>(&self, record: &mut Record<()>, response: &mut Response<B>) -> Head {
        // A status in the head means that no trailers follow.
        if let Some(code) = status::of(response.headers()) {
            return Head::Decided(ending(code, record));
        }
        match response.status() {
            StatusCode::OK if !self.spans_body(record.kind(), response) => {
                Head::Ends(Ending::Complete)
            }
            // What a stream without a status means: gRPC over HTTP/2, "Responses".
            StatusCode::OK => Head::Streams(Ending::failed(status::name(Code::Unknown))),
            status => Head::Decided(ending(status::of_http(status), record)),
        }
    }

    fn spans_body<B>(&self, _: &SpanKind, response: &Response<B>) -> bool {
        response.extensions().get::<Endless>().is_none()
    }

    fn on_trailers(&self, record: &mut Record<()>, trailers: &HeaderMap) -> Option<Ending> {
        status::of(trailers).map(|code| ending(code, record))
    }

    fn on_error<E: 'static>(&self, record: &mut Record<()>, error: &E) -> Ending {
        match (ending(error::code(error), record), error::io_kind(error)) {
            (Ending::Failed(_), Some(kind)) => Ending::failed(kind),
            (ending, _) => ending,
        }
    }

    fn on_body_end(&self, _: &mut Record<()>, _: &StreamSummary) {}
}

impl Etcd {
    fn attributes<B>(&self, request: &Request<B>) -> impl Iterator<Item = KeyValue> + use<B> {
        let operation = SharedText::value_of(operation(request.uri()));
        let template = template(request).map(SharedText::value_of);
        let template = template.map(|template| KeyValue::new(DB_COLLECTION_NAME, template));
        let operation = [
            KeyValue::new(DB_SYSTEM_NAME, ETCD),
            KeyValue::new(DB_OPERATION_NAME, operation),
        ];
        let server = self.servers.only().into_iter();
        let server = server.flat_map(Server::attributes);
        operation.into_iter().chain(template).chain(server)
    }
}

/// `{operation}`, or `{operation} {template}` where the user asked for that.
fn name<B>(request: &Request<B>) -> Cow<'static, str> {
    let operation = operation(request.uri());
    match (shared_text(operation), template(request)) {
        (Some(operation), Some(template)) => span_name(operation.as_str(), template).0,
        (Some(operation), None) => operation.as_str().into(),
        (None, Some(template)) => format!("{operation} {template}").into(),
        (None, None) => operation.to_owned().into(),
    }
}

fn template<B>(request: &Request<B>) -> Option<&str> {
    let template: &Template = request.extensions().get()?;
    Some(&template.0)
}

fn ending(code: Code, record: &mut Record<()>) -> Ending {
    if !status::is_client_error(code) {
        return Ending::Complete;
    }
    let name = status::name(code);
    record.set_measured(KeyValue::new(DB_RESPONSE_STATUS_CODE, name));
    Ending::failed(name)
}
