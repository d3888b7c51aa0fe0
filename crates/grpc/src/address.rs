//! The two ends of a call.

use crate::attributes::{NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, SERVER_ADDRESS, SERVER_PORT};
use dynamo_trace_core::span::recent_value;
use dynamo_trace_http::PeerAddr;
use dynamo_trace_http::attributes::{MAX_LEN, cut};
use http::{Request, Uri};
use opentelemetry::KeyValue;
use std::net::SocketAddr;
use std::sync::Arc;
use tonic::transport::server::TcpConnectInfo;

/// Address and port of the server, as a request has them.
pub(crate) fn server(uri: &Uri) -> Option<impl Iterator<Item = KeyValue> + use<>> {
    let port = uri.authority()?.port_u16();
    Some(std::iter::once(host(uri)?).chain(port.map(server_port)))
}

/// Those of what a channel connects to.
pub(crate) fn endpoint(uri: &Uri) -> Option<Arc<[KeyValue]>> {
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https")) => 443,
        (None, _) => 80,
    };
    Some([host(uri)?, server_port(port)].into())
}

fn host(uri: &Uri) -> Option<KeyValue> {
    let host = uri.host()?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    Some(KeyValue::new(
        SERVER_ADDRESS,
        recent_value(cut(host, MAX_LEN)),
    ))
}

fn server_port(port: u16) -> KeyValue {
    KeyValue::new(SERVER_PORT, i64::from(port))
}

/// The other end of the connection, where tonic or another server leaves it.
pub(crate) fn peer<B>(request: &Request<B>) -> Option<[KeyValue; 2]> {
    let extensions = request.extensions();
    let of_tonic = || extensions.get::<TcpConnectInfo>()?.remote_addr();
    let peer: SocketAddr = match extensions.get::<PeerAddr>() {
        Some(peer) => peer.0,
        None => of_tonic()?,
    };
    let address = recent_value(&peer.ip().to_canonical().to_string());
    Some([
        KeyValue::new(NETWORK_PEER_ADDRESS, address),
        KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())),
    ])
}
