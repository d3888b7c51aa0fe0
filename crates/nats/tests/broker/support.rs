use async_nats::ConnectOptions;
use dynamo_trace_nats::{BrokerCounts, BrokerSpans, Client, Received, Subscriber};
use dynamo_trace_testkit::servers::{NatsServer, find_program};
use opentelemetry::Value;
use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use std::fmt::Write;
use std::io::Write as _;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// How long anything may take: a hang has to fail.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where the servers of these tests send what they tell.
pub(crate) const DESTINATION: &str = "trace.broker";

/// Starts a server, if the one that is there tells of messages. Says where tests cannot hide it
/// if not.
pub(crate) async fn server(config: &str) -> Option<NatsServer> {
    static TELLS: OnceLock<bool> = OnceLock::new();
    let tells = || {
        let tells = version() >= (2, 11);
        if !tells {
            #[expect(
                clippy::explicit_write,
                reason = "a passed test shows nothing of the macro's"
            )]
            writeln!(
                std::io::stderr(),
                "tests of broker spans do nothing: NATS_SERVER_PROGRAM has to be 2.11 or later",
            )
            .unwrap();
        }
        tells
    };
    if !*TELLS.get_or_init(tells) {
        return None;
    }
    let server = NatsServer::start_with(config).await;
    Some(server.unwrap_or_else(|error| panic!("{error}")))
}

/// The server's major and minor version.
pub(crate) fn version() -> (u32, u32) {
    let chosen = std::env::var_os("NATS_SERVER_PROGRAM").filter(|chosen| !chosen.is_empty());
    let program = chosen.map_or_else(|| find_program("nats-server"), |chosen| Some(chosen.into()));
    let program = program.expect("nats-server is not on PATH");
    let version = Command::new(program).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    // `nats-server: v2.9.10`
    let mut numbers = version.split(['v', '.']).filter_map(|n| n.parse().ok());
    let both = numbers.next().zip(numbers.next());
    both.unwrap_or_else(|| panic!("{version}"))
}

/// Two accounts: what `A` publishes is told.
pub(crate) const ACCOUNTS: &str = r#"
server_name: one
accounts {
  A {
    users: [{user: a, password: a}]
    jetstream: true
    msg_trace: {dest: "trace.broker"}
    mappings: {"old.*": "orders.$1"}
    exports: [{stream: "orders.>"}]
    imports: [{service: {account: B, subject: "work"}, to: "their.work"}]
  }
  B {
    users: [{user: b, password: b}]
    exports: [{service: "work", allow_trace: true}]
    imports: [{stream: {account: A, subject: "orders.>"}, prefix: "from.a", allow_trace: true}]
  }
}
"#;

pub(crate) struct Spans {
    pub(crate) provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

impl Spans {
    /// Even those whose parent is not sampled.
    pub(crate) fn new() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn)
            .with_simple_exporter(exporter.clone())
            .build();
        Self { provider, exporter }
    }

    /// Connects as a user whose password is the same.
    pub(crate) async fn connect(&self, server: &NatsServer, user: &str) -> Client {
        let options = ConnectOptions::with_user_and_password(user.into(), user.into());
        self.connect_with(server, options.name("secret-name")).await
    }

    pub(crate) async fn connect_with(
        &self,
        server: &NatsServer,
        options: ConnectOptions,
    ) -> Client {
        let client = options.connect(server.url()).await.unwrap();
        Client::new(client).with_tracer_provider(&self.provider)
    }

    pub(crate) fn all(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }

    pub(crate) fn named(&self, name: &str) -> Vec<SpanData> {
        let mut spans = self.all();
        spans.retain(|span| span.name == name);
        spans
    }

    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> SpanData {
        let mut spans = self.named(name);
        assert_eq!(spans.len(), 1, "{name}: {}", self.tree());
        spans.remove(0)
    }

    /// Kind, name and error of each span under its parent, and its events with what is said of
    /// them; siblings by name and server.
    pub(crate) fn tree(&self) -> String {
        let mut spans = self.all();
        let server = |span: &SpanData| text(&span.attributes, "messaging.nats.server.name");
        spans.sort_by_cached_key(|span| (span.name.clone(), server(span)));
        let mut tree = String::new();
        branch(&spans, SpanId::INVALID, 0, &mut tree);
        tree
    }
}

fn branch(spans: &[SpanData], parent: SpanId, depth: usize, tree: &mut String) {
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        let indent = "  ".repeat(depth);
        let kind = format!("{:?}", span.span_kind).to_uppercase();
        write!(tree, "{indent}{kind} {}", span.name).unwrap();
        if span.status == Status::error("") {
            write!(tree, " !{}", text(&span.attributes, "error.type")).unwrap();
        }
        tree.push('\n');
        for event in &span.events.events {
            let said = event.attributes.iter().map(|said| said.value.as_str());
            let said: Vec<_> = said.collect();
            writeln!(tree, "{indent}  . {}: {}", event.name, said.join(" ")).unwrap();
        }
        branch(spans, span.span_context.span_id(), depth + 1, tree);
    }
}

pub(crate) fn text(attributes: &[opentelemetry::KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|said| said.key.as_str() == key);
    found.map_or_else(String::new, |said| said.value.as_str().into_owned())
}

pub(crate) fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|said| said.key.as_str() == key);
    found.map(|said| said.value.clone())
}

/// All attributes as text, sorted.
pub(crate) fn attributes(span: &SpanData) -> Vec<String> {
    let said = span.attributes.iter();
    let mut all: Vec<_> = said
        .map(|said| format!("{}={}", said.key, said.value.as_str()))
        .collect();
    all.sort();
    all
}

/// Makes spans in a task, and counts what became of events.
pub(crate) async fn broker_spans(client: &Client) -> BrokerCounts {
    let spans: BrokerSpans = client.broker_spans(DESTINATION).await.unwrap();
    let counts = spans.counts();
    tokio::spawn(spans);
    settle(client).await;
    counts
}

/// Waits until the server has worked off what this connection sent.
pub(crate) async fn settle(client: &Client) {
    client.flush().await.unwrap();
    let plain: &async_nats::Client = client;
    plain.request("nobody", "".into()).await.unwrap_err();
}

pub(crate) async fn take(subscriber: &mut Subscriber) -> Received<async_nats::Message> {
    within(subscriber.next()).await.expect("a message")
}

/// Processes the next message; what for is not of interest.
pub(crate) async fn process(subscriber: &mut Subscriber) {
    take(subscriber).await.process(async |_| {}).await;
}

/// Waits until something is so, which a server and a task bring about.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    within(async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(DEADLINE, future).await;
    output.unwrap_or_else(|_| panic!("nothing within {DEADLINE:?}"))
}
