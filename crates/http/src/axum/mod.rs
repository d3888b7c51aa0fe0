//! The layer for axum's routers.
//!
//! [`ServerLayer`] is the [`ServerLayer`](crate::ServerLayer) of any tower service, and knows
//! axum: the route is its `MatchedPath`, the other end of the connection its
//! `ConnectInfo<SocketAddr>`, and a response has axum's own body type, so that the router has no
//! reason to box it once more. Around a layer that gives bodies of its own, such as one that
//! compresses them, responses have axum's type again.
//!
//! A layer that is given to `Router::layer` sees the route; one around the whole `Router` does
//! not, unless a [`RouteLayer`] inside tells it.
//!
//! ```
//! use axum::{Router, routing::get};
//! use dynamo_trace_http::axum::ServerLayer;
//!
//! let app: Router = Router::new()
//!     .route("/models/{model}", get(async || "ready"))
//!     .layer(ServerLayer::new());
//! ```

mod route;

pub use route::{InRoute, RouteFuture, RouteLayer};

use crate::Http;
use crate::engine::side::Server;
use crate::engine::{Boundary, Defaults, ResponseBody, Settings, TraceLayer, WrapBody};
use crate::framework::Framework;
use axum::BoxError;
use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath};
use axum::routing::Route;
use bytes::Bytes;
use http::Extensions;
use std::any::TypeId;
use std::net::SocketAddr;
use std::sync::LazyLock;

/// Spans of an axum server: kind SERVER, from the call to the end of the response body.
pub type ServerLayer<C = Defaults> = TraceLayer<Server, Http<Axum>, C>;

/// axum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Axum;

impl Framework for Axum {
    type Bodies = AxumBody;

    fn defaults() -> &'static Settings<Http<Self>> {
        static DEFAULTS: LazyLock<Settings<Http<Axum>>> =
            LazyLock::new(|| Settings::new(Http::default()));
        &DEFAULTS
    }

    /// A `Route` and a `Router` call what is in them when their future is polled.
    fn calls_lazily<S: 'static>() -> bool {
        let service = TypeId::of::<S>();
        service == TypeId::of::<Route>() || service == TypeId::of::<axum::Router>()
    }

    fn route(extensions: &Extensions) -> Option<&str> {
        extensions.get().map(MatchedPath::as_str)
    }

    fn peer(extensions: &Extensions) -> Option<SocketAddr> {
        extensions
            .get()
            .map(|peer: &ConnectInfo<SocketAddr>| peer.0)
    }
}

/// axum's bodies stay axum's, and those of layers inside become so.
#[derive(Clone, Copy, Debug)]
pub struct AxumBody;

impl<B, L> WrapBody<B, L> for AxumBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError> + 'static> + Send + 'static,
    L: Boundary,
{
    type Body = Body;

    fn wrap(body: ResponseBody<B, L>) -> Body {
        match body.into_plain() {
            // It takes back one of its own as it is.
            Ok(plain) => Body::new(plain),
            Err(body) => Body::new(body),
        }
    }
}
