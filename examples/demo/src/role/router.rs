//! Picks a decode worker for a request.

use super::{Common, announce, listen, log_context};
use clap::Args;
use dynamo_trace::grpc::ServerLayer;
use dynamo_trace::sdk::Telemetry;
use proto::router_server::{Router, RouterServer};
use proto::{PickRequest, PickResponse};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The generated code.
#[expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub(super) mod proto {
    tonic::include_proto!("demo");
}

/// Options of the router.
#[derive(Args, Clone, Debug)]
pub struct RouterArgs {
    /// Where to serve gRPC
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    common: Common,
}

/// Runs the router until it is told to stop; the caller ends its tasks, and then telemetry.
///
/// # Errors
///
/// If it cannot listen, or telemetry is not configured well.
pub async fn run(args: RouterArgs) -> anyhow::Result<Telemetry> {
    let telemetry = args.common.telemetry("router")?;
    let listener = listen(args.listen).await?;
    announce(listener.local_addr()?)?;
    let server = Server::builder()
        .layer(ServerLayer::new())
        .add_service(RouterServer::new(FewestPicks::default()))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::select! {
        served = server => served?,
        stopped = args.common.until_stopped() => stopped?,
    }
    Ok(telemetry)
}

/// Picks the worker that was picked least often.
#[derive(Debug, Default)]
struct FewestPicks(Mutex<HashMap<String, u64>>);

#[tonic::async_trait]
impl Router for FewestPicks {
    async fn pick(&self, request: Request<PickRequest>) -> Result<Response<PickResponse>, Status> {
        log_context();
        let PickRequest {
            workers,
            request_id,
        } = request.into_inner();
        let mut picks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let worker = workers
            .into_iter()
            .min_by_key(|worker| picks.get(worker).copied().unwrap_or_default())
            .ok_or_else(|| Status::unavailable("no decode worker is registered"))?;
        *picks.entry(worker.clone()).or_default() += 1;
        tracing::info!(request_id, worker, "picked");
        Ok(Response::new(PickResponse { worker }))
    }
}
