//! The OpenAI API over HTTP.
//!
//! A request asks the router for a decode worker (gRPC), has it prepared (NATS request), hands it
//! to the worker (NATS), and streams to the client what the worker sends back (framed TCP).

mod api;
mod generate;
mod responses;

use super::registry::Workers;
use super::router::proto::router_client::RouterClient;
use super::{Common, Servers, announce, listen};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Args;
use dynamo_trace::grpc::ClientLayer;
use dynamo_trace::http::axum::ServerLayer;
use dynamo_trace::nats;
use dynamo_trace::sdk::Telemetry;
use responses::Responses;
use std::net::SocketAddr;
use std::sync::Arc;
use tonic::transport::{Channel, Endpoint};
use tower_layer::Layer;

type TracedChannel = <ClientLayer as Layer<Channel>>::Service;

/// How many bytes a request may have: a NATS message takes 1 MiB, its JSON included.
const MAX_REQUEST: usize = 512 * 1024;

/// Options of the frontend.
#[derive(Args, Clone, Debug)]
pub struct FrontendArgs {
    /// Where to serve HTTP
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Where workers stream their tokens to
    #[arg(long, default_value = "127.0.0.1:0")]
    listen_tokens: SocketAddr,
    /// Under which HOST:PORT workers reach that; by default the address itself
    #[arg(long)]
    advertise: Option<String>,
    /// The router
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    router: String,
    #[command(flatten)]
    servers: Servers,
    #[command(flatten)]
    common: Common,
}

/// What a request needs.
struct Frontend {
    router: RouterClient<TracedChannel>,
    nats: nats::Client,
    workers: Workers,
    responses: Responses,
    connect_to: String,
}

/// Runs the frontend until it is told to stop; the caller ends its tasks, and then telemetry.
///
/// # Errors
///
/// If a server cannot be reached, an address cannot be listened on, or telemetry is not
/// configured well.
pub async fn run(args: FrontendArgs) -> anyhow::Result<Telemetry> {
    let telemetry = args.common.telemetry("frontend")?;
    let etcd = args.servers.etcd().await?;
    let tokens = listen(args.listen_tokens).await?;
    let requests = listen(args.listen).await?;
    let connect_to = match args.advertise {
        Some(address) => address,
        None => tokens.local_addr()?.to_string(),
    };
    let (workers, watching) = Workers::follow(&etcd, "decode").await?;
    let channel = Endpoint::from_shared(args.router)?.connect_lazy();
    let frontend = Arc::new(Frontend {
        router: RouterClient::new(ClientLayer::new().layer(channel)),
        nats: args.servers.nats().await?,
        workers,
        responses: Responses::listen(tokens),
        connect_to,
    });
    // The layer is on the API's routes alone: probes are no traces.
    let app = Router::new()
        .route("/v1/chat/completions", post(api::chat))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .layer(ServerLayer::new())
        .route("/health", get(health))
        .with_state(frontend);
    announce(requests.local_addr()?)?;
    let server = axum::serve(requests, app);
    tokio::select! {
        served = server => served?,
        () = watching => {}
        stopped = args.common.until_stopped() => stopped?,
    }
    Ok(telemetry)
}

/// How many workers there are; 503 without any.
async fn health(State(frontend): State<Arc<Frontend>>) -> (StatusCode, String) {
    let workers = frontend.workers.available().len();
    let status = match workers {
        0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, workers.to_string())
}
