//! An instance that others can find, and a put whose watcher knows its cause.
//!
//! ```text
//! cargo run -p etcd-example -- worker-1
//! ```
//!
//! Start a second one, `worker-2`, and each logs that the other one joined, with the trace of that
//! one's registration; stop it with Ctrl-C and it leaves. `ETCD_ENDPOINT` says where etcd is, if
//! not at `localhost:2379`; `OTEL_EXPORTER_OTLP_ENDPOINT` where spans go, and
//! `OTEL_TRACES_EXPORTER=none` that they go nowhere.

use dynamo_trace::etcd::discovery::{Change, Instances, Registration};
use dynamo_trace::etcd::etcd_client::{Event, WatchOptions};
use dynamo_trace::etcd::{Client, Watcher};
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = dynamo_trace::sdk::init("etcd-example")?;
    let mut stop = signal(SignalKind::interrupt())?;
    let name = std::env::args().nth(1).unwrap_or("worker-1".to_owned());
    let endpoint = std::env::var("ETCD_ENDPOINT").unwrap_or("localhost:2379".to_owned());
    let etcd = Client::connect([endpoint], None).await?;

    // Who is there, and who comes and goes.
    let watch = Instances::watch(&etcd, "example/instances/").with_destination("instances");
    tokio::spawn(follow(watch.await?));
    let key = format!("example/instances/{name}");
    let registration = Registration::new(&etcd, key, "10.0.0.7:9000");
    let registration = registration.with_destination("instances");
    let registered = registration.register().await?;

    // A plain put: the span that processes it is a child of the span that put it.
    let options = WatchOptions::new().with_prefix();
    let changes = etcd.watch("example/config/", Some(options)).await?;
    tokio::spawn(reload(changes.with_destination("config")));
    let span = global::tracer("etcd-example").start("configure");
    let context = Context::current_with_span(span);
    let put = etcd.put("example/config/model", "small", None);
    put.with_context(context.clone()).await?;
    context.span().end();

    stop.recv().await;
    registered.deregister().await?;
    Ok(telemetry.shutdown()?)
}

/// Logs the instances that come and go; each line has the trace of who registered.
async fn follow(mut instances: Instances) {
    while let Some(change) = instances.next().await {
        let log = async |change: Change| match change {
            Change::Joined(instance) => {
                let noticed_after = instance.noticed_after();
                tracing::info!(
                    "{} joined, noticed after {noticed_after:?}",
                    instance.name()
                );
            }
            Change::Updated(instance) => tracing::info!("{} has changed", instance.name()),
            Change::Left(instance) => tracing::info!("{} left", instance.name()),
        };
        change.process(log).await;
    }
}

/// Logs what is put; each line has the trace of who put it.
async fn reload(mut changes: Watcher) {
    while let Some(Ok(change)) = changes.next().await {
        let log = async |event: Event| {
            let value = event
                .kv()
                .map(|kv| String::from_utf8_lossy(kv.value()).into_owned());
            tracing::info!("the configuration is {value:?}");
        };
        change.process(log).await;
    }
}
