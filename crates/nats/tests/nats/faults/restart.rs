use crate::support::*;
use async_nats::client::Request;
use bytes::Bytes;
use dynamo_trace_nats::Client;
use dynamo_trace_testkit::span_log::{SpanLog, ending};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many of each have gone well.
#[derive(Clone, Debug, Default, PartialEq)]
struct Done {
    processed: usize,
    replied: usize,
    streamed: usize,
}

#[derive(Clone)]
struct Load {
    nats: Client,
    done: watch::Sender<Done>,
    stop: watch::Receiver<bool>,
    published: Arc<AtomicUsize>,
}

impl Load {
    fn is_over(&self) -> bool {
        *self.stop.borrow()
    }

    async fn publish(self) {
        while !self.is_over() {
            self.nats.publish("events", "e".into()).await.unwrap();
            self.published.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }

    async fn request(self) {
        while !self.is_over() {
            let request = Request::new().timeout(Some(Duration::from_millis(100)));
            if self.nats.send_request("work", request).await.is_ok() {
                self.done.send_modify(|done| done.replied += 1);
            }
        }
    }

    async fn stream(self) {
        while !self.is_over() {
            let request = Request::new().timeout(Some(Duration::from_millis(100)));
            let replies = self.nats.request_stream("stream", request).await.unwrap();
            let mut replies = replies.until(|reply| reply.payload.is_empty());
            let mut last = None;
            while let Some(reply) = replies.next().await {
                last = reply.ok();
            }
            if last.is_some_and(|reply| reply.payload.is_empty()) {
                self.done.send_modify(|done| done.streamed += 1);
            }
        }
    }

    async fn process(self, subject: &'static str) {
        let mut subscriber = self.nats.subscribe(subject).await.unwrap();
        let mut stop = self.stop.clone();
        loop {
            let received = tokio::select! {
                received = subscriber.next() => received.unwrap(),
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let work = received.process(async |message| {
                let replies: &[&str] = match subject {
                    "work" => &["r"],
                    "stream" => &["r", "r", ""],
                    _ => &[],
                };
                for reply in replies {
                    self.nats.reply(&message, (*reply).into()).await.unwrap();
                }
            });
            work.await;
            if subject == "events" {
                self.done.send_modify(|done| done.processed += 1);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_recovers_from_a_broker_that_restarts_under_load_and_no_span_leaks() {
    let mut server = Server::start().await;
    let log = SpanLog::default();
    let connect = async || {
        let nats = Client::new(server.connect().await);
        nats.with_tracer_provider(&log.provider())
    };
    let (sender, receiver) = (connect().await, connect().await);
    let (stop, stopped) = watch::channel(false);
    let (done, mut progress) = watch::channel(Done::default());
    let load = |nats: &Client| Load {
        nats: nats.clone(),
        done: done.clone(),
        stop: stopped.clone(),
        published: Arc::default(),
    };
    let mut tasks = JoinSet::new();
    for subject in ["events", "work", "stream"] {
        tasks.spawn(load(&receiver).process(subject));
    }
    let publisher = load(&sender);
    tasks.spawn(publisher.clone().publish());
    tasks.spawn(load(&sender).request());
    tasks.spawn(load(&sender).stream());

    for _ in 0..3 {
        more(&mut progress).await;
        server.restart().await;
    }
    more(&mut progress).await;
    stop.send(true).unwrap();
    while let Some(ended) = within(tasks.join_next()).await {
        ended.unwrap();
    }

    // Some of them were under way; the guards are gone, and so all have ended.
    let spans = log.all_ended(1).await;
    let named = |name: &str| {
        let spans = spans.iter().filter(|span| span.name == name);
        spans.map(ending).collect::<Vec<_>>()
    };
    let published = publisher.published.load(SeqCst);
    assert_eq!(named("publish events"), vec!["complete"; published]);
    for (name, may_fail) in [
        ("process events", false),
        ("process work", false),
        ("process stream", false),
        ("request work", true),
        ("request stream", true),
    ] {
        let mut endings: BTreeSet<_> = named(name).into_iter().collect();
        assert!(endings.remove("complete"), "{name}");
        if may_fail {
            endings.remove("failed:timeout");
            endings.remove("failed:no_responders");
        }
        assert!(endings.is_empty(), "{name}: {endings:?}");
    }
}

/// Waits until more of each has gone well.
async fn more(progress: &mut watch::Receiver<Done>) {
    let before = progress.borrow_and_update().clone();
    let all = progress.wait_for(|done| {
        done.processed > before.processed + 10
            && done.replied > before.replied + 10
            && done.streamed > before.streamed + 10
    });
    within(all).await.unwrap();
}

#[tokio::test]
async fn what_is_published_while_there_is_no_connection_is_sent_afterwards() {
    let mut setup = setup().await;
    let mut events = setup.nats.subscribe("events").await.unwrap();
    settle(&setup.nats).await;
    setup.server.restart().await;
    // Whether or not the client knows of it yet: until the connection is there again,
    // async-nats keeps what it has not written.
    let wait = async {
        loop {
            setup.nats.publish("events", Bytes::new()).await.unwrap();
            let brief = Duration::from_millis(20);
            if let Ok(received) = tokio::time::timeout(brief, events.next()).await {
                return received.unwrap();
            }
        }
    };
    within(wait).await.process(async |_| {}).await;
    let spans = setup.spans.all();
    let process = spans.last().unwrap();
    let sender = |span: &&opentelemetry_sdk::trace::SpanData| {
        span.span_context.span_id() == process.parent_span_id
    };
    assert_eq!(spans.iter().find(sender).unwrap().name, "publish events");
}
