//! The program against a real server and a collector.

use dynamo_trace_testkit::servers::NatsServer;
use dynamo_trace_testkit::{Receiver, Tree};
use std::time::Duration;
use tokio::process::Command;

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn it_exports_the_trace_that_it_prints() {
    let server = NatsServer::start().await;
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let receiver = Receiver::start().await.unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_nats-orders"));
    let program = program
        .env("NATS_URL", server.url())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DEADLINE, program)
        .await
        .unwrap()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let spans = receiver.wait_for_spans(5, DEADLINE).await.unwrap();
    assert_eq!(
        Tree::new(&spans).render_sorted(),
        "\
PRODUCER publish example.orders.*  orders
  CONSUMER process example.orders.*  orders
    CLIENT ack example.orders.*  orders
      ~ link: PRODUCER publish example.orders.*  orders
    CLIENT request example.price  orders
      SERVER process example.price  orders
"
    );
    let id: String = spans[0]
        .trace_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, format!("1.20 for 3 apples\ntrace {id}\n"));
}
