use crate::support::*;

#[tokio::test]
async fn a_trace_shows_mappings_accounts_and_deliveries() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let b = spans.connect(&server, "b").await;
    let counts = broker_spans(&a).await;
    let mut orders = a
        .queue_subscribe("orders.*", "workers".to_owned())
        .await
        .unwrap();
    let mut theirs = b.subscribe("from.a.>").await.unwrap();
    settle(&a).await;
    settle(&b).await;
    a.publish("old.1", "hello".into()).await.unwrap();
    process(&mut orders).await;
    process(&mut theirs).await;
    until(async || counts.recorded() == 1).await;
    let tree = spans.tree();
    assert_eq!(
        tree,
        "\
PRODUCER publish old.1
  CONSUMER process from.a.>
  CONSUMER process orders.*
  INTERNAL relay old.1
    . nats.subject_mapping: orders.1
    . nats.stream_export: from.a.orders.1 B
    . nats.egress: B client orders.>
    . nats.egress: client orders.* workers
"
    );
    let (publish, relay) = (spans.one("publish old.1"), spans.one("relay old.1"));
    assert!(relay.parent_span_is_remote);
    assert!(publish.start_time <= relay.start_time);
    assert_eq!(relay.end_time, relay.events[3].timestamp);
    assert!(relay.start_time < relay.end_time);
    let times = relay.events.iter().map(|event| event.timestamp);
    assert!(times.is_sorted());
    assert_eq!(
        attributes(&relay),
        [
            "messaging.destination.name=old.1",
            "messaging.message.envelope.size=87",
            "messaging.nats.account=A",
            "messaging.nats.egress.count=2",
            "messaging.nats.peer.kind=client",
            "messaging.nats.server.name=one",
            "messaging.operation.name=relay",
            "messaging.system=nats",
            "server.address=127.0.0.1",
        ]
    );
    assert!(!format!("{relay:?}").contains("secret"), "{relay:?}");
    assert_eq!(relay.instrumentation_scope.name(), "dynamo-trace-nats");
    assert_eq!((counts.ignored(), counts.unreadable()), (0, 0));
}

#[tokio::test]
async fn a_request_shows_the_account_that_serves_it() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let b = spans.connect(&server, "b").await;
    let counts = broker_spans(&a).await;
    let mut work = b.subscribe("work").await.unwrap();
    settle(&b).await;
    let serve = async {
        let request = take(&mut work).await;
        let b = &b;
        let reply = request.process(async |request| b.reply(&request, "done".into()).await);
        reply.await.unwrap();
    };
    let asked = a.request("their.work", "".into());
    let (reply, ()) = within(async { tokio::join!(asked, serve) }).await;
    assert_eq!(reply.unwrap().payload, "done");
    until(async || counts.recorded() == 1).await;
    assert_eq!(
        spans.tree(),
        "\
CLIENT request their.work
  SERVER process work
  INTERNAL relay their.work
    . nats.service_import: work B
    . nats.egress: B client work
"
    );
}

#[tokio::test]
async fn templates_name_the_span_and_inboxes_do_not() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let a = a.with_subject_templates(["orders.*"]);
    let counts = broker_spans(&a).await;
    let inbox = a.new_inbox();
    let mut replies = a.subscribe(inbox.clone()).await.unwrap();
    a.publish("orders.1", "".into()).await.unwrap();
    a.publish(inbox, "".into()).await.unwrap();
    process(&mut replies).await;
    until(async || counts.recorded() == 2).await;
    let relay = spans.one("relay orders.*");
    let name = attribute(&relay, "messaging.destination.name");
    assert_eq!(name, Some("orders.1".into()));
    assert_eq!(
        attribute(&relay, "messaging.nats.egress.count"),
        Some(0.into())
    );
    let relay = spans.one("relay");
    let temporary = attribute(&relay, "messaging.destination.temporary");
    assert_eq!(temporary, Some(true.into()));
    assert_eq!(attribute(&relay, "messaging.destination.name"), None);
    assert_eq!(relay.events.len(), 1);
    assert!(!format!("{relay:?}").contains("_INBOX"), "{relay:?}");
}

#[tokio::test]
async fn a_message_may_ask_for_it_by_a_header() {
    let Some(server) = server("").await else {
        return;
    };
    let spans = Spans::new();
    let nats = spans
        .connect_with(&server, async_nats::ConnectOptions::new())
        .await;
    let counts = broker_spans(&nats).await;
    let mut events = nats.subscribe("events").await.unwrap();
    nats.publish("events", "untraced".into()).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.append("Nats-Trace-Dest", DESTINATION);
    nats.publish_with_headers("events", headers, "traced".into())
        .await
        .unwrap();
    until(async || counts.recorded() == 1).await;
    assert_eq!(take(&mut events).await.payload, "untraced");
    assert_eq!(take(&mut events).await.payload, "traced");
    let publish = &spans.named("publish events")[1];
    let relay = spans.one("relay events");
    assert_eq!(relay.parent_span_id, publish.span_context.span_id());
}
