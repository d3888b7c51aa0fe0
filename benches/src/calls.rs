//! Calls of a service, one at a time, each to the end of its response's body.

use std::fmt::Debug;
use std::pin::pin;

use anyhow::{Context, anyhow, ensure};
use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};

/// How many calls are made between two looks at the clock.
pub(crate) const BATCH: usize = 64;

/// What is asked, and how many chunks the response has.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) request: Request<Bytes>,
    pub(crate) chunks: usize,
}

/// A service, whatever its type.
pub(crate) trait Batch {
    /// Makes the requests; not measured.
    fn prepare(&mut self);

    /// Makes the calls that were prepared.
    fn run(&mut self) -> anyhow::Result<()>;
}

struct Calls<S, Q> {
    service: S,
    exchange: Exchange,
    body: fn(Bytes) -> Q,
    requests: Vec<Request<Q>>,
}

pub(crate) fn calls<S, Q, B>(service: S, exchange: Exchange, body: fn(Bytes) -> Q) -> Box<dyn Batch>
where
    S: Service<Request<Q>, Response = Response<B>, Error: Debug> + 'static,
    Q: 'static,
    B: Body<Error: Debug>,
{
    Box::new(Calls {
        service,
        exchange,
        body,
        requests: Vec::with_capacity(BATCH),
    })
}

impl<S, Q, B> Batch for Calls<S, Q>
where
    S: Service<Request<Q>, Response = Response<B>, Error: Debug>,
    B: Body<Error: Debug>,
{
    fn prepare(&mut self) {
        let template = &self.exchange.request;
        self.requests
            .resize_with(BATCH, || template.clone().map(self.body));
    }

    fn run(&mut self) -> anyhow::Result<()> {
        for request in self.requests.drain(..) {
            let (status, chunks) = call(&mut self.service, request)
                .now_or_never()
                .context("the call waits for something")??;
            let expected = self.exchange.chunks;
            ensure!(
                status == StatusCode::OK && chunks == expected,
                "{status} with {chunks} chunks that are not empty instead of 200 with {expected}"
            );
        }
        Ok(())
    }
}

async fn call<S, Q, B>(service: &mut S, request: Request<Q>) -> anyhow::Result<(StatusCode, usize)>
where
    S: Service<Request<Q>, Response = Response<B>, Error: Debug>,
    B: Body<Error: Debug>,
{
    let service = service.ready().await.map_err(failed)?;
    let response = service.call(request).await.map_err(failed)?;
    let status = response.status();
    let mut body = pin!(response.into_body());
    let mut chunks = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(failed)?;
        chunks += usize::from(frame.data_ref().is_some_and(Buf::has_remaining));
    }
    Ok((status, chunks))
}

fn failed(error: impl Debug) -> anyhow::Error {
    anyhow!("{error:?}")
}
