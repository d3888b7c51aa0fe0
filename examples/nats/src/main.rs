//! One trace over NATS: an order is published to a stream, a worker takes it and asks a service
//! for its price. Prints the id of the trace and exports it.
//!
//! ```text
//! NATS_URL=localhost:4222 cargo run -p nats-orders
//! ```
//!
//! Needs a `nats-server --jetstream`. Where spans go is said by `OTEL_EXPORTER_OTLP_ENDPOINT`.

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use anyhow::{Context, anyhow};
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream;
use dynamo_trace::nats::jetstream::{self, Message, PullConsumer};
use dynamo_trace::nats::{Client, Subscriber};
use opentelemetry::trace::{TraceContextExt, TraceId};

const STREAM: &str = "example-orders";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let telemetry = dynamo_trace::sdk::init("orders")?;
    let url = std::env::var("NATS_URL").unwrap_or_else(|_| "localhost:4222".to_owned());
    let connected = async_nats::connect(&url).await;
    let connected = connected.with_context(|| format!("cannot connect to {url}"))?;
    // All orders share one span name.
    let nats = Client::new(connected).with_subject_templates(["example.orders.*"]);
    let trace = run(&nats).await?;
    println!("trace {trace}");
    Ok(telemetry.shutdown()?)
}

async fn run(nats: &Client) -> anyhow::Result<TraceId> {
    let prices = nats.subscribe("example.price").await?;
    let service = tokio::spawn(serve(nats.clone(), prices));

    let jetstream = jetstream::new(nats);
    let config = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["example.orders.*".to_owned()],
        storage: stream::StorageType::Memory,
        ..Default::default()
    };
    let stream = jetstream.get_or_create_stream(config).await?;
    let worker = stream.create_consumer(pull::Config::default()).await?;

    // The span of the publish ends with the acknowledgement: the order is stored.
    let order = jetstream.publish("example.orders.1", "3 apples".into());
    order.await?.await?;
    let trace = work(nats, &worker).await?;

    service.abort();
    jetstream.delete_stream(STREAM).await?;
    Ok(trace)
}

/// Takes one order, which goes on with the trace of its publisher.
async fn work(nats: &Client, worker: &PullConsumer) -> anyhow::Result<TraceId> {
    let mut orders = worker.messages().await?;
    let received = orders.next().await.context("the stream ended")??;
    let done = received.try_process(|order| price(nats, order)).await;
    done.map_err(|error| anyhow!(error))
}

async fn price(nats: &Client, order: Message) -> Result<TraceId, async_nats::Error> {
    // Here the order's span is current: what is sent goes on with its trace.
    let price = nats.request("example.price", order.payload.clone()).await?;
    println!(
        "{} for {}",
        String::from_utf8_lossy(&price.payload),
        String::from_utf8_lossy(&order.payload)
    );
    order.double_ack().await?;
    let trace = |cx: &opentelemetry::Context| cx.span().span_context().trace_id();
    Ok(opentelemetry::Context::map_current(trace))
}

/// Tells prices.
async fn serve(nats: Client, mut requests: Subscriber) -> Result<(), async_nats::Error> {
    while let Some(received) = requests.next().await {
        let answer = received.try_process(|request| {
            let nats = nats.clone();
            async move { nats.reply(&request, "1.20".into()).await }
        });
        answer.await?;
    }
    Ok(())
}
