use super::error::Error;
use super::scope::Served;
use super::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use crate::attributes;
use async_nats::HeaderMap;
use async_nats::client::PublishError;
use bytes::Bytes;
use dynamo_trace_core::span::Verdict;
use opentelemetry::Context;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// An [`async_nats::service::Request`] whose response carries the current context.
///
/// Reads as the request itself. An error that is responded ends the request's span as failed, on
/// whatever task it is responded; the first of several counts.
#[derive(Debug)]
pub struct Request {
    inner: async_nats::service::Request,
    served: Arc<Served>,
    /// Made for a span that records, or by an error.
    verdict: OnceLock<Verdict>,
}

impl Request {
    pub(super) const fn new(inner: async_nats::service::Request, served: Arc<Served>) -> Self {
        Self {
            inner,
            served,
            verdict: OnceLock::new(),
        }
    }

    /// Sends the response, with the current context in its headers. No span starts: the span that
    /// processes the request covers the response.
    ///
    /// An error goes in the headers `Nats-Service-Error` and `Nats-Service-Error-Code`; line ends
    /// in its status, at which async-nats panics, become spaces.
    ///
    /// # Errors
    ///
    /// As [`async_nats::service::Request::respond`], such as that the request asks for no
    /// response. An error that could not be sent ends the span as failed all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes sends nothing; an error counts from the first poll
    /// on.
    ///
    /// ```no_run
    /// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::Error> {
    /// let service = nats.service_builder().start("prices", "1.0.0").await?;
    /// let mut quotes = service.endpoint("quotes").await?;
    /// while let Some(received) = quotes.next().await {
    ///     let work = received.process(async |request| request.respond(Ok("42".into())).await);
    ///     work.await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn respond(&self, response: Result<Bytes, Error>) -> Result<(), PublishError> {
        self.send(response, None).await
    }

    /// Sends the response with headers, as [`respond`](Self::respond) does. A `traceparent` that
    /// the caller put into them is sent as it is.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    ///
    /// # Cancel safety
    ///
    /// As [`respond`](Self::respond).
    pub async fn respond_with_headers(
        &self,
        response: Result<Bytes, Error>,
        headers: HeaderMap,
    ) -> Result<(), PublishError> {
        self.send(response, Some(headers)).await
    }

    /// The request alone. What it responds carries no context and ends no span.
    #[must_use]
    pub fn into_inner(self) -> async_nats::service::Request {
        self.inner
    }

    pub(super) fn verdict(&self) -> &Verdict {
        self.verdict.get_or_init(Verdict::default)
    }

    async fn send(
        &self,
        response: Result<Bytes, Error>,
        headers: Option<HeaderMap>,
    ) -> Result<(), PublishError> {
        let response = response.map_err(on_one_line);
        let body = match &response {
            Ok(payload) => payload.len(),
            Err(error) => {
                self.verdict().fail(attributes::responded(error));
                wire_len(error)
            }
        };
        let client = &self.served.client;
        // Not inside `map_current`: a propagator of the user's may attach a context.
        let cx = Context::current();
        let headers = client.settings().inject(&cx, headers, client.size(body));
        let headers = headers.unwrap_or_default();
        self.inner.respond_with_headers(response, headers).await
    }
}

/// A header is one line.
fn on_one_line(error: Error) -> Error {
    match error.status.contains(['\r', '\n']) {
        true => Error {
            status: error.status.replace(['\r', '\n'], " "),
            ..error
        },
        false => error,
    }
}

/// How many bytes the headers of an error take, at most.
const fn wire_len(error: &Error) -> usize {
    const AROUND: usize = ": \r\n".len() * 2 + NATS_SERVICE_ERROR.len();
    const CODE: usize = NATS_SERVICE_ERROR_CODE.len() + "18446744073709551615".len();
    AROUND + CODE + error.status.len()
}

impl Deref for Request {
    type Target = async_nats::service::Request;

    fn deref(&self) -> &async_nats::service::Request {
        &self.inner
    }
}
