//! OTLP over gRPC and over HTTP: the same request and response, framed in two ways.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use prost::Message;
use tonic::{codec::CompressionEncoding, service::Routes};

use super::{decode::decode, store::Store};

/// The largest accepted request, in bytes, after decompression.
const MAX_REQUEST: usize = 64 * 1024 * 1024;

const PROTOBUF: &str = "application/x-protobuf";

/// Both protocols on one set of routes.
pub(super) fn routes(store: &Arc<Store>) -> Routes {
    let grpc = TraceServiceServer::new(Export(Arc::clone(store)))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(MAX_REQUEST);
    let http = axum::Router::new()
        .route("/v1/traces", post(export))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(Arc::clone(store));
    let router = Routes::new(grpc).into_axum_router();
    Routes::from(router.merge(http).fallback(unknown))
}

fn accept(store: &Store, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse {
    let decoded = decode(request);
    store.add(decoded.spans);
    ExportTraceServiceResponse {
        // OTLP: left unset when everything was accepted
        partial_success: (decoded.rejected > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: decoded.rejected,
            error_message: "trace and span ids must be 16 and 8 bytes, not all zero".to_owned(),
        }),
    }
}

#[derive(Debug)]
struct Export(Arc<Store>);

#[tonic::async_trait]
impl TraceService for Export {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        Ok(tonic::Response::new(accept(&self.0, request.into_inner())))
    }
}

/// `POST /v1/traces`.
async fn export(State(store): State<Arc<Store>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is(&headers, header::CONTENT_TYPE, PROTOBUF) {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "only application/x-protobuf is supported",
        );
    }
    if headers.contains_key(header::CONTENT_ENCODING)
        && !is(&headers, header::CONTENT_ENCODING, "identity")
    {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "compressed bodies are not supported",
        );
    }
    match ExportTraceServiceRequest::decode(body) {
        Ok(request) => protobuf(StatusCode::OK, &accept(&store, request)),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// An exporter that is pointed at a wrong path must not take the answer for success.
async fn unknown(headers: HeaderMap) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE);
    if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        let response = tonic::Status::unimplemented("only the trace service is served here");
        return response.into_http::<axum::body::Body>();
    }
    StatusCode::NOT_FOUND.into_response()
}

/// Whether a header has a value, apart from case and parameters.
fn is(headers: &HeaderMap, name: header::HeaderName, value: &str) -> bool {
    let actual = headers.get(name).and_then(|value| value.to_str().ok());
    let essence = actual.and_then(|actual| actual.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(value))
}

/// OTLP/HTTP: the body of an error is a protobuf `google.rpc.Status`.
fn refuse(code: StatusCode, message: &str) -> Response {
    let status = RpcStatus {
        message: message.to_owned(),
    };
    protobuf(code, &status)
}

fn protobuf(code: StatusCode, message: &impl Message) -> Response {
    let headers = [(header::CONTENT_TYPE, PROTOBUF)];
    (code, headers, message.encode_to_vec()).into_response()
}

/// `google.rpc.Status`, as far as OTLP/HTTP uses it.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(string, tag = "2")]
    message: String,
}
