use super::Companions;
use super::unary::{self, Unary};
use super::write::{Rpc, Write};
use crate::semantics::{Endless, operation};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, request};
use http_body_util::{BodyExt, Full};
use pin_project_lite::pin_project;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::{Code, Status};
use tower_service::Service;

/// Writes companions: turns `Put`, `DeleteRange` and `Txn` into transactions that write the
/// companions too, and their responses back into those of the calls that were made.
///
/// It stands under the layer that makes the spans, so that one span covers all of it and is the
/// one whose context goes into the companions.
#[derive(Clone, Debug)]
pub(crate) struct WithCompanions<S> {
    inner: S,
    companions: Arc<Companions>,
}

impl<S> WithCompanions<S> {
    pub(crate) const fn new(inner: S, companions: Arc<Companions>) -> Self {
        Self { inner, companions }
    }
}

impl<S> Service<Request<Body>> for WithCompanions<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match Rpc::of(request.uri()) {
            Some(rpc) if self.companions.concern(rpc) => {
                let clone = self.inner.clone();
                // The clone is not ready; this one is.
                let ready = std::mem::replace(&mut self.inner, clone);
                let companions = Arc::clone(&self.companions);
                ResponseFuture::Written {
                    future: Box::pin(write(ready, companions, rpc, request)),
                }
            }
            _ => ResponseFuture::Plain {
                endless: Endless::is(operation(request.uri())),
                future: self.inner.call(request),
            },
        }
    }
}

async fn write<S>(
    mut inner: S,
    companions: Arc<Companions>,
    rpc: Rpc,
    request: Request<Body>,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone,
{
    let (head, body) = request.into_parts();
    let plain = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(status) => return Ok(status.into_http()),
    };
    let accompanied = unary::message(&plain)
        .and_then(|message| companions.accompany(rpc, &head, message))
        .and_then(|write| Some((txn(&head, &write)?, write)));
    let Some((txn, write)) = accompanied else {
        return inner.call(full(head, plain)).await;
    };
    let mut again = inner.clone();
    let response = match Unary::collect(inner.call(txn).await?).await {
        Ok(response) => response,
        Err(status) => return Ok(status.into_http()),
    };
    let refusal = match response.code() {
        Some(Code::Ok) => {
            companions.admitted();
            let restored = response.map(|message| write.restore(message));
            return Ok(restored.map_or_else(unreadable, Unary::into_response));
        }
        // Refused before anything was written; the companion may be why. Then the user's own
        // write must go through, and if not, the user has to see its own error.
        Some(code @ (Code::PermissionDenied | Code::InvalidArgument)) => code,
        _ => return Ok(response.into_response()),
    };
    poll_fn(|cx| again.poll_ready(cx)).await?;
    let response = again.call(full(head, plain)).await?;
    Ok(match Unary::collect(response).await {
        Ok(response) => {
            if response.code() == Some(Code::Ok) {
                companions.refused(refusal);
            }
            response.into_response()
        }
        Err(status) => status.into_http(),
    })
}

/// The head of `plain` with the transaction; `None` where that is no request.
fn txn(plain: &request::Parts, write: &Write) -> Option<Request<Body>> {
    let mut head = plain.clone();
    let mut uri = head.uri.into_parts();
    uri.path_and_query = Some(PathAndQuery::from_static(Rpc::Txn.path()));
    head.uri = Uri::from_parts(uri).ok()?;
    // The response has to be read.
    head.headers.remove("grpc-accept-encoding");
    Some(full(head, unary::frame(&write.request())?))
}

fn full(head: request::Parts, body: Bytes) -> Request<Body> {
    Request::from_parts(head, Body::new(Full::new(body)))
}

fn unreadable() -> Response<Body> {
    Status::internal("not the response to this transaction").into_http()
}

pin_project! {
    /// The response of [`WithCompanions`].
    #[project = Projected]
    pub(crate) enum ResponseFuture<F, E> {
        Plain { #[pin] future: F, endless: bool },
        Written { future: Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>> },
    }
}

impl<F, E> Future for ResponseFuture<F, E>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            Projected::Written { future } => future.as_mut().poll(cx),
            Projected::Plain { future, endless } => future.poll(cx).map_ok(|mut response| {
                if *endless {
                    response.extensions_mut().insert(Endless);
                }
                response
            }),
        }
    }
}
