use async_nats::{ConnectOptions, Message};
use dynamo_trace_nats::{Client, Received, Subscriber};
use dynamo_trace_testkit::conformance::RawError;
use dynamo_trace_testkit::servers::NatsServer;
use futures_core::Stream;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

/// How long anything may take: a hang has to fail.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Server(NatsServer);

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    pub(crate) async fn start_with(config: &str) -> Self {
        let server = NatsServer::start_with(config).await;
        Self(server.unwrap_or_else(|error| panic!("{error}")))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) async fn connect(&self) -> async_nats::Client {
        self.connect_with(ConnectOptions::new()).await
    }

    pub(crate) async fn connect_with(&self, options: ConnectOptions) -> async_nats::Client {
        options.connect(self.0.url()).await.unwrap()
    }

    /// Kills it, and starts it again with what it had stored. Its port may be somebody else's for
    /// a while: a test beside this one looks for a free one.
    pub(crate) async fn restart(&mut self) {
        let started = async {
            while let Err(error) = self.0.restart().await {
                assert!(error.to_string().contains("in use"), "{error}");
            }
        };
        within(started).await;
    }

    /// Stops it without an end: what is sent to it stays in its sockets.
    pub(crate) fn pause(&mut self) {
        self.0.process().pause().unwrap();
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.0.process().kill();
    }

    /// Publishes by hand: `to` is a subject, or a subject and a reply subject; the header lines
    /// are sent whatever they are.
    pub(crate) async fn publish_raw(&self, to: &str, headers: &[u8], payload: &[u8]) {
        let url = self.0.url();
        let address = url.strip_prefix("nats://").unwrap();
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut stream = tokio::io::BufReader::new(stream);
        let head = [b"NATS/1.0\r\n", headers, b"\r\n"].concat();
        let (head_len, total) = (head.len(), head.len() + payload.len());
        let connect = "CONNECT {\"verbose\":false,\"headers\":true}";
        let begin = format!("{connect}\r\nHPUB {to} {head_len} {total}\r\n");
        let all = [begin.as_bytes(), &head, payload, b"\r\nPING\r\n"].concat();
        stream.write_all(&all).await.unwrap();
        let mut line = String::new();
        while !line.starts_with("PONG") {
            line.clear();
            assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "no PONG");
            assert!(!line.starts_with("-ERR"), "{line}");
        }
    }
}

/// A server, a client that traces, and the spans that ended.
pub(crate) struct Setup {
    pub(crate) server: Server,
    pub(crate) nats: Client,
    pub(crate) spans: Spans,
    pub(crate) provider: SdkTracerProvider,
}

pub(crate) async fn setup() -> Setup {
    setup_with_server(Server::start().await).await
}

pub(crate) async fn setup_with_server(server: Server) -> Setup {
    let (provider, spans) = provider();
    let nats = Client::new(server.connect().await).with_tracer_provider(&provider);
    Setup {
        server,
        nats,
        spans,
        provider,
    }
}

/// Every span that is not below one that is not sampled.
pub(crate) fn provider() -> (SdkTracerProvider, Spans) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_simple_exporter(exporter.clone())
        .build();
    (provider, Spans(exporter))
}

pub(crate) struct Spans(InMemorySpanExporter);

impl Spans {
    pub(crate) fn all(&self) -> Vec<SpanData> {
        self.0.get_finished_spans().unwrap()
    }

    /// The only span of this name.
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> SpanData {
        let mut spans = self.all();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "{name}: {:#?}", self.names());
        spans.remove(0)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.all().into_iter().map(|span| span.name.into_owned());
        names.collect()
    }
}

pub(crate) fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let mut attributes = span.attributes.iter();
    let found = attributes.find(|attribute| attribute.key.as_str() == key)?;
    Some(found.value.clone())
}

/// All attributes as text, sorted.
pub(crate) fn attributes(span: &SpanData) -> Vec<String> {
    let text = |attribute: &opentelemetry::KeyValue| {
        format!("{}={}", attribute.key, attribute.value.as_str())
    };
    let mut all: Vec<_> = span.attributes.iter().map(text).collect();
    all.sort();
    all
}

pub(crate) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A sender elsewhere, as [`TRACEPARENT`] says.
pub(crate) fn remote_span() -> SpanContext {
    SpanContext::new(
        TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap(),
        SpanId::from_hex("b7ad6b7169203331").unwrap(),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    )
}

pub(crate) fn remote_context() -> Context {
    Context::new().with_remote_span_context(remote_span())
}

/// Below a span that is not sampled.
pub(crate) fn unsampled_context() -> Context {
    let (trace_id, span_id) = (remote_span().trace_id(), remote_span().span_id());
    let flags = TraceFlags::NOT_SAMPLED;
    let span = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
    Context::new().with_remote_span_context(span)
}

pub(crate) fn header(message: &Message, name: &'static str) -> Option<String> {
    let mut values = message.headers.as_ref()?.get_all(name);
    values.next().map(ToString::to_string)
}

/// The current span.
pub(crate) fn current_span() -> SpanContext {
    Context::map_current(|cx| cx.span().span_context().clone())
}

/// Waits until the server has worked off what this connection sent: it knows of every
/// subscription, and what was published to them has arrived. Both happen in order.
pub(crate) async fn settle(nats: &async_nats::Client) {
    nats.request("nobody", "".into()).await.unwrap_err();
}

/// The next message; there has to be one.
pub(crate) async fn take(subscriber: &mut Subscriber) -> Received<Message> {
    within(subscriber.next()).await.expect("a message")
}

/// The next message, by async-nats alone.
pub(crate) async fn take_plain(subscriber: &mut async_nats::Subscriber) -> Message {
    let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *subscriber).poll_next(cx));
    within(next).await.expect("a message")
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(DEADLINE, future).await;
    output.unwrap_or_else(|_| panic!("nothing within {DEADLINE:?}"))
}

/// Fields as lines of a message, as a foreign sender writes them.
pub(crate) fn header_lines(fields: &[(String, Vec<u8>)]) -> Result<Vec<u8>, RawError> {
    let mut lines = Vec::new();
    for (name, value) in fields {
        // async-nats reads lines of UTF-8, and trims every kind of white space off a value.
        let is_carried = std::str::from_utf8(value).is_ok_and(|text| {
            !text.contains(['\r', '\n']) && text.trim() == text.trim_matches([' ', '\t'])
        });
        if !is_carried {
            return Err(RawError::Unrepresentable);
        }
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.extend_from_slice(b"\r\n");
    }
    Ok(lines)
}
