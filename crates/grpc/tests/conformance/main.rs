//! The conformance suite, over tonic's server and channel: for the layers, and for the
//! interceptors.
#![expect(
    clippy::unwrap_used,
    reason = "a harness that does not start fails its test"
)]

#[path = "../spans/echo.rs"]
mod echo;
mod interceptors;
mod layers;

use bytes::Bytes;
use dynamo_trace_testkit::conformance::RawError;
use echo::codec;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Extensions, Request, Response};

const UNARY: PathAndQuery = PathAndQuery::from_static("/test.Echo/Unary");

/// Sends a payload, which has to come back.
async fn send<S>(service: S, payload: Bytes) -> Result<(), String>
where
    S: GrpcService<Body>,
    S::ResponseBody: Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<tonic::codegen::StdError>,
{
    let mut client = tonic::client::Grpc::new(service);
    if let Err(error) = client.ready().await {
        return Err(error.into().to_string());
    }
    let request = Request::new(payload.clone());
    let reply = client.unary(request, UNARY, codec()).await;
    match reply.map(Response::into_inner) {
        Ok(reply) if reply == payload => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Sends these fields.
async fn send_raw(
    channel: Channel,
    fields: Vec<(String, Vec<u8>)>,
    payload: Bytes,
) -> Result<(), RawError> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        // Names are lowercase in HTTP/2.
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(&value).map_err(|_| RawError::Unrepresentable)?;
        headers.append(name, value);
    }
    let metadata = MetadataMap::from_headers(headers);
    let request = Request::from_parts(metadata, Extensions::default(), payload);
    let mut client = tonic::client::Grpc::new(channel);
    let failed = |error: String| RawError::Failed(error);
    client.ready().await.map_err(|e| failed(e.to_string()))?;
    let reply = client.unary(request, UNARY, codec()).await;
    reply.map_err(|status| failed(status.to_string()))?;
    Ok(())
}
