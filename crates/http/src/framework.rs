//! What differs between the frameworks that HTTP services are written for.

use crate::Http;
use crate::attributes::{NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT};
use crate::engine::{AnyBody, Settings};
use http::Extensions;
use opentelemetry::KeyValue;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

/// A framework: where it leaves the route, and what it does with bodies.
pub trait Framework: Clone + Copy + fmt::Debug + Default + Send + Sync + 'static {
    /// What becomes of response bodies.
    type Bodies;

    /// The settings of its layers that were given none.
    fn defaults() -> &'static Settings<Http<Self>>;

    /// Whether `call` of this service does nothing but to make a future.
    #[must_use]
    fn calls_lazily<S: 'static>() -> bool {
        false
    }

    /// The route, where the framework leaves it on requests or responses.
    #[must_use]
    fn route(_: &Extensions) -> Option<&str> {
        None
    }

    /// The other end of the connection, where the framework leaves it on requests.
    #[must_use]
    fn peer(_: &Extensions) -> Option<SocketAddr> {
        None
    }
}

/// Any tower service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tower;

impl Framework for Tower {
    type Bodies = AnyBody;

    fn defaults() -> &'static Settings<Http> {
        static DEFAULTS: LazyLock<Settings<Http>> =
            LazyLock::new(|| Settings::new(Http::default()));
        &DEFAULTS
    }
}

/// The route of a request, as an extension: of few values, such as `/users/{id}`.
///
/// On the request of a server, left there by what is outside of the layer, or on its response by
/// what is inside, it is `http.route`; on the request of a client it is `url.template`. It is a
/// part of the span's name.
///
/// ```
/// use dynamo_trace_http::Route;
///
/// let mut request = http::Request::get("https://example.com/users/42").body(())?;
/// request.extensions_mut().insert(Route::new("/users/{id}"));
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route(Cow<'static, str>);

impl Route {
    /// This route.
    #[must_use]
    pub fn new(route: impl Into<Cow<'static, str>>) -> Self {
        Self(route.into())
    }

    /// The route as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The other end of the connection, as an extension of a server's request: `network.peer.address`
/// and `network.peer.port`. axum's own layer knows its `ConnectInfo<SocketAddr>` as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl PeerAddr {
    /// `network.peer.address`, IPv4 as such also where the socket is one of IPv6, and
    /// `network.peer.port`.
    #[must_use]
    pub fn attributes(self) -> [KeyValue; 2] {
        let Self(peer) = self;
        [
            KeyValue::new(NETWORK_PEER_ADDRESS, ip(peer.ip())),
            KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())),
        ]
    }
}

/// An address as an attribute has it.
pub(crate) fn ip(ip: IpAddr) -> String {
    ip.to_canonical().to_string()
}
