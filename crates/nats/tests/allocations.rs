//! How many allocations this client adds to async-nats, where that sends or receives a header of
//! the same size.
//!
//! Counted on the thread of the caller; the connection's task is on another one. Of many calls the
//! cheapest counts: now and then the queue to the connection grows.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test")]

use allocation_counter::measure;
use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;
use dynamo_trace_nats::{Client, Headers, Propagation};
use dynamo_trace_testkit::servers::NatsServer;
use futures_util::StreamExt;
use opentelemetry::Context;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tokio::runtime::Runtime;

const CALLS: usize = 100;
static NAME: HeaderName = HeaderName::from_static("traceparent");

const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// As by the SDK's own set-up, which makes random trace-ids.
const RANDOM: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn headers(traceparent: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append(NAME.clone(), traceparent);
    headers
}

/// Below such a span.
fn caller(traceparent: &str) -> Context {
    Propagation::w3c().extract(&Context::new(), &Headers(&headers(traceparent)))
}

struct Setup {
    runtime: Runtime,
    _server: NatsServer,
    plain: async_nats::Client,
    traced: Client,
    without_sdk: Client,
}

fn setup() -> Setup {
    // The connection's task runs on its one thread, and what is counted on that of the test.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(NatsServer::start());
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let plain = runtime.block_on(async_nats::connect(server.url())).unwrap();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .build();
    let client = || Client::new(plain.clone());
    Setup {
        traced: client().with_tracer_provider(&provider),
        without_sdk: client().with_tracer_provider(&NoopTracerProvider::new()),
        runtime,
        _server: server,
        plain,
    }
}

impl Setup {
    /// The allocations of the cheapest of many calls.
    fn count(&self, mut call: impl AsyncFnMut()) -> u64 {
        let count = |()| {
            let counted = measure(|| {
                // Large ones are boxed by the runtime, and others are not.
                self.runtime.block_on(Box::pin(within(call())));
            });
            counted.count_total - 1
        };
        [(); CALLS].map(count).into_iter().min().unwrap()
    }

    /// What our call adds to theirs, in each of the cases.
    fn added(
        &self,
        plain: impl AsyncFn(&async_nats::Client, HeaderMap),
        traced: impl AsyncFn(&Client),
    ) -> [u64; 4] {
        let plain = self.count(async || plain(&self.plain, headers(SAMPLED)).await);
        self.cases().map(|(nats, traceparent)| {
            let _current = caller(traceparent).attach();
            self.count(async || traced(nats).await) - plain
        })
    }

    /// Without an SDK; below a span that is not sampled; below one that is, of a trace-id that is
    /// not known to be random, or is.
    fn cases(&self) -> [(&Client, &'static str); 4] {
        [
            (&self.without_sdk, SAMPLED),
            (&self.traced, UNSAMPLED),
            (&self.traced, SAMPLED),
            (&self.traced, RANDOM),
        ]
    }

    /// As many messages as are taken, with this header, to this subject.
    fn publish_all(&self, subject: &'static str, traceparent: &'static str) {
        self.runtime.block_on(within(async {
            for _ in 0..CALLS {
                let nats = &self.plain;
                let publish =
                    nats.publish_with_headers(subject, headers(traceparent), Bytes::new());
                publish.await.unwrap();
            }
            // They have arrived when this is answered.
            nats_answers(&self.plain).await;
        }));
    }
}

async fn nats_answers(nats: &async_nats::Client) {
    nats.request("nobody", Bytes::new()).await.unwrap_err();
}

async fn within<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(Duration::from_secs(30), future).await;
    output.unwrap_or_else(|_| panic!("nothing within 30 seconds"))
}

#[test]
fn publishing_costs_few_allocations() {
    let setup = setup();
    let added = setup.added(
        async |nats: &async_nats::Client, headers| {
            let publish = nats.publish_with_headers("events", headers, Bytes::new());
            publish.await.unwrap();
        },
        async |nats: &Client| nats.publish("events", Bytes::new()).await.unwrap(),
    );
    assert_eq!(added, [0, 1, 3, 3]);
}

#[test]
fn a_request_costs_few_allocations() {
    let setup = setup();
    let responder = setup.plain.clone();
    let mut work = setup.runtime.block_on(responder.subscribe("work")).unwrap();
    setup.runtime.spawn(async move {
        while let Some(request) = work.next().await {
            let reply_to = request.reply.unwrap();
            responder.publish(reply_to, Bytes::new()).await.unwrap();
        }
    });
    let added = setup.added(
        async |nats: &async_nats::Client, headers| {
            let request = nats.request_with_headers("work", headers, Bytes::new());
            request.await.unwrap();
        },
        async |nats: &Client| {
            nats.request("work", Bytes::new()).await.unwrap();
        },
    );
    assert_eq!(added, [0, 1, 3, 3]);
}

#[test]
fn processing_costs_few_allocations() {
    let setup = setup();
    let take_plain = {
        let subscribe = setup.plain.subscribe("events");
        let mut events = setup.runtime.block_on(subscribe).unwrap();
        setup.publish_all("events", SAMPLED);
        let events = &mut events;
        setup.count(async || drop(events.next().await.unwrap()))
    };
    let added = setup.cases().map(|(nats, traceparent)| {
        let subscribe = nats.subscribe("events");
        let mut events = setup.runtime.block_on(subscribe).unwrap();
        setup.publish_all("events", traceparent);
        let events = &mut events;
        setup.count(async || {
            let received = events.next().await.unwrap();
            received.process(async |message| drop(message)).await;
        }) - take_plain
    });
    assert_eq!(added, [1, 2, 4, 4]);
}

#[test]
fn a_reply_of_a_stream_costs_no_allocation() {
    let setup = setup();
    for (nats, traceparent) in setup.cases() {
        let _current = caller(traceparent).attach();
        let request = async_nats::Request::new().inbox("answers".to_owned());
        let _work = setup
            .runtime
            .block_on(setup.plain.subscribe("work"))
            .unwrap();
        let replies = nats.request_stream("work", request);
        let mut replies = setup.runtime.block_on(replies).unwrap();
        setup.publish_all("answers", traceparent);
        let replies = &mut replies;
        let count = setup.count(async || drop(replies.next().await.unwrap().unwrap()));
        assert_eq!(count, 0);
    }
}
