//! The two ends of a call.

use crate::attributes::{SERVER_ADDRESS, SERVER_PORT};
use dynamo_trace_http::{PeerAddr, authority};
use http::{Request, Uri};
use opentelemetry::KeyValue;
use std::sync::Arc;
use tonic::transport::server::TcpConnectInfo;

/// Address and port of the server, as a request has them.
pub(crate) fn server(uri: &Uri) -> Option<impl Iterator<Item = KeyValue> + use<>> {
    let (host, port) = authority::read(uri.authority()?.as_str().as_bytes())?;
    let address = KeyValue::new(SERVER_ADDRESS, host);
    Some(std::iter::once(address).chain(port.map(server_port)))
}

/// Those of what a channel connects to.
pub(crate) fn endpoint(uri: &Uri) -> Option<Arc<[KeyValue]>> {
    let (host, port) = authority::read(uri.authority()?.as_str().as_bytes())?;
    let port = match (port, uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https")) => 443,
        (None, _) => 80,
    };
    Some([KeyValue::new(SERVER_ADDRESS, host), server_port(port)].into())
}

fn server_port(port: u16) -> KeyValue {
    KeyValue::new(SERVER_PORT, i64::from(port))
}

/// The other end of the connection, where tonic or another server leaves it.
pub(crate) fn peer<B>(request: &Request<B>) -> Option<[KeyValue; 2]> {
    let extensions = request.extensions();
    let of_tonic = || extensions.get::<TcpConnectInfo>()?.remote_addr();
    let peer = extensions.get().copied();
    let peer = peer.or_else(|| of_tonic().map(PeerAddr));
    peer.map(PeerAddr::attributes)
}
