//! How many allocations this crate adds to JetStream, over async-nats alone.
//!
//! Counted on the caller's thread: the connection has one of its own. Of many tries the least
//! counts, as async-nats' channels now and then need another block.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step fails the test"
)]

use allocation_counter::measure;
use async_nats::jetstream::consumer::pull;
use dynamo_trace_core::Propagation;
use dynamo_trace_nats::Client;
use dynamo_trace_nats::jetstream::{self, Context};
use dynamo_trace_testkit::servers::NatsServer;
use futures_core::Stream;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};
use tokio::runtime::Runtime;

const TRIES: usize = 50;

/// The least count of many calls.
fn least(mut call: impl FnMut()) -> u64 {
    (0..TRIES)
        .map(|_| measure(&mut call).count_total)
        .min()
        .unwrap()
}

#[derive(Debug, PartialEq, Eq)]
struct Added {
    publish: u64,
    receive: u64,
    process: u64,
    ack: u64,
}

#[test]
fn what_is_added() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime
        .block_on(NatsServer::start())
        .unwrap_or_else(|error| panic!("{error}"));
    let nats = runtime.block_on(async_nats::connect(server.url())).unwrap();
    // A context of async-nats starts a task.
    let _entered = runtime.enter();
    let bare = bare(&runtime, &nats);
    let client = |provider: Sampler| {
        let provider = SdkTracerProvider::builder().with_sampler(provider).build();
        Client::new(nats.clone()).with_tracer_provider(&provider)
    };
    let no_sdk = Client::new(nats.clone()).with_tracer_provider(&NoopTracerProvider::new());
    let added = |client: Client| {
        let client = client.with_propagation(Propagation::w3c());
        let traced = traced(&runtime, &jetstream::new(&client));
        Added {
            publish: traced.publish - bare.publish,
            receive: traced.receive - bare.receive,
            process: traced.process - bare.process,
            ack: traced.ack - bare.ack,
        }
    };
    let expected = |publish, receive, process, ack| Added {
        publish,
        receive,
        process,
        ack,
    };
    assert_eq!(added(no_sdk), expected(0, 0, 0, 0), "no SDK");
    assert_eq!(
        added(client(Sampler::AlwaysOff)),
        expected(5, 0, 2, 0),
        "dropped"
    );
    assert_eq!(
        added(client(Sampler::AlwaysOn)),
        expected(6, 0, 4, 1),
        "recorded"
    );
}

/// async-nats alone.
fn bare(runtime: &Runtime, nats: &async_nats::Client) -> Added {
    let js = async_nats::jetstream::new(nats.clone());
    let stream = runtime.block_on(js.get_or_create_stream("bare")).unwrap();
    let publish = least(|| {
        runtime.block_on(async {
            let ack = js.publish("bare", "payload".into()).await.unwrap();
            ack.await.unwrap();
        });
    });
    let consumer = stream.create_consumer(pull::Config::default());
    let consumer = runtime.block_on(consumer).unwrap();
    let mut messages = runtime.block_on(consumer.messages()).unwrap();
    let mut taken = Vec::with_capacity(TRIES);
    let receive = receive(&mut messages, &mut taken);
    let message = taken.pop().unwrap();
    let process = least(|| runtime.block_on(async { drop(taken.pop()) }));
    let ack = least(|| at_once(message.ack()).unwrap());
    Added {
        publish,
        receive,
        process,
        ack,
    }
}

fn traced(runtime: &Runtime, js: &Context) -> Added {
    let stream = runtime.block_on(js.get_or_create_stream("traced")).unwrap();
    runtime.block_on(stream.purge().into_future()).unwrap();
    let publish = least(|| {
        runtime.block_on(async {
            let ack = js.publish("traced", "payload".into()).await.unwrap();
            ack.await.unwrap();
        });
    });
    let consumer = stream.create_consumer(pull::Config::default());
    let consumer = runtime.block_on(consumer).unwrap();
    let mut messages = runtime.block_on(consumer.messages()).unwrap();
    let mut taken = Vec::with_capacity(TRIES);
    let receive = receive(&mut messages, &mut taken);
    let message = taken.pop().unwrap();
    let ack = runtime
        .block_on(message.process(async |message| least(|| at_once(message.ack()).unwrap())));
    let mut taken = taken.into_iter();
    let process = (1..TRIES).map(|_| {
        let received = taken.next().unwrap();
        measure(|| runtime.block_on(received.process(async |message| drop(message)))).count_total
    });
    Added {
        process: process.min().unwrap(),
        publish,
        receive,
        ack,
    }
}

/// Takes messages; the least count of those that had arrived, since waiting allocates.
fn receive<S, T, E>(messages: &mut S, taken: &mut Vec<T>) -> u64
where
    S: Stream<Item = Result<T, E>> + Unpin,
    E: std::fmt::Debug,
{
    let mut least = u64::MAX;
    while taken.len() < TRIES {
        let cx = &mut std::task::Context::from_waker(Waker::noop());
        let mut polled = Poll::Pending;
        let count = measure(|| polled = Pin::new(&mut *messages).poll_next(cx)).count_total;
        match polled {
            Poll::Ready(next) => {
                taken.push(next.unwrap().unwrap());
                least = least.min(count);
            }
            Poll::Pending => std::thread::yield_now(),
        }
    }
    least
}

/// The output of a future that has nothing to wait for.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
