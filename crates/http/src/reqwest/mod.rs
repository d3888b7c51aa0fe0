//! The middleware for reqwest's clients.
//!
//! [`ClientMiddleware`] does for a `reqwest::Client` what [`ClientLayer`](crate::ClientLayer) does
//! for a tower client, by the `reqwest-middleware` crate: its `ClientWithMiddleware` is used as
//! reqwest's own client is.
//!
//! ```
//! use dynamo_trace_http::reqwest::ClientMiddleware;
//! use dynamo_trace_http::{ClientLayer, Route};
//! use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
//!
//! # async fn run() -> reqwest_middleware::Result<()> {
//! let client: ClientWithMiddleware = ClientBuilder::new(reqwest::Client::new())
//!     .with(ClientMiddleware::new())
//!     .build();
//! let response = client
//!     .get("http://localhost:8000/models/42")
//!     .with_extension(Route::new("/models/{model}")) // `url.template`, in the span's name
//!     .send()
//!     .await?;
//!
//! // Every option of the layer is one of the middleware: here spans that last as long as the
//! // response bodies, with a summary of their streams.
//! let streams = ClientMiddleware::from(ClientLayer::new().with_body());
//! # Ok(())
//! # }
//! ```
//!
//! # What crosses the wire
//!
//! [Request headers](crate#what-crosses-the-wire); those of the request that hold another context
//! are replaced. reqwest sends them again to where it is redirected to, `baggage` included.
//!
//! # When spans start and end
//!
//! A span starts when the middleware is called, as the child of the span that is current where
//! `send` is polled. It ends with the response head, with an error, or as cancelled when `send` is
//! dropped; after [`with_body`](crate::ClientLayer::with_body) with the response body: its end, an
//! error of it, or a drop.
//!
//! What is inside of the middleware is inside of the span; so belongs what retries, such as
//! `reqwest-retry`, outside of it, which means before it in the builder. Then every send is a span
//! of its own, and those of the second and later ones have `http.request.resend_count`. They are
//! counted in the extensions that all sends of a request share.
//!
//! The redirects that reqwest follows and the retries of its `reqwest::retry` policies are beneath
//! all middleware: one span covers them, with the URL of the first request and the status of the
//! last response. For a span each, the client is built with `redirect::Policy::none()`, and the
//! redirects are followed by a middleware outside, or by the caller.
//!
//! # Errors
//!
//! 4xx and 5xx fail the span with the status as `error.type`. Where no response came it is the
//! kind of the I/O error among the sources (`connection_refused`, `timed_out`), else what reqwest
//! itself tells: `timed_out`, `dns_error`, `connect_error`, `redirect_error`, `builder_error`, or
//! `incomplete_message` where the connection was closed before the end of the head.
//!
//! # What the request and the response keep
//!
//! The request is sent as it was made, but for the propagation's headers: with its body, timeout
//! and version. The response is reqwest's own. Only one whose body is still to be read by the end
//! of [`with_body`](crate::ClientLayer::with_body) has another body around its own; no chunk is
//! copied, and what reqwest's errors say of themselves (`is_timeout`, `is_decode`) they say as
//! before.
//!
//! Userinfo of a URL, which reqwest sends as `authorization`, stands on no span. The message of
//! an error, in which reqwest writes the URL in full, does not either.

mod body;
pub(crate) mod error;
mod head;
mod middleware;
mod sends;

pub use middleware::ClientMiddleware;
