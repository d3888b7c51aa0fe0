//! What watches give: changes continue their writer's trace, states are linked to it.

use crate::kv::*;
use crate::support::*;
use async_nats::datetime::DateTime;
use async_nats::jetstream::kv::{Config, Entry};
use dynamo_trace_nats::{Client, Relation, RelationRule, Trust};
use opentelemetry::trace::{FutureExt, SpanId};
use std::time::Duration;

#[tokio::test]
async fn what_was_there_is_linked_and_what_changes_is_continued() {
    let Bucket { setup, store, .. } = &bucket().await;
    for key in ["a", "b", "a"] {
        store.put(key, "".into()).await.unwrap();
    }
    let mut watch = store.watch_with_history("*").await.unwrap();
    store.put("b", "".into()).await.unwrap();
    use Relation::{Link, Parent};
    for expected in [("b", 2, Link), ("a", 3, Link), ("b", 4, Parent)] {
        let entry = change(&mut watch).await;
        let told = (&*entry.key, entry.revision, entry.relation());
        assert_eq!(told, expected);
    }
    assert_eq!(setup.spans.all().len(), 5);
}

#[tokio::test]
async fn a_state_that_is_processed_is_linked_to_its_writer() {
    let Bucket { setup, store, .. } = &bucket().await;
    store.put("k", "".into()).await.unwrap();
    let mut watch = store.watch_with_history("k").await.unwrap();
    change(&mut watch).await.process(async |_| {}).await;
    store.delete("k").await.unwrap();
    change(&mut watch).await.process(async |_| {}).await;
    assert_eq!(
        tree(&setup.spans.all()),
        "\
PRODUCER put $KV.b.>

CLIENT watch $KV.b.>

CONSUMER process $KV.b.>
  ~ link: PRODUCER put $KV.b.>

PRODUCER delete $KV.b.>
  CONSUMER process $KV.b.>
"
    );
}

#[tokio::test]
async fn every_watch_gives_what_that_of_async_nats_gives() {
    let bucket = bucket().await;
    let (store, plain) = (&bucket.store, &bucket.plain());
    for key in ["a", "b.1", "a", "b.2", "c"] {
        store.put(key, "".into()).await.unwrap();
    }
    let mut watches = vec![
        (store.watch("a").await, plain.watch("a").await),
        (store.watch("b.*").await, plain.watch("b.*").await),
        (store.watch(">").await, plain.watch(">").await),
        (store.watch_all().await, plain.watch_all().await),
        (
            store.watch_with_history("*").await,
            plain.watch_with_history("*").await,
        ),
        (
            store.watch_from_revision("a", 2).await,
            plain.watch_from_revision("a", 2).await,
        ),
        (
            store.watch_all_from_revision(3).await,
            plain.watch_all_from_revision(3).await,
        ),
    ];
    if is_version(&bucket.setup.nats, 10, "a watch of several keys") {
        let keys = ["a", "b.*"];
        watches.push((store.watch_many(keys).await, plain.watch_many(keys).await));
        watches.push((
            store.watch_many_with_history(keys).await,
            plain.watch_many_with_history(keys).await,
        ));
    }
    let mut watches: Vec<_> = watches
        .into_iter()
        .map(|(ours, theirs)| (ours.unwrap(), theirs.unwrap()))
        .collect();
    // How many of the entries that are there, and of the changes that follow.
    let counts = [
        (0, 1),
        (0, 2),
        (0, 5),
        (0, 5),
        (2, 3),
        (1, 1),
        (3, 5),
        (0, 3),
        (3, 3),
    ];
    let all = watches.iter_mut().zip(counts).enumerate();
    for (number, ((ours, theirs), (states, _))) in all {
        for _ in 0..states {
            let expected = within(next(theirs)).await.unwrap().unwrap();
            assert_eq!(*change(ours).await, expected, "watch {number}");
        }
    }
    store.delete("a").await.unwrap();
    for key in ["b.1", "c", "b.2", "last"] {
        store.put(key, "v".into()).await.unwrap();
    }
    let all = watches.iter_mut().zip(counts).enumerate();
    for (number, ((ours, theirs), (_, changes))) in all {
        for left in (0..changes).rev() {
            let expected = within(next(theirs)).await.unwrap().unwrap();
            // How many are behind it depends on when the server came to send it.
            let entry = Entry {
                delta: expected.delta,
                ..change(ours).await.into_inner()
            };
            assert_eq!(entry, expected, "watch {number}");
            assert!(entry.revision > 5);
            assert!(left > 0 || entry.seen_current);
        }
    }
}

#[tokio::test]
async fn a_watch_of_what_is_new_has_seen_all_that_is_current() {
    let bucket = bucket().await;
    if !is_version(&bucket.setup.nats, 11, "to pause a watch") {
        return;
    }
    let mut watch = bucket.store.watch_all().await.unwrap();
    let stream = bucket.plain().stream;
    let consumer = within(next(&mut stream.consumers()))
        .await
        .unwrap()
        .unwrap();
    let hour = DateTime::now_utc() + Duration::from_secs(3600);
    stream.pause_consumer(&consumer.name, hour).await.unwrap();
    for _ in 0..3 {
        bucket.store.put("k", "".into()).await.unwrap();
    }
    stream.resume_consumer(&consumer.name).await.unwrap();
    for behind in [2, 1, 0] {
        let entry = change(&mut watch).await;
        assert_eq!((entry.delta, entry.seen_current), (behind, true));
    }
}

#[tokio::test]
async fn a_rule_and_trust_hold_for_changes() {
    let always = RelationRule::always(Relation::Link);
    let linking = |client: Client| client.with_relation(always);
    let Bucket { setup, store, .. } = &bucket_with(linking, Config::default()).await;
    let mut watch = store.watch_all().await.unwrap();
    store.put("k", "".into()).await.unwrap();
    assert_eq!(change(&mut watch).await.relation(), Relation::Link);

    // A change that is older than the rule allows.
    let fresh = setup.nats.clone();
    let fresh = fresh.with_relation(RelationRule::fresh_within(Duration::ZERO));
    let fresh = dynamo_trace_nats::jetstream::new(&fresh);
    let fresh = fresh.get_key_value("b").await.unwrap();
    let mut watch = fresh.watch_all().await.unwrap();
    store.put("k", "".into()).await.unwrap();
    assert_eq!(change(&mut watch).await.relation(), Relation::Link);

    let public = setup.nats.clone().with_trust(Trust::linked());
    let public = dynamo_trace_nats::jetstream::new(&public);
    let public = public.get_key_value("b").await.unwrap();
    let mut watch = public.watch_all().await.unwrap();
    let put = store.put("k", "".into());
    put.with_context(remote_context()).await.unwrap();
    change(&mut watch).await.process(async |_| {}).await;
    let process = setup.spans.one("process $KV.b.>");
    assert_eq!(process.parent_span_id, SpanId::INVALID);
    assert_eq!(
        process.links.links[0].span_context.trace_id(),
        remote_span().trace_id()
    );
}

#[tokio::test]
async fn a_watch_goes_on_after_the_server_was_gone() {
    let mut server = dynamo_trace_testkit::servers::NatsServer::start()
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let (provider, spans) = provider();
    let nats = async_nats::connect(server.url()).await.unwrap();
    let nats = Client::new(nats).with_tracer_provider(&provider);
    let context = dynamo_trace_nats::jetstream::new(&nats);
    // On disk: it has to outlive the server.
    let config = Config {
        bucket: "b".to_owned(),
        ..Config::default()
    };
    let store = create(&context, config).await;
    let mut watch = store.watch_all().await.unwrap();
    store.put("k", "1".into()).await.unwrap();
    assert_eq!(change(&mut watch).await.revision, 1);
    server.restart().await.unwrap();
    let written = within(async {
        loop {
            // The connection comes back some time.
            if let Ok(revision) = store.put("k", "2".into()).await {
                break revision;
            }
        }
    });
    let after = async {
        loop {
            match within(watch.next()).await.unwrap() {
                Ok(entry) => break entry,
                // A heartbeat that was missed: it goes on.
                Err(_) => continue,
            }
        }
    };
    let (revision, entry) = tokio::join!(written, after);
    assert!(entry.revision <= revision);
    assert_eq!(entry.relation(), Relation::Parent);
    entry.process(async |_| {}).await;
    let process = spans.one("process $KV.b.>");
    assert_ne!(process.parent_span_id, SpanId::INVALID);
}
