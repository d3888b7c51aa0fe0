//! The service that the W3C Trace Context test suite talks to.
//!
//! `POST /test` takes a JSON array of `{"url": .., "arguments": ..}`, POSTs each `arguments` to its
//! `url` with the current context, one after the other, and answers 200.
//!
//! ```text
//! cargo run -p w3c-forwarder -- 127.0.0.1:5000 --sampler off
//! python test/test.py http://127.0.0.1:5000/test
//! ```

use anyhow::Context;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use clap::{Parser, ValueEnum};
use dynamo_trace::http::ClientLayer;
use dynamo_trace::http::axum::ServerLayer;
use dynamo_trace::sdk::Telemetry;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_sdk::trace::Sampler;
use serde::Deserialize;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceExt;
use tower_layer::Layer;

#[derive(Debug, Parser)]
struct Args {
    /// Where to listen
    #[arg(default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Whether spans are sampled
    #[arg(long, value_enum, default_value_t = Sampling::On)]
    sampler: Sampling,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sampling {
    On,
    Off,
}

#[derive(Debug, Deserialize)]
struct Forward {
    url: String,
    arguments: Value,
}

type TracedClient = <ClientLayer as Layer<Client<HttpConnector, Body>>>::Service;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let sampler = match args.sampler {
        Sampling::On => Sampler::AlwaysOn,
        Sampling::Off => Sampler::AlwaysOff,
    };
    let telemetry = Telemetry::builder("w3c-forwarder")
        .sampler(sampler)
        .init()?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let app = Router::new()
        .route("/test", post(forward))
        .layer(ServerLayer::new())
        .with_state(ClientLayer::new().layer(client));
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| {
        format!(
            "cannot listen on {}; give another address as the first argument",
            args.listen
        )
    })?;
    tracing::info!("listening on {}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(telemetry.shutdown()?)
}

async fn forward(State(client): State<TracedClient>, Json(all): Json<Vec<Forward>>) -> StatusCode {
    for forward in all {
        // The suite's own mistakes are not the service's: it answers 200 all the same.
        if let Err(error) = send(&client, &forward).await {
            tracing::warn!("{} was not reached: {error:#}", forward.url);
        }
    }
    StatusCode::OK
}

async fn send(client: &TracedClient, forward: &Forward) -> anyhow::Result<()> {
    let request = Request::post(&forward.url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(forward.arguments.to_string()))?;
    let response = client.clone().oneshot(request).await?;
    // Read to the end, so that the connection can be used again.
    response.into_body().collect().await?;
    Ok(())
}
