//! The same operations by async-nats and by ours, on a bucket each, give the same.

use crate::kv::*;
use crate::support::*;
use async_nats::jetstream::kv::{Config, Entry, Store as Plain};
use dynamo_trace_nats::Received;
use dynamo_trace_nats::jetstream::kv::Store;
use std::fmt::Display;

const OPERATIONS: usize = 600;

/// One operation, with what it needs.
#[derive(Clone, Copy, Debug)]
struct Operation {
    kind: usize,
    key: &'static str,
    revision: u64,
    size: usize,
}

/// A generator of numbers: SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(mixed >> 33).unwrap() % end
    }

    fn operation(&mut self, revision: u64) -> Operation {
        const KEYS: [&str; 8] = ["a", "b", "c.d", "c.e", "F-_/=.9", "a b", ".a", ""];
        // Few of the invalid ones.
        let keys = if self.below(10) == 0 { 8 } else { 5 };
        Operation {
            kind: self.below(13),
            key: KEYS.into_iter().nth(self.below(keys)).unwrap(),
            // Often the last one, sometimes of the future.
            revision: (revision + 1).saturating_sub(self.below(5) as u64),
            size: self.below(1200),
        }
    }
}

/// What a call gave, as text: the value, or the error with its sources. Names of buckets and
/// times differ.
fn text<T: std::fmt::Debug, E: Display>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error: {error}"),
    }
}

fn entry_text(entry: Entry) -> String {
    let Entry {
        key,
        value,
        revision,
        delta,
        operation,
        seen_current,
        ..
    } = entry;
    let value = value.len();
    format!("{key} {value} {revision} {delta} {operation:?} {seen_current}")
}

macro_rules! run {
    ($store:expr, $operation:expr, $entry:expr) => {{
        let (store, operation) = ($store, $operation);
        let Operation {
            key,
            revision,
            size,
            ..
        } = operation;
        let value = bytes::Bytes::from(vec![b'v'; size]);
        match operation.kind {
            0 | 1 => text(store.put(key, value).await),
            2 | 3 => text(store.create(key, value).await),
            4 => text(store.update(key, value, revision).await),
            5 => text(store.delete(key).await),
            6 => text(store.delete_expect_revision(key, Some(revision)).await),
            7 => text(store.purge(key).await),
            8 => text(store.purge_expect_revision(key, Some(revision)).await),
            9 => text(store.get(key).await),
            10 => text(store.entry(key).await.map(|entry| entry.map($entry))),
            11 => {
                let entry = store.entry_for_revision(key, revision).await;
                text(entry.map(|entry| entry.map($entry)))
            }
            _ => match store.history(key).await {
                Ok(mut history) => {
                    let mut all = Vec::new();
                    while let Some(entry) = within(next(&mut history)).await {
                        all.push(text(entry.map(entry_text)));
                    }
                    all.join(", ")
                }
                Err(error) => format!("error: {error}"),
            },
        }
    }};
}

async fn run_ours(store: &Store, operation: Operation) -> String {
    let entry = |entry: Received<Entry>| entry_text(entry.into_inner());
    run!(store, operation, entry)
}

async fn run_plain(store: &Plain, operation: Operation) -> String {
    run!(store, operation, entry_text)
}

/// `allow_direct`: how entries are read.
async fn compare(seed: u64, allow_direct: bool) {
    let setup = setup().await;
    let context = dynamo_trace_nats::jetstream::new(&setup.nats);
    let bucket = async |bucket: &str| {
        let config = named(Config {
            // The context does not fit beside the largest values.
            max_value_size: 1000,
            ..Config::default()
        });
        let bucket = bucket.to_owned();
        let mut config = stream_of(Config { bucket, ..config });
        config.allow_direct = allow_direct;
        let name = config.name.clone();
        drop(context.create_stream(config).await.unwrap());
        let store = context.get_key_value(&name[3..]).await.unwrap();
        let is_direct = store.stream.cached_info().config.allow_direct;
        assert_eq!(is_direct, allow_direct);
        store
    };
    let (ours, theirs) = (bucket("ours").await, bucket("theirs").await.into_inner());
    let mut numbers = Numbers(seed);
    let mut revision = 0;
    let (mut written, mut refused) = (0, 0);
    for step in 0..OPERATIONS {
        let operation = numbers.operation(revision);
        let expected = run_plain(&theirs, operation).await;
        let result = run_ours(&ours, operation).await;
        assert_eq!(result, expected, "seed {seed}, step {step}: {operation:?}");
        if let Ok(new) = expected.parse() {
            revision = new;
        }
        let is_error = expected.starts_with("error");
        written += usize::from(operation.kind < 9 && !is_error);
        refused += usize::from(is_error);
    }
    assert!(written > 150 && refused > 60, "{written} {refused}");

    // All that is left of it, as a watch gives it.
    let mut watched = ours.watch_all_from_revision(1).await.unwrap();
    let mut expected = theirs.watch_all_from_revision(1).await.unwrap();
    loop {
        let theirs = within(next(&mut expected)).await.unwrap().unwrap();
        let entry = change(&mut watched).await.into_inner();
        let is_last = theirs.delta == 0;
        assert_eq!(entry.value, theirs.value);
        assert_eq!(entry_text(entry), entry_text(theirs));
        if is_last {
            break;
        }
    }
    let sorted = async |mut keys: async_nats::jetstream::kv::Keys| {
        let mut all = Vec::new();
        while let Some(key) = within(next(&mut keys)).await {
            all.push(key.unwrap());
        }
        all.sort();
        all
    };
    let keys = sorted(ours.keys().await.unwrap()).await;
    assert_eq!(keys, sorted(theirs.keys().await.unwrap()).await);
    assert!(!keys.is_empty());
}

#[tokio::test]
async fn random_operations_give_the_same_read_directly() {
    compare(1, true).await;
    compare(2, true).await;
}

#[tokio::test]
async fn random_operations_give_the_same_read_by_the_leader() {
    compare(3, false).await;
}
