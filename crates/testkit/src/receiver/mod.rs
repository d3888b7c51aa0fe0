//! An OTLP trace receiver, for tests and for a collector process.
//!
//! One port speaks OTLP/gRPC (`TraceService/Export` over HTTP/2 without TLS, gzip accepted) and
//! OTLP/HTTP (`POST /v1/traces`, `application/x-protobuf`, uncompressed). A request may be up to
//! 64 MiB. Spans with invalid ids are rejected by OTLP's partial success; a body that is no
//! protobuf is answered with 400 (HTTP) or an error status (gRPC).
//!
//! A sender never waits for a reader: spans go to memory, without bound unless
//! [`Builder::keep_traces`] sets one. Nothing is deduplicated, so that a span which was exported
//! twice shows up twice.

mod decode;
mod server;
mod service;
mod store;
mod wait;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

pub use self::wait::{Arrivals, Timeout};
use self::{server::Server, store::Store};
use crate::span::Span;

/// A running OTLP receiver. It stops when dropped.
#[derive(Debug)]
pub struct Receiver {
    store: Arc<Store>,
    server: Server,
}

impl Receiver {
    /// Starts a receiver on a free loopback port.
    ///
    /// # Errors
    ///
    /// When no port can be opened or no thread started.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Starts a receiver on given addresses, such as `0.0.0.0:4317` and `0.0.0.0:4318`.
    ///
    /// Two ports by convention only: each of them speaks both protocols.
    ///
    /// # Errors
    ///
    /// When an address cannot be opened or no thread started.
    pub async fn bind(grpc: SocketAddr, http: SocketAddr) -> io::Result<Self> {
        Self::builder().bind(grpc, http).await
    }

    /// Options for a receiver.
    pub fn builder() -> Builder {
        Builder {
            keep_traces: usize::MAX,
        }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` must be for both protocols: `http://127.0.0.1:PORT`.
    ///
    /// With [`bind`](Self::bind) it names the first port, and loopback for an unspecified address.
    pub fn endpoint(&self) -> String {
        let first = self.addresses().first();
        first.copied().map(url).unwrap_or_default()
    }

    /// What an OTLP/HTTP exporter must get that is configured per signal or in code: the
    /// [`endpoint`](Self::endpoint) with `/v1/traces`.
    pub fn http_traces_endpoint(&self) -> String {
        format!("{}/v1/traces", self.endpoint())
    }

    /// The addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Every span: oldest trace first, the spans of a trace in the order of arrival.
    pub fn spans(&self) -> Vec<Span> {
        self.store.spans()
    }

    /// The spans of one trace, in the order of arrival; none if it is unknown.
    pub fn trace(&self, trace_id: [u8; 16]) -> Vec<Span> {
        self.store.trace(trace_id)
    }

    /// The traces, oldest first.
    pub fn trace_ids(&self) -> Vec<[u8; 16]> {
        self.store.trace_ids()
    }

    /// Forgets every span.
    pub fn clear(&self) {
        self.store.clear();
    }

    /// Stops listening, lets the requests in flight finish (two seconds at most), and closes
    /// every connection. Afterwards the port is free.
    ///
    /// # Cancel safety
    ///
    /// The shutdown goes on when the future is dropped.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

/// Options for a [`Receiver`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    keep_traces: usize,
}

impl Builder {
    /// Keeps at most this many traces, at least one: a new trace evicts the oldest one as a
    /// whole, by the arrival of its first span. All are kept by default.
    ///
    /// The number of spans of one trace is not bounded. A span of an evicted trace that arrives
    /// later starts that trace anew.
    pub fn keep_traces(mut self, count: usize) -> Self {
        self.keep_traces = count.max(1);
        self
    }

    /// As [`Receiver::start`].
    ///
    /// # Errors
    ///
    /// When no port can be opened or no thread started.
    pub async fn start(self) -> io::Result<Receiver> {
        self.listen(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))])
            .await
    }

    /// As [`Receiver::bind`].
    ///
    /// # Errors
    ///
    /// When an address cannot be opened or no thread started.
    pub async fn bind(self, grpc: SocketAddr, http: SocketAddr) -> io::Result<Receiver> {
        self.listen(vec![grpc, http]).await
    }

    async fn listen(self, addresses: Vec<SocketAddr>) -> io::Result<Receiver> {
        let store = Arc::new(Store::new(self.keep_traces));
        let server = Server::start(addresses, &store).await?;
        Ok(Receiver { store, server })
    }
}

/// A URL that a client on this machine can use.
fn url(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}")
}
