//! A stack of layers, and what becomes of a request in it.

use crate::{BoxError, Request, Server, Telemetry, client, soon};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use opentelemetry_sdk::trace::SpanData;
use tower::{Service, ServiceExt};
use tower_http::decompression::Decompression;

/// What becomes of a request in a stack of layers, outermost first, in three ways: in a
/// `ServiceBuilder` on axum's router, one after another on it, and around a plain tower service.
macro_rules! three_ways {
    ($handler:expr, $change:expr, |$ours:ident| [$($layer:expr),+ $(,)?]) => {{
        use crate::stack::Outcome;
        let handler = $handler;
        let change: fn(&mut crate::Request) = $change;
        let route = || axum::Router::new().route("/", axum::routing::any(handler));

        let telemetry = crate::Telemetry::new();
        let $ours = telemetry.axum();
        let stack = tower::ServiceBuilder::new()$(.layer($layer))+;
        let built = Outcome::of("built", telemetry, route().layer(stack), change).await;

        let telemetry = crate::Telemetry::new();
        let $ours = telemetry.axum();
        let app = one_by_one!(route(); $($layer),+);
        let one_by_one = Outcome::of("one by one", telemetry, app, change).await;

        let telemetry = crate::Telemetry::new();
        let $ours = telemetry.server();
        let service = tower::service_fn(move |_: http::Request<hyper::body::Incoming>| {
            let response = handler();
            async move { Ok::<_, std::convert::Infallible>(response.await) }
        });
        let service = tower::ServiceBuilder::new()$(.layer($layer))+.service(service);
        let plain = Outcome::of("plain", telemetry, service, change).await;
        [built, one_by_one, plain]
    }};
}

/// The last layer that a router is given is the outermost.
macro_rules! one_by_one {
    ($router:expr;) => { $router };
    ($router:expr; $first:expr $(, $rest:expr)*) => {
        one_by_one!($router; $($rest),*).layer($first)
    };
}

/// What the client saw, and what was recorded.
pub(crate) struct Outcome {
    pub(crate) way: &'static str,
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Result<Bytes, BoxError>,
    telemetry: Telemetry,
}

impl Outcome {
    /// Sends one request as a browser would, which has an origin and reads gzip.
    pub(crate) async fn of<S, B>(
        way: &'static str,
        telemetry: Telemetry,
        service: S,
        change: fn(&mut Request),
    ) -> Self
    where
        S: Service<http::Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let server = Server::start(service).await;
        let request = http::Request::get(format!("http://{}/", server.addr));
        let request = request.header("origin", "https://example.com");
        let mut request = request.body(Default::default()).unwrap();
        change(&mut request);
        let response = Decompression::new(client()).oneshot(request);
        let (head, body) = soon(response).await.unwrap().into_parts();
        let body = soon(body.collect()).await;
        Self {
            way,
            status: head.status,
            headers: head.headers,
            body: body.map(|body| body.to_bytes()),
            telemetry,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The one span that was started, when it has ended.
    pub(crate) async fn span(&self) -> SpanData {
        let [span] = self.telemetry.ended().await;
        span
    }

    pub(crate) async fn no_span(&self) {
        self.telemetry.ended::<0>().await;
    }
}

/// The request as it is.
pub(crate) fn as_is(_: &mut Request) {}
