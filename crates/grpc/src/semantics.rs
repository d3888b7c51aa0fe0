use crate::attributes::{
    RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT,
};
use crate::{deadline, error, status};
use dynamo_trace_core::{Detail, Ending, SpanGuard};
use dynamo_trace_http::engine::{Head, Semantics, StreamSummary};
use http::{HeaderMap, Request, Response, StatusCode};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::time::Duration;
use tonic::Code;

/// The RPC semantic conventions for gRPC.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Grpc {
    /// How long the caller of this one call waits for it.
    timeout: Option<Duration>,
}

impl Semantics for Grpc {
    const SCOPE: (&'static str, &'static str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

    fn for_call<B>(&self, kind: &SpanKind, request: &Request<B>) -> Self {
        let timeout = match kind {
            SpanKind::Server => deadline::of(request.headers()),
            _ => None,
        };
        Self { timeout }
    }

    fn start<B>(&self, _: &SpanKind, request: &Request<B>, detail: Detail) -> SpanBuilder {
        let path = request.uri().path();
        let method = path.strip_prefix('/').unwrap_or(path).to_owned();
        if detail == Detail::Name {
            return SpanBuilder::from_name(method);
        }
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, "grpc"));
        attributes.push(KeyValue::new(RPC_METHOD, method.clone()));
        if let Some(authority) = request.uri().authority() {
            let host = authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']');
            attributes.push(KeyValue::new(SERVER_ADDRESS, host.to_owned()));
            let port = authority.port_u16().map(i64::from);
            attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, port)));
        }
        SpanBuilder::from_name(method).with_attributes(attributes)
    }

    fn on_head<B>(&self, kind: &SpanKind, response: &Response<B>, span: &SpanGuard) -> Head {
        // A status in the head means that no trailers follow.
        if let Some(code) = status::of(response.headers()) {
            return Head::Decided(record(kind, code, span));
        }
        match response.status() {
            StatusCode::OK => Head::Streams(ending(kind, Code::Unknown)),
            status => Head::Decided(record(kind, status::of_http(status), span)),
        }
    }

    fn on_trailers(
        &self,
        kind: &SpanKind,
        trailers: &HeaderMap,
        span: &SpanGuard,
    ) -> Option<Ending> {
        // What a stream without a status means: gRPC over HTTP/2, "Responses".
        let code = status::of(trailers).unwrap_or(Code::Unknown);
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
        let exceeded = self.timeout.is_some_and(|timeout| elapsed >= timeout);
        exceeded.then(|| record(kind, Code::DeadlineExceeded, span))
    }

    fn on_body_end(&self, _: &SpanKind, _: &StreamSummary, _: &SpanGuard) {}
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
