use crate::support::*;
use async_nats::ConnectOptions;

const USERS: &str = r#"
accounts {
  A {
    users: [
      {user: all, password: all}
      {user: events, password: events, permissions: {publish: ["events", "_INBOX.>", "nobody"]}}
      {user: both, password: both, permissions: {publish: ["events", "trace.broker", "nobody"]}}
    ]
    msg_trace: {dest: "trace.broker"}
  }
}
"#;

#[tokio::test]
async fn a_publish_that_the_server_refuses_fails() {
    let Some(server) = server(USERS).await else {
        return;
    };
    let spans = Spans::new();
    let counts = broker_spans(&spans.connect(&server, "all").await).await;
    let both = spans.connect(&server, "both").await;
    both.publish("secret", "".into()).await.unwrap();
    both.publish("events", "".into()).await.unwrap();
    until(async || counts.recorded() == 2).await;
    assert_eq!(
        spans.tree(),
        "\
PRODUCER publish events
  INTERNAL relay events
PRODUCER publish secret
  INTERNAL relay secret !permissions_violation
"
    );
    let refused = spans.one("relay secret");
    assert_eq!(refused.start_time, refused.end_time);
}

/// What the documentation warns of. Servers of earlier versions have it since a patch.
#[tokio::test]
async fn who_may_not_publish_to_the_destination_may_not_publish_what_is_sampled() {
    let Some(server) = server(USERS).await else {
        return;
    };
    if version() < (2, 15) {
        return;
    }
    let spans = Spans::new();
    let all = spans.connect(&server, "all").await;
    let counts = broker_spans(&all).await;
    let mut events = all.subscribe("events").await.unwrap();
    settle(&all).await;
    let other = spans.connect(&server, "events").await;
    other.publish("events", "sampled".into()).await.unwrap();
    let plain: &async_nats::Client = &other;
    plain.publish("events", "not traced".into()).await.unwrap();
    assert_eq!(take(&mut events).await.payload, "not traced");
    settle(&all).await;
    assert_eq!(counts.recorded(), 0);
}

#[tokio::test]
async fn a_subscription_that_did_not_get_it_is_no_failure_of_the_message() {
    let Some(server) = server(ACCOUNTS).await else {
        return;
    };
    let spans = Spans::new();
    let counts = broker_spans(&spans.connect(&server, "a").await).await;
    let silent = ConnectOptions::with_user_and_password("a".into(), "a".into()).no_echo();
    let silent = spans.connect_with(&server, silent).await;
    let _own = silent.subscribe("events").await.unwrap();
    silent.publish("events", "".into()).await.unwrap();
    until(async || counts.recorded() == 1).await;
    assert_eq!(
        spans.tree(),
        "\
PRODUCER publish events
  INTERNAL relay events
    . nats.egress: client events no_echo
"
    );
}
