//! A hundred thousand messages through JetStream, with redeliveries and a broker that crashes in
//! the middle: every span is accounted for, and memory stays.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failed step fails the test, which tells what it saw"
)]

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, stream};
use dynamo_trace_nats::jetstream::{Context, Message, Messages};
use dynamo_trace_nats::{Client, Received, jetstream};
use dynamo_trace_testkit::servers::NatsServer;
use opentelemetry::Value;
use opentelemetry::trace::Status;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

const MESSAGES: usize = 100_000;
const PUBLISHERS: usize = 4;
/// How many publishes of one publisher wait for their acknowledgement.
const IN_FLIGHT: usize = 250;
/// How many messages are pulled ahead.
const PULLED: usize = 1_000;
/// One in so many is not acknowledged when it is first delivered, but wanted again.
const NAK_EVERY: usize = 100;
/// How many have been acknowledged when the broker crashes.
const CRASH_AT: usize = MESSAGES / 2;
/// From when on memory is compared: by then everything that is made once has been.
const WARM_AT: usize = MESSAGES / 5;
/// About 100 bytes for each message from then on. A span, message or header map that stayed
/// would take more; what the allocator keeps for later takes less.
const MAX_GROWTH: u64 = 8 << 20;
const DEADLINE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_span_is_accounted_for_and_memory_stays() {
    let begun = Instant::now();
    let run = tokio::time::timeout(DEADLINE, soak());
    let (app, spans, growth) = run.await.expect("an end");
    let Totals {
        publishes,
        failed,
        deliveries,
    } = app.check(&spans);
    println!(
        "{publishes} publishes, {failed} of them failed; {deliveries} deliveries; \
         resident memory grew by {growth:?} bytes; {:.1?}",
        begun.elapsed()
    );
    if let Some(growth) = growth {
        assert!(growth < MAX_GROWTH, "{growth} bytes");
    }
}

async fn soak() -> (Arc<App>, Arc<Spans>, Option<u64>) {
    let mut server = NatsServer::start()
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let spans = Arc::new(Spans::new());
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Counting(spans.clone()))
        .build();
    let connect = async || {
        let nats = async_nats::connect(server.url()).await.unwrap();
        let nats = Client::new(nats).with_tracer_provider(&provider);
        let mut js = jetstream::new(&nats);
        js.set_timeout(Duration::from_secs(2));
        js
    };
    let app = Arc::new(App::new());
    let consuming = connect().await;
    let messages = messages(&consuming).await;
    let worker = tokio::spawn(work(app.clone(), messages));
    let mut publishers = JoinSet::new();
    let mut connections = Vec::new();
    for number in 0..PUBLISHERS {
        let share = MESSAGES / PUBLISHERS;
        let range = number * share..(number + 1) * share;
        let js = connect().await;
        connections.push(js.client());
        publishers.spawn(publish(app.clone(), js, range));
    }

    let warm = async {
        until(&app.processed, WARM_AT).await;
        resident()
    };
    let crash = async {
        until(&app.stored, CRASH_AT).await;
        app.forgotten.store(u64::MAX, Relaxed);
        // It takes no more: what has been written to its sockets is lost with it.
        server.process().pause().unwrap();
        until(&app.in_flight, PUBLISHERS * IN_FLIGHT).await;
        for connection in &connections {
            connection.flush().await.unwrap();
        }
        server.restart().await.unwrap();
        // Those that have been taken, and those that are on their way to be.
        let delivered = app.last.load(Relaxed) + 2 * PULLED as u64;
        app.forgotten.store(delivered, Relaxed);
    };
    let (before, ()) = tokio::join!(warm, crash);
    while let Some(done) = publishers.join_next().await {
        done.unwrap();
    }
    worker.await.unwrap();
    let growth = before
        .zip(resident())
        .map(|(before, after)| after.saturating_sub(before));
    (app, spans, growth)
}

async fn messages(js: &Context) -> Messages<pull::Stream> {
    let config = stream::Config {
        name: "SOAK".to_owned(),
        subjects: vec!["soak".to_owned()],
        duplicate_window: DEADLINE,
        ..Default::default()
    };
    let stream = js.create_stream(config).await.unwrap();
    let worker = pull::Config {
        durable_name: Some("worker".to_owned()),
        ack_policy: AckPolicy::Explicit,
        // Acknowledgements that the crash swallows come again.
        ack_wait: Duration::from_secs(5),
        max_ack_pending: 10_000,
        ..Default::default()
    };
    let worker = stream.create_consumer(worker).await.unwrap();
    let pulling = worker.stream().max_messages_per_batch(PULLED);
    let pulling = pulling
        .expires(Duration::from_secs(5))
        .heartbeat(Duration::from_millis(500));
    pulling.messages().await.unwrap()
}

/// Publishes messages of these numbers, each again with its own `Nats-Msg-Id` until the server
/// has acknowledged it.
async fn publish(app: Arc<App>, js: Context, range: Range<usize>) {
    let mut todo: Vec<usize> = range.rev().collect();
    let mut acks = JoinSet::new();
    loop {
        while acks.len() < IN_FLIGHT
            && let Some(number) = todo.pop()
        {
            app.published[number].fetch_add(1, Relaxed);
            app.in_flight.send_modify(|count| *count += 1);
            let message = PublishMessage::build()
                .payload(number.to_string().into())
                .message_id(number.to_string());
            let ack = js.send_publish("soak", message).await;
            // Together: each has its timeout from when it is awaited.
            acks.spawn(async move {
                match ack {
                    Ok(ack) => (number, ack.await.is_ok()),
                    Err(_) => (number, false),
                }
            });
        }
        let Some(answered) = acks.join_next().await else {
            break;
        };
        let (number, is_stored) = answered.unwrap();
        app.in_flight.send_modify(|count| *count -= 1);
        if is_stored {
            app.acknowledged[number].fetch_add(1, Relaxed);
            app.stored.send_modify(|count| *count += 1);
        } else {
            todo.push(number);
        }
    }
}

/// Processes messages until each number has been acknowledged.
async fn work(app: Arc<App>, mut messages: Messages<pull::Stream>) {
    while *app.processed.borrow() < MESSAGES {
        let Ok(received) = messages.next().await.expect("no end") else {
            // The heartbeats of a broker that is down.
            continue;
        };
        if process(&app, received).await {
            app.processed.send_modify(|count| *count += 1);
        }
    }
}

/// Whether the message is done for the first time.
async fn process(app: &App, received: Received<Message>) -> bool {
    let number: usize = std::str::from_utf8(&received.payload)
        .unwrap()
        .parse()
        .unwrap();
    let (sequence, attempt) = {
        let info = received.info().unwrap();
        (info.stream_sequence, info.delivered)
    };
    app.deliver(number, sequence, attempt);
    let first = app.delivered[number].fetch_add(1, Relaxed) == 0;
    let wanted_again = first && number.is_multiple_of(NAK_EVERY);
    received
        .process(async |message| match wanted_again {
            true => message.ack_with(AckKind::Nak(None)).await,
            false => message.ack().await,
        })
        .await
        .unwrap();
    !wanted_again && app.done[number].fetch_add(1, Relaxed) == 0
}

/// What the application did with each message, counted apart from the spans.
struct App {
    published: Vec<AtomicUsize>,
    acknowledged: Vec<AtomicUsize>,
    delivered: Vec<AtomicUsize>,
    done: Vec<AtomicUsize>,
    /// Where it is in the stream.
    sequence: Vec<AtomicU64>,
    /// Messages that came again and were not called redelivered.
    unexplained: Mutex<Vec<usize>>,
    /// The last sequence of the stream that was delivered.
    last: AtomicU64,
    /// The last one of which a broker that crashed may have forgotten that it had been.
    forgotten: AtomicU64,
    /// How many wait for their acknowledgement.
    in_flight: watch::Sender<usize>,
    /// How many have been acknowledged by the server.
    stored: watch::Sender<usize>,
    /// How many have been processed to the end.
    processed: watch::Sender<usize>,
}

async fn until(count: &watch::Sender<usize>, least: usize) {
    let mut count = count.subscribe();
    count.wait_for(|count| *count >= least).await.unwrap();
}

struct Totals {
    publishes: usize,
    failed: usize,
    deliveries: usize,
}

fn zeros() -> Vec<AtomicUsize> {
    (0..MESSAGES).map(|_| AtomicUsize::new(0)).collect()
}

impl App {
    fn new() -> Self {
        Self {
            published: zeros(),
            acknowledged: zeros(),
            delivered: zeros(),
            done: zeros(),
            sequence: (0..MESSAGES).map(|_| AtomicU64::new(0)).collect(),
            unexplained: Mutex::default(),
            last: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            in_flight: watch::Sender::new(0),
            stored: watch::Sender::new(0),
            processed: watch::Sender::new(0),
        }
    }

    fn deliver(&self, number: usize, sequence: u64, attempt: i64) {
        // Whatever was published how often: the message is in the stream once.
        let known = self.sequence[number].swap(sequence, Relaxed);
        assert!(
            known == 0 || known == sequence,
            "{number} is stored twice: {known}, {sequence}"
        );
        self.last.fetch_max(sequence, Relaxed);
        let again = self.delivered[number].load(Relaxed) > 0;
        if again && attempt == 1 && sequence > self.forgotten.load(Relaxed) {
            self.unexplained.lock().unwrap().push(number);
        }
    }

    /// Asserts that the spans are those of what was done, message by message.
    fn check(&self, spans: &Spans) -> Totals {
        let mut totals = Totals {
            publishes: 0,
            failed: 0,
            deliveries: 0,
        };
        for number in 0..MESSAGES {
            let of = |all: &[AtomicUsize]| all[number].load(Relaxed);
            let (published, acknowledged) = (of(&self.published), of(&self.acknowledged));
            let delivered = of(&self.delivered);
            assert_eq!(acknowledged, 1, "{number}");
            assert_eq!(of(&spans.published), acknowledged, "{number}");
            assert_eq!(of(&spans.failed), published - acknowledged, "{number}");
            assert_eq!(of(&spans.processed), delivered, "{number}");
            let wanted_again = usize::from(number.is_multiple_of(NAK_EVERY));
            assert!(delivered > wanted_again, "{number}: {delivered}");
            totals.publishes += published;
            totals.failed += published - acknowledged;
            totals.deliveries += delivered;
        }
        let unexplained = self.unexplained.lock().unwrap();
        assert!(unexplained.is_empty(), "{unexplained:?}");
        drop(unexplained);
        assert!(totals.failed > 0, "nothing was lost in the crash");
        let all = totals.publishes + totals.deliveries;
        assert_eq!(spans.started.load(Relaxed), all);
        assert_eq!(spans.ended.load(Relaxed), all);
        totals
    }
}

/// The spans that started and ended, counted for each message.
struct Spans {
    started: AtomicUsize,
    ended: AtomicUsize,
    published: Vec<AtomicUsize>,
    failed: Vec<AtomicUsize>,
    processed: Vec<AtomicUsize>,
}

impl Spans {
    fn new() -> Self {
        Self {
            started: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            published: zeros(),
            failed: zeros(),
            processed: zeros(),
        }
    }
}

struct Counting(Arc<Spans>);

impl std::fmt::Debug for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

impl SpanProcessor for Counting {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {
        self.0.started.fetch_add(1, Relaxed);
    }

    fn on_end(&self, span: SpanData) {
        self.0.ended.fetch_add(1, Relaxed);
        let attribute = |key: &str| {
            let mut attributes = span.attributes.iter();
            attributes
                .find(|own| own.key.as_str() == key)
                .map(|own| &own.value)
        };
        let id = attribute("messaging.message.id")
            .map(Value::as_str)
            .unwrap();
        let number: usize = id.parse().unwrap();
        let counts = match (&*span.name, &span.status) {
            ("publish soak", Status::Unset) => &self.0.published,
            ("publish soak", _) => &self.0.failed,
            ("process soak", Status::Unset) => &self.0.processed,
            other => panic!("{other:?}"),
        };
        counts[number].fetch_add(1, Relaxed);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The memory of this process, in bytes, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
