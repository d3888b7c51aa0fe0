use crate::attributes::{RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT};
use crate::method::Method;
use crate::{deadline, error, method, status};
use dynamo_trace_core::{Detail, Ending, SpanGuard};
use dynamo_trace_http::engine::{Head, Semantics, StreamSummary};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::time::Duration;
use tonic::Code;

/// What the media types of gRPC begin with.
const GRPC: &[u8] = b"application/grpc";

/// The RPC semantic conventions for gRPC.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Grpc {
    /// How long the caller of this one call waits for it.
    timeout: Option<Duration>,
    /// What the caller of this one call asks a server for.
    method: Option<Method>,
    /// The request is one of plain HTTP, such as a health check.
    plain: bool,
}

impl Semantics for Grpc {
    const SCOPE: (&'static str, &'static str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

    fn for_call<B>(&self, kind: &SpanKind, request: &Request<B>) -> Self {
        if *kind != SpanKind::Server {
            return Self::default();
        }
        Self {
            timeout: deadline::of(request.headers()),
            method: Method::of(request.uri()),
            plain: !is_grpc(request.headers()),
        }
    }

    fn start<B>(&self, kind: &SpanKind, request: &Request<B>, detail: Detail) -> SpanBuilder {
        let path = request.uri().path();
        let builder = SpanBuilder::from_name(method::span_name(path));
        if detail == Detail::Name {
            return builder;
        }
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, "grpc"));
        // A server knows its methods when it answers, and an attribute is set but once.
        if *kind != SpanKind::Server {
            attributes.extend(method::attributes(path));
        }
        if let Some(authority) = request.uri().authority() {
            let host = authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']');
            attributes.push(KeyValue::new(SERVER_ADDRESS, host.to_owned()));
            let port = authority.port_u16().map(i64::from);
            attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, port)));
        }
        builder.with_attributes(attributes)
    }

    fn on_head<B>(&self, kind: &SpanKind, response: &Response<B>, span: &SpanGuard) -> Head {
        let (code, status) = (status::of(response.headers()), response.status());
        if let Some(method) = &self.method {
            // Of those that are known, some may be unimplemented: nothing tells them apart.
            let unknown = match code {
                Some(code) => code == Code::Unimplemented,
                None => status == StatusCode::NOT_FOUND,
            };
            method.record(unknown, span);
        }
        // A status in the head means that no trailers follow.
        if let Some(code) = code {
            return Head::Decided(record(kind, code, span));
        }
        if self.plain && !is_grpc(response.headers()) {
            return if status.is_server_error() {
                Head::Decided(Ending::failed(status.as_str().to_owned()))
            } else {
                Head::Streams(Ending::Complete)
            };
        }
        match status {
            StatusCode::OK => Head::Streams(ending(kind, Code::Unknown)),
            status => Head::Decided(record(kind, status::of_http(status), span)),
        }
    }

    fn on_no_head(&self, _: &SpanKind, span: &SpanGuard) {
        if let Some(method) = &self.method {
            method.record(false, span);
        }
    }

    fn on_trailers(
        &self,
        kind: &SpanKind,
        trailers: &HeaderMap,
        span: &SpanGuard,
    ) -> Option<Ending> {
        let code = match status::of(trailers) {
            None if self.plain => return None,
            // What a stream without a status means: gRPC over HTTP/2, "Responses".
            code => code.unwrap_or(Code::Unknown),
        };
        Some(record(kind, code, span))
    }

    fn on_error<E: 'static>(&self, kind: &SpanKind, error: &E, span: &SpanGuard) -> Ending {
        let ending = record(kind, error::code(error), span);
        match error::io_kind(error) {
            Some(kind) if ending != Ending::Complete => Ending::failed(kind),
            _ => ending,
        }
    }

    fn on_drop(&self, kind: &SpanKind, elapsed: Duration, span: &SpanGuard) -> Option<Ending> {
        let exceeded = self
            .timeout
            .is_some_and(|timeout| deadline::is_exceeded(timeout, elapsed));
        exceeded.then(|| record(kind, Code::DeadlineExceeded, span))
    }

    fn on_body_end(&self, _: &SpanKind, _: &StreamSummary, _: &SpanGuard) {}
}

/// Whether this is gRPC, or gRPC-Web: gRPC over HTTP/2, "Requests".
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let start = kind.and_then(|kind| kind.get(..GRPC.len()));
    start.is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
}

fn record(kind: &SpanKind, code: Code, span: &SpanGuard) -> Ending {
    span.set_attributes([KeyValue::new(RPC_RESPONSE_STATUS_CODE, status::name(code))]);
    ending(kind, code)
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
