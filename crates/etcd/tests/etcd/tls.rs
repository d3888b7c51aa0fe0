//! TLS, with a certificate of one's own making.

use crate::bench::{Bench, attribute, companion};
use dynamo_trace_etcd::attributes::{DB_RESPONSE_STATUS_CODE, SERVER_ADDRESS, SERVER_PORT};
use dynamo_trace_testkit::servers::EtcdServer;
use etcd_client::{Certificate, ConnectOptions, TlsOptions};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

struct Tls {
    server: EtcdServer,
    certificate: String,
    provider: SdkTracerProvider,
    spans: InMemorySpanExporter,
    _files: tempfile::TempDir,
}

impl Tls {
    async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = tempfile::tempdir().unwrap();
        let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let spans = InMemorySpanExporter::default();
        Self {
            server: EtcdServer::start_with_tls(&certificate, &key, &[])
                .await
                .unwrap(),
            certificate: made.cert.pem(),
            provider: SdkTracerProvider::builder()
                .with_simple_exporter(spans.clone())
                .build(),
            spans,
            _files: files,
        }
    }

    fn options(&self) -> TlsOptions {
        TlsOptions::new().ca_certificate(Certificate::from_pem(&self.certificate))
    }

    async fn connect(&self, tls: TlsOptions) -> dynamo_trace_etcd::Client {
        let options = ConnectOptions::new().with_tls(tls);
        let endpoint = format!("https://{}", self.endpoint());
        let builder = dynamo_trace_etcd::Client::builder().with_tracer_provider(&self.provider);
        builder.connect([endpoint], Some(options)).await.unwrap()
    }

    /// By the name in the certificate.
    fn endpoint(&self) -> String {
        self.server.endpoint().replace("127.0.0.1", "localhost")
    }
}

#[tokio::test]
async fn everything_goes_over_tls() {
    let tls = Tls::start().await;
    let etcd = tls.connect(tls.options()).await;
    let mut changes = etcd.watch("k", None).await.unwrap();
    etcd.put("k", "v", None).await.unwrap();
    let change = changes.next().await.unwrap().unwrap();
    assert_eq!(change.kv().unwrap().value(), b"v");
    let spans = tls.spans.get_finished_spans().unwrap();
    let put = &spans[1];
    let remote = change.remote().span_context().unwrap();
    assert_eq!(remote.span_id(), put.span_context.span_id());
    assert_eq!(etcd.get(companion("k"), None).await.unwrap().count(), 1);
    let endpoint = tls.endpoint();
    let (host, port) = endpoint.rsplit_once(':').unwrap();
    assert_eq!(attribute(put, SERVER_ADDRESS).unwrap(), host);
    assert_eq!(attribute(put, SERVER_PORT).unwrap(), port);
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_nothing() {
    let tls = Tls::start().await;
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let options = TlsOptions::new().ca_certificate(Certificate::from_pem(stranger.cert.pem()));
    let etcd = tls.connect(options.clone()).await;
    let error = etcd.put("k", "v", None).await.unwrap_err();
    let plain = ConnectOptions::new().with_tls(options);
    let endpoint = format!("https://{}", tls.endpoint());
    let plain = etcd_client::Client::connect([endpoint], Some(plain)).await;
    let plain = plain.unwrap().put("k", "v", None).await.unwrap_err();
    assert_eq!(error.to_string(), plain.to_string());
    let spans = tls.spans.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1);
    let code = attribute(&spans[0], DB_RESPONSE_STATUS_CODE);
    assert_eq!(code.as_deref(), Some("UNAVAILABLE"));
    let trusted = tls.connect(tls.options()).await;
    assert_eq!(trusted.get("k", None).await.unwrap().count(), 0);
}

#[tokio::test]
async fn options_that_do_not_go_with_the_endpoint_are_told_as_by_the_original() {
    let bench = Bench::start().await;
    let options = || Some(ConnectOptions::new().with_tls(TlsOptions::new()));
    let endpoints = [format!("http://{}", bench.server.endpoint())];
    let traced = bench.builder().connect(&endpoints, options()).await;
    let plain = etcd_client::Client::connect(&endpoints, options()).await;
    let (traced, plain) = (traced.unwrap_err(), plain.err().unwrap());
    assert_eq!(traced.to_string(), plain.to_string());
}
