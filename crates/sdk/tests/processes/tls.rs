//! Spans go to `https` endpoints, and only to those that the platform's roots vouch for.

use std::path::PathBuf;
use std::sync::Arc;

use dynamo_trace_testkit::Receiver;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use crate::support::{PROTOCOLS, RUNTIME, child, succeed};

/// TLS in front of `receiver`: its endpoint, and the file with the only root that vouches for it.
async fn terminate(receiver: &Receiver) -> (String, PathBuf) {
    let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let roots = std::env::temp_dir().join(format!("roots-{}.pem", receiver.addresses()[0].port()));
    std::fs::write(&roots, authority.cert.pem()).unwrap();

    let key = PrivateKeyDer::try_from(authority.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![authority.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let address = receiver.addresses()[0];
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut connection) = acceptor.accept(connection).await {
                    let mut receiver = TcpStream::connect(address).await.unwrap();
                    let _ = copy_bidirectional(&mut connection, &mut receiver).await;
                }
            });
        }
    });
    (endpoint, roots)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_certified_endpoint_gets_spans() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start().await.unwrap();
        let (endpoint, roots) = terminate(&receiver).await;
        let run = |scenario: &str, roots| {
            let mut child = child(scenario);
            child
                .env(RUNTIME, "current-thread")
                .env("SSL_CERT_FILE", roots)
                .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
            tokio::task::block_in_place(|| succeed(&mut child));
        };

        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let strangers = roots.with_extension("stranger.pem");
        std::fs::write(&strangers, stranger.cert.pem()).unwrap();
        run("outage/closed", &strangers);
        assert!(receiver.spans().is_empty());

        run("delivery/headers", &roots);
        assert_eq!(receiver.spans().len(), 1);

        std::fs::remove_file(roots).unwrap();
        std::fs::remove_file(strangers).unwrap();
    }
}
