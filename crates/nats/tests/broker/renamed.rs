use crate::support::*;

/// The server leaves nearly all of these messages out, and marks them: before 2.14 by renaming
/// `traceparent`, later by another header.
#[tokio::test]
async fn the_trace_goes_on_where_the_server_decides_not_to_tell() {
    let config = ACCOUNTS.replace("\"trace.broker\"", "\"trace.broker\", sampling: 1");
    let Some(server) = server(&config).await else {
        return;
    };
    let spans = Spans::new();
    let a = spans.connect(&server, "a").await;
    let mut orders = a.subscribe("orders.*").await.unwrap();
    let mut marked = 0;
    for _ in 0..20 {
        a.publish("orders.1", "".into()).await.unwrap();
        let received = take(&mut orders).await;
        let headers = received.headers.clone().unwrap();
        marked += usize::from(headers.iter().any(|(name, values)| {
            let name: &str = name.as_ref();
            name == "Xraceparent"
                || (name == "Nats-Trace-Dest" && values[0].as_str() == "trace disabled")
        }));
        received.process(async |_| {}).await;
    }
    // One in fifty is told.
    assert!(marked > 10, "{marked}");
    let pair = "PRODUCER publish orders.1\n  CONSUMER process orders.*\n";
    assert_eq!(spans.tree(), pair.repeat(20));
}
