//! One call: attempts, until the server takes one.

use super::Companions;
use super::attempt::{Attempt, Kind};
use super::plan::Plan;
use super::unary::{self, Unary};
use super::write::Rpc;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, request};
use http_body_util::{BodyExt, Full};
use std::future::poll_fn;
use std::sync::Arc;
use tonic::body::Body;
use tonic::{Code, Status};
use tower_service::Service;

/// Makes the call over `inner`, which is ready.
pub(super) async fn exchange<S>(
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
    let message = unary::message(&plain);
    let plan = message.and_then(|message| companions.plan(rpc, &head, &message));
    let Some(mut plan) = plan else {
        return inner.call(full(head, plain)).await;
    };
    let mut refused = Vec::new();
    let mut next = 0;
    while let Some(attempt) = plan.attempts.get_mut(next) {
        let Some(request) = to_request(&head, attempt) else {
            next += 1;
            continue;
        };
        let kind = attempt.kind;
        let mut again = inner.clone();
        let response = Unary::collect(inner.call(request).await?, plan.max_len()).await;
        match judge(&plan, next, response) {
            Judged::Taken(response) => {
                companions.settle(kind, &refused);
                let restored = response.map(|message| plan.restore(next, message, &companions));
                return Ok(restored.map_or_else(unreadable, Unary::into_response));
            }
            Judged::Failed(response) => return Ok(response),
            Judged::Refused { code, skips } => {
                refused.push((kind, code));
                next += 1 + skips;
            }
        }
        poll_fn(|cx| again.poll_ready(cx)).await?;
        inner = again;
    }
    // The last one fits, and is refused to nobody but the user.
    Ok(unreadable())
}

enum Judged {
    Taken(Unary),
    /// It is the user's own failure.
    Failed(Response<Body>),
    Refused {
        code: Code,
        skips: usize,
    },
}

fn judge(plan: &Plan, at: usize, response: Result<Unary, Status>) -> Judged {
    let kind = plan
        .attempts
        .get(at)
        .map_or(Kind::Plain, |attempt| attempt.kind);
    let rest = plan.attempts.len().saturating_sub(at + 1);
    let response = match response {
        Ok(response) => response,
        // What only reads can be done again.
        Err(status) if kind == Kind::Read && rest > 0 => {
            plan.cannot_read(status.code());
            return Judged::Refused {
                code: status.code(),
                skips: 0,
            };
        }
        Err(status) => return Judged::Failed(status.into_http()),
    };
    let code = match response.code() {
        Some(Code::Ok) => return Judged::Taken(response),
        Some(code) => code,
        None => return Judged::Failed(response.into_response()),
    };
    // Refused before anything was done; what was added may be why. Then the user's own call must
    // go through, and if not, the user has to see its own error.
    match kind.skips(code, &response.failure(), rest) {
        Some(skips) => {
            if kind == Kind::Read {
                plan.cannot_read(code);
            }
            Judged::Refused { code, skips }
        }
        None => Judged::Failed(response.into_response()),
    }
}

/// `None` where the message does not fit into a frame.
fn to_request(plain: &request::Parts, attempt: &mut Attempt) -> Option<Request<Body>> {
    let mut head = plain.clone();
    let mut uri = head.uri.into_parts();
    uri.path_and_query = Some(PathAndQuery::from_static(attempt.rpc.path()));
    head.uri = Uri::from_parts(uri).ok()?;
    // The response has to be read.
    head.headers.remove("grpc-accept-encoding");
    Some(full(head, attempt.take_body()?))
}

fn full(head: request::Parts, body: Bytes) -> Request<Body> {
    Request::from_parts(head, Body::new(Full::new(body)))
}

fn unreadable() -> Response<Body> {
    Status::internal("not the response to this transaction").into_http()
}
