//! Where the context does not fit, the value is written all the same.

use crate::kv::*;
use crate::support::*;
use async_nats::jetstream::kv::{Config, PutErrorKind};
use dynamo_trace_core::Format;
use dynamo_trace_nats::Client;
use dynamo_trace_nats::Propagation;
use dynamo_trace_nats::jetstream::kv::Store;
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use std::sync::{Arc, LazyLock};

/// Puts `bytes` bytes; tells whether their writer's context is with them.
async fn put(store: &Store, bytes: usize) -> bool {
    let value = vec![b'v'; bytes];
    store.put("k", value.clone().into()).await.unwrap();
    let entry = store.entry("k").await.unwrap().unwrap();
    assert_eq!(entry.value, value);
    entry.remote().span_context().is_some()
}

/// How many bytes a context takes: `NATS/1.0`, one field, their line ends.
const CONTEXT: usize = 12 + "traceparent: \r\n".len() + 55;

#[tokio::test]
async fn the_largest_value_of_a_bucket_is_taken() {
    let config = Config {
        max_value_size: 1000,
        ..Config::default()
    };
    let Bucket { setup, store } = &bucket_with(|client| client, config).await;
    let nats = setup.nats.clone().into_inner();
    let mut wire = nats.subscribe("$KV.b.k").await.unwrap();
    assert!(put(store, 1000 - CONTEXT).await);
    assert!(!put(store, 1000 - CONTEXT + 1).await);
    assert!(!put(store, 1000).await);
    let error = store.put("k", vec![0; 1001].into()).await.unwrap_err();
    assert_eq!(error.kind(), PutErrorKind::Ack);
    // Each was sent once: the client knew.
    for size in [1000 - CONTEXT, 1000 - CONTEXT + 1, 1000, 1001] {
        assert_eq!(take_plain(&mut wire).await.payload.len(), size);
    }
}

#[tokio::test]
async fn a_bucket_that_takes_less_than_it_did_is_asked_again() {
    let Bucket { setup, store, .. } = &bucket().await;
    assert!(put(store, 1000).await);
    let jetstream = async_nats::jetstream::new(setup.nats.clone().into_inner());
    let config = named(Config {
        max_value_size: 1000,
        ..Config::default()
    });
    jetstream.update_stream(stream_of(config)).await.unwrap();
    assert!(put(store, 1000 - CONTEXT).await);
    assert!(!put(store, 1000).await);
    let error = store.put("k", vec![0; 1001].into()).await.unwrap_err();
    assert_eq!(error.kind(), PutErrorKind::Ack);
    // One span each, of what the second attempt gave.
    let spans = setup.spans.all();
    let puts: Vec<_> = spans
        .iter()
        .filter(|span| span.name == "put $KV.b.>")
        .collect();
    assert_eq!(puts.len(), 4);
    let error = |at: usize| attribute(puts[at], "error.type").map(|value| value.to_string());
    assert_eq!([error(0), error(1), error(2)], [None, None, None]);
    assert_eq!(error(3).as_deref(), Some("10054"));
}

#[tokio::test]
async fn headers_that_jetstream_does_not_store_are_left_out() {
    let propagation = |bytes| {
        let large = Format::Other(Arc::new(Large(bytes)));
        Propagation::of([Format::TraceContext, large])
    };
    for (bytes, fits) in [(65_000, true), (65_536, false)] {
        let large = |client: Client| client.with_propagation(propagation(bytes));
        let Bucket { store, .. } = &bucket_with(large, Config::default()).await;
        assert_eq!(put(store, 10).await, fits, "{bytes}");
        store.delete("k").await.unwrap();
        assert_eq!(store.get("k").await.unwrap(), None);
    }
}

/// Sends a field of so many bytes.
#[derive(Debug)]
struct Large(usize);

static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| ["large".to_owned()]);

impl TextMapPropagator for Large {
    fn inject_context(&self, _: &Context, injector: &mut dyn Injector) {
        injector.set("large", "x".repeat(self.0));
    }

    fn extract_with_context(&self, cx: &Context, _: &dyn Extractor) -> Context {
        cx.clone()
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&*FIELDS)
    }
}
