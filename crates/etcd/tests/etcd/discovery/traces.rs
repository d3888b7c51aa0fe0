//! Who registered, who noticed: the traces as text.

use super::{TTL, lease, next, registration, tell, until_registered, watch};
use crate::bench::{Bench, attribute, within};
use dynamo_trace_etcd::attributes::{
    CHANGE_REVISION, INSTANCE_CHANGE, INSTANCE_NOTICED_AFTER, MESSAGING_DESTINATION_NAME,
};
use dynamo_trace_etcd::discovery::{Instances, Registration};
use dynamo_trace_etcd::{Relation, RelationRule, Trust};
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::SpanData;
use std::time::Duration;

/// Every span below its parent, in the order of their starts, with the names of those it links to.
fn tree(spans: &[SpanData]) -> String {
    let mut spans = spans.to_vec();
    spans.sort_by_key(|span| span.start_time);
    let mut text = String::new();
    let is_root = |span: &&SpanData| !spans.iter().any(|other| is_child(span, other));
    for root in spans.iter().filter(is_root) {
        draw(root, &spans, 0, &mut text);
    }
    text
}

fn is_child(span: &SpanData, parent: &SpanData) -> bool {
    span.parent_span_id == parent.span_context.span_id()
        && span.span_context.trace_id() == parent.span_context.trace_id()
}

fn draw(span: &SpanData, spans: &[SpanData], depth: usize, text: &mut String) {
    let kind = format!("{:?}", span.span_kind).to_uppercase();
    *text += &format!("{}{kind} {}", "  ".repeat(depth), span.name);
    if let Some(change) = attribute(span, INSTANCE_CHANGE) {
        *text += &format!(" {change}");
    }
    for link in &span.links.links {
        let to = spans
            .iter()
            .find(|s| s.span_context.span_id() == link.span_context.span_id());
        *text += &format!(" -> {}", to.map_or("?", |to| &to.name));
    }
    *text += "\n";
    for child in spans.iter().filter(|child| is_child(child, span)) {
        draw(child, spans, depth + 1, text);
    }
}

async fn process(instances: &mut Instances) {
    next(instances).await.process(async |_| {}).await;
}

#[tokio::test]
async fn who_notices_continues_the_trace_of_who_registered() {
    let bench = Bench::start().await;
    let instances = Instances::watch(&bench.etcd, "i/").with_destination("instances");
    let mut instances = instances.await.unwrap();
    bench.forget_spans();
    let registration = registration(&bench.etcd, "i/a").with_destination("instances");
    let registered = registration.register().await.unwrap();
    process(&mut instances).await;
    registered.update("w").await.unwrap();
    process(&mut instances).await;
    registered.deregister().await.unwrap();
    process(&mut instances).await;
    assert_eq!(
        tree(&bench.spans()),
        "\
INTERNAL register instances
  CLIENT LeaseGrant
  CLIENT Put
    CONSUMER process instances joined
CLIENT Put
  CONSUMER process instances updated
CLIENT LeaseRevoke
CONSUMER process instances left -> Put
"
    );
    let spans = bench.spans();
    let joined = spans
        .iter()
        .find(|s| attribute(s, INSTANCE_CHANGE).as_deref() == Some("joined"));
    let joined = joined.unwrap();
    let after: f64 = attribute(joined, INSTANCE_NOTICED_AFTER)
        .unwrap()
        .parse()
        .unwrap();
    assert!((0.0..60.0).contains(&after), "{after}");
    assert_eq!(attribute(joined, CHANGE_REVISION).as_deref(), Some("2"));
    let destination = attribute(joined, MESSAGING_DESTINATION_NAME);
    assert_eq!(destination.as_deref(), Some("instances"));
    let left = spans
        .iter()
        .find(|s| attribute(s, INSTANCE_CHANGE).as_deref() == Some("left"));
    assert_eq!(attribute(left.unwrap(), INSTANCE_NOTICED_AFTER), None);
    // The key is on none of them.
    assert!(!format!("{spans:?}").contains("i/a"));
}

#[tokio::test]
async fn a_registration_after_a_loss_is_a_trace_of_its_own_that_links_to_the_first() {
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    bench.forget_spans();
    let main = bench.provider.tracer("test").start("main");
    let main = Context::new().with_span(main);
    let register = registration(&bench.etcd, "i/a").register();
    let registered = within(main.clone(), register).await.unwrap();
    for times in [2, 3] {
        bench.revoke(lease(&registered)).await;
        until_registered(&registered, times).await;
    }
    main.span().end();
    for _ in 0..5 {
        process(&mut instances).await;
    }
    assert_eq!(
        tree(&bench.spans()),
        "\
INTERNAL main
  INTERNAL register instance
    CLIENT LeaseGrant
    CLIENT Put
      CONSUMER process instance joined
INTERNAL register instance -> register instance
  CLIENT LeaseGrant
  CLIENT Put
    CONSUMER process instance joined
INTERNAL register instance -> register instance
  CLIENT LeaseGrant
  CLIENT Put
    CONSUMER process instance joined
CONSUMER process instance left -> Put
CONSUMER process instance left -> Put
"
    );
    let mut registrations = bench.spans();
    registrations.retain(|span| span.name == "register instance");
    registrations.sort_by_key(|span| span.start_time);
    let first = registrations[0].span_context.span_id();
    for (span, times) in registrations.iter().zip(["1", "2", "3"]) {
        let count = attribute(span, "dynamo_trace.etcd.registration.count");
        assert_eq!(count.as_deref(), Some(times));
        assert!(
            span.links
                .links
                .iter()
                .all(|link| link.span_context.span_id() == first)
        );
    }
}

#[tokio::test]
async fn what_was_there_before_is_linked_and_has_no_delay() {
    let bench = Bench::start().await;
    let registered = Registration::new(&bench.etcd, "i/a", "v")
        .register()
        .await
        .unwrap();
    bench.forget_spans();
    let mut instances = watch(&bench.etcd).await;
    // No span for reading companions.
    assert_eq!(tree(&bench.spans()), "CLIENT Range\nCLIENT Watch\n");
    bench.forget_spans();
    let joined = next(&mut instances).await;
    assert_eq!(joined.instance().noticed_after(), None);
    assert_eq!(joined.relation(), Relation::Link);
    joined.process(async |_| {}).await;
    let span = bench.span("process instance");
    assert_eq!(span.links.links.len(), 1);
    assert_eq!(attribute(&span, INSTANCE_NOTICED_AFTER), None);
    drop(registered);
}

#[tokio::test]
async fn trust_and_relation_are_obeyed() {
    let bench = Bench::start().await;
    let watch = || Instances::watch(&bench.etcd, "i/");
    let mut trusted = watch().await.unwrap();
    let mut linked = watch().with_trust(Trust::linked()).await.unwrap();
    let mut ignored = watch().with_trust(Trust::ignored()).await.unwrap();
    let rule = RelationRule::always(Relation::Link);
    let mut forced = watch().with_relation(rule).await.unwrap();
    let registered = Registration::new(&bench.etcd, "i/a", "v")
        .register()
        .await
        .unwrap();
    let writer = bench.span("Put").span_context;
    registered.deregister().await.unwrap();
    for (instances, relation, known) in [
        (&mut trusted, Relation::Parent, true),
        (&mut linked, Relation::Link, true),
        (&mut ignored, Relation::Parent, false),
        (&mut forced, Relation::Link, true),
    ] {
        let joined = next(instances).await;
        assert_eq!(joined.relation(), relation);
        let found = joined.remote().span_context().map(|span| span.span_id());
        assert_eq!(found, known.then_some(writer.span_id()));
        let left = next(instances).await;
        let found = left
            .remote()
            .to_link()
            .map(|link| link.span_context.span_id());
        assert_eq!(found, known.then_some(writer.span_id()));
        // Who wrote it did not make it leave.
        assert!(!known || left.relation() == Relation::Link);
    }
}

#[tokio::test]
async fn the_delay_is_from_the_put_to_the_notice() {
    let bench = Bench::start().await;
    let mut instances = watch(&bench.etcd).await;
    let registered = Registration::new(&bench.etcd, "i/a", "v")
        .register()
        .await
        .unwrap();
    let joined = next(&mut instances).await;
    let after = joined.instance().noticed_after().unwrap();
    // Not to the moment at which the user takes it.
    bench.outlive(TTL).await;
    assert_eq!(joined.instance().noticed_after(), Some(after));
    assert!(after < Duration::from_secs(30), "{after:?}");
    bench.put("i/b", "v").await;
    assert_eq!(next(&mut instances).await.instance().noticed_after(), None);
    registered.deregister().await.unwrap();
    assert_eq!(tell(&mut instances, 1).await, ["-a"]);
}
