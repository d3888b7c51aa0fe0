use crate::support::*;
use dynamo_trace_nats::{BrokerCounts, Client, Subscriber};
use dynamo_trace_testkit::servers::NatsServer;
use opentelemetry_sdk::trace::SpanData;

fn account(name: &str) -> String {
    format!(
        "server_name: {name}
accounts {{ A {{ users: [{{user: a, password: a}}], msg_trace: {{dest: {DESTINATION:?}}} }} }}"
    )
}

/// Where others are to connect, as the log says.
fn address(server: &mut NatsServer, of: &str) -> String {
    let log = server.process().log();
    let (_, rest) = log.split_once(of).expect("a port");
    rest.lines().next().unwrap().to_owned()
}

/// Two servers that are connected: who publishes is at the first, who subscribes at the second.
struct Pair {
    _servers: [NatsServer; 2],
    spans: Spans,
    publisher: Client,
    orders: Subscriber,
    counts: BrokerCounts,
}

impl Pair {
    async fn new(one: NatsServer, two: NatsServer) -> Self {
        let spans = Spans::new();
        let publisher = spans.connect(&one, "a").await;
        let subscriber = spans.connect(&two, "a").await;
        let counts = broker_spans(&publisher).await;
        let orders = subscriber.subscribe("orders.*").await.unwrap();
        // The first server hears of this one later.
        let ready = subscriber.subscribe("ready").await.unwrap();
        settle(&subscriber).await;
        until(async || is_known(&publisher, "ready").await).await;
        drop(ready);
        Self {
            _servers: [one, two],
            spans,
            publisher,
            orders,
            counts,
        }
    }

    /// The spans of both servers for one message.
    async fn hops(&mut self) -> [SpanData; 2] {
        self.publisher.publish("orders.1", "".into()).await.unwrap();
        process(&mut self.orders).await;
        until(async || self.counts.recorded() == 2).await;
        let mut hops = self.spans.named("relay orders.1");
        hops.sort_by_cached_key(|hop| told(hop, "server.name"));
        hops.try_into().unwrap()
    }
}

/// Whether the server of this client knows of a subscription.
async fn is_known(client: &Client, subject: &'static str) -> bool {
    let plain: &async_nats::Client = client;
    let request = async_nats::Request::new().timeout(Some(std::time::Duration::from_millis(100)));
    let error = plain.send_request(subject, request).await.unwrap_err();
    error.kind() != async_nats::client::RequestErrorKind::NoResponders
}

fn told(span: &SpanData, key: &str) -> String {
    text(&span.attributes, &format!("messaging.nats.{key}"))
}

#[tokio::test]
async fn a_route_is_a_hop() {
    let cluster = |name, route| {
        let cluster = "cluster {name: pair, listen: \"127.0.0.1:-1\", routes:";
        format!("{}\n{cluster} [\"nats://{route}\"]}}", account(name))
    };
    // JetStream demands that a cluster knows of another server, whether or not it is there.
    let Some(mut one) = server(&cluster("one", "127.0.0.1:1")).await else {
        return;
    };
    let route = address(&mut one, "Listening for route connections on ");
    let two = server(&cluster("two", &route)).await.unwrap();
    let mut pair = Pair::new(one, two).await;
    let [first, second] = pair.hops().await;
    assert_eq!(
        pair.spans.tree(),
        "\
PRODUCER publish orders.1
  CONSUMER process orders.*
  INTERNAL relay orders.1
    . nats.egress: route two 1
  INTERNAL relay orders.1
    . nats.egress: client orders.*
"
    );
    for (hop, expected) in [
        (first, ["one", "pair", "client", "", ""]),
        (second, ["two", "pair", "route", "one", "1"]),
    ] {
        let keys = [
            "server.name",
            "server.cluster",
            "peer.kind",
            "peer.name",
            "hop",
        ];
        assert_eq!(keys.map(|key| told(&hop, key)), expected);
    }
}

#[tokio::test]
async fn a_leafnode_is_a_hop() {
    let hub = format!("{}\nleafnodes {{listen: \"127.0.0.1:-1\"}}", account("hub"));
    let Some(mut hub) = server(&hub).await else {
        return;
    };
    let address = address(&mut hub, "Listening for leafnode connections on ");
    let remotes = format!("[{{url: \"nats://a:a@{address}\", account: A}}]");
    let leaf = format!("{}\nleafnodes {{remotes: {remotes}}}", account("leaf"));
    let leaf = server(&leaf).await.unwrap();
    let mut pair = Pair::new(hub, leaf).await;
    let [first, second] = pair.hops().await;
    assert_eq!(
        pair.spans.tree(),
        "\
PRODUCER publish orders.1
  CONSUMER process orders.*
  INTERNAL relay orders.1
    . nats.egress: leafnode leaf 1
  INTERNAL relay orders.1
    . nats.egress: client orders.*
"
    );
    assert_eq!(told(&first, "peer.kind"), "client");
    assert_eq!(told(&second, "peer.kind"), "leafnode");
    assert_eq!(told(&second, "peer.name"), "hub");
    assert_eq!(told(&second, "hop"), "1");
}
