//! An OTLP exporter for one endpoint.

use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    Compression, Protocol as Otlp, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use tonic::metadata::MetadataMap;

use super::failure::Network;
use crate::InitError;
use crate::settings::{Protocol, Target};

/// Has to be called within the runtime that the exporter is going to run on.
pub(super) fn build(target: &Target, network: &Network) -> Result<SpanExporter, InitError> {
    match target.protocol {
        Protocol::Grpc => grpc(target),
        Protocol::HttpProtobuf => http(target, network),
    }
}

fn grpc(target: &Target) -> Result<SpanExporter, InitError> {
    let headers = Headers::of(target);
    let mut builder = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&target.endpoint)
        .with_timeout(target.timeout)
        .with_interceptor(move |mut request: tonic::Request<()>| {
            let mut metadata = std::mem::take(request.metadata_mut()).into_headers();
            headers.apply(&mut metadata);
            *request.metadata_mut() = MetadataMap::from_headers(metadata);
            Ok(request)
        });
    #[cfg(feature = "tls")]
    if target.endpoint.starts_with("https:") {
        // The default of the exporter crate is https without a single root certificate.
        builder =
            builder.with_tls_config(tonic::transport::ClientTlsConfig::new().with_enabled_roots());
    }
    if target.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    builder.build().map_err(InitError::Exporter)
}

fn http(target: &Target, network: &Network) -> Result<SpanExporter, InitError> {
    let client = Client {
        inner: client(target.timeout)?,
        headers: Headers::of(target),
        network: network.clone(),
    };
    let mut builder = SpanExporter::builder()
        .with_http()
        .with_protocol(Otlp::HttpBinary)
        .with_endpoint(&target.endpoint)
        .with_timeout(target.timeout)
        .with_http_client(client);
    if target.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    builder.build().map_err(InitError::Exporter)
}

#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;
#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;

#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, reason = "with TLS it can fail")]
fn client(timeout: Duration) -> Result<HyperClient<Connector>, InitError> {
    Ok(HyperClient::with_default_connector(timeout, None))
}

#[cfg(feature = "tls")]
fn client(timeout: Duration) -> Result<HyperClient<Connector>, InitError> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(InitError::Certificates)?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(HyperClient::new(connector, timeout, None))
}

/// Sends the headers of this endpoint, and only those: the exporter crate adds the ones of the
/// environment to every exporter that it builds.
#[derive(Clone, Debug)]
struct Headers {
    stray: Vec<http::HeaderName>,
    own: Vec<(http::HeaderName, http::HeaderValue)>,
}

impl Headers {
    fn of(target: &Target) -> Self {
        Self {
            stray: target.stray_headers.clone(),
            own: target.headers.clone(),
        }
    }

    fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.stray {
            headers.remove(name);
        }
        for (name, value) in &self.own {
            headers.insert(name.clone(), value.clone());
        }
    }
}

#[derive(Debug)]
struct Client {
    inner: HyperClient<Connector>,
    headers: Headers,
    network: Network,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.headers.apply(request.headers_mut());
        let sent = self.inner.send_bytes(request).await;
        sent.inspect_err(|error| self.network.failed(error.as_ref()))
    }
}
