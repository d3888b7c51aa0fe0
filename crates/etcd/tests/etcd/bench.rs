//! An etcd, the clients on it, and what they leave behind.

use crate::tap::Tap;
use dynamo_trace_etcd::attributes::{CHANGE_LEASED, CHANGE_LINK, CHANGE_TYPE};
use dynamo_trace_etcd::{Client, ClientBuilder};
use dynamo_trace_testkit::servers::EtcdServer;
use dynamo_trace_testkit::span::{Link, Span, SpanKind};
use dynamo_trace_testkit::{Tree, Value};
use opentelemetry::trace::SpanId;
use opentelemetry::{Context, Key};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::future::poll_fn;
use std::pin::pin;

/// etcd-client as it is.
pub(crate) async fn plain(server: &EtcdServer) -> etcd_client::Client {
    let endpoints = [server.endpoint()];
    etcd_client::Client::connect(endpoints, None).await.unwrap()
}

/// The companion of a key, under the default prefix.
pub(crate) fn companion(key: &str) -> String {
    format!("{}{key}", Client::DEFAULT_COMPANION_PREFIX)
}

/// An etcd of one's own, both clients, and the spans.
pub(crate) struct Bench {
    pub(crate) etcd: Client,
    pub(crate) plain: etcd_client::Client,
    pub(crate) provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
    pub(crate) server: EtcdServer,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(options: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        Self::on(EtcdServer::start().await.unwrap(), options).await
    }

    pub(crate) async fn on(
        server: EtcdServer,
        options: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let builder = options(Client::builder().with_tracer_provider(&provider));
        Self {
            etcd: builder.connect([server.endpoint()], None).await.unwrap(),
            plain: plain(&server).await,
            provider,
            exporter,
            server,
        }
    }

    /// A client that is made in another way.
    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder().with_tracer_provider(&self.provider)
    }

    /// A client whose requests are seen on their way.
    pub(crate) async fn tapped(&self, tap: &Tap) -> Client {
        self.tapped_with(tap, |builder| builder).await
    }

    pub(crate) async fn tapped_with(
        &self,
        tap: &Tap,
        options: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Client {
        let channel = tap.channel(&self.server.endpoint());
        let builder = options(Client::builder().with_tracer_provider(&self.provider));
        builder.connect_channel(channel, None).await.unwrap()
    }

    /// The spans as text, with what is said of changes.
    pub(crate) fn tree(&self) -> String {
        let spans: Vec<_> = self.spans().iter().map(to_span).collect();
        let attributes = [CHANGE_TYPE, CHANGE_LINK, CHANGE_LEASED];
        Tree::new(&spans).attributes(&attributes).render_sorted()
    }

    /// The spans that have ended.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }

    /// The only span with this name.
    pub(crate) fn span(&self, name: &str) -> SpanData {
        let named = |span: &SpanData| span.name == name;
        let spans: Vec<_> = self.spans().into_iter().filter(named).collect();
        let [span] = &spans[..] else {
            panic!("not one span named {name}: {:#?}", self.spans());
        };
        span.clone()
    }

    pub(crate) fn forget_spans(&self) {
        self.exporter.reset();
    }

    /// Key, value, lease and revision of what is under `prefix`, by key.
    pub(crate) async fn stored(&self, prefix: &str) -> Vec<(String, String, i64, i64)> {
        let options = etcd_client::GetOptions::new().with_prefix();
        let mut kv = self.plain.kv_client();
        let stored = kv.get(prefix, Some(options)).await.unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let pairs = stored.kvs().iter();
        pairs
            .map(|kv| {
                let (key, value) = (text(kv.key()), text(kv.value()));
                (key, value, kv.lease(), kv.mod_revision())
            })
            .collect()
    }

    /// Whether there is something under this very key.
    pub(crate) async fn has(&self, key: &str) -> bool {
        let mut kv = self.plain.kv_client();
        !kv.get(key, None).await.unwrap().kvs().is_empty()
    }
}

fn to_span(span: &SpanData) -> Span {
    let attribute = |kv: &opentelemetry::KeyValue| {
        let value = kv.value.as_str().into_owned();
        (kv.key.as_str().to_owned(), Value::String(value))
    };
    let link = |link: &opentelemetry::trace::Link| Link {
        trace_id: link.span_context.trace_id().to_bytes(),
        span_id: link.span_context.span_id().to_bytes(),
        ..Link::default()
    };
    Span {
        trace_id: span.span_context.trace_id().to_bytes(),
        span_id: span.span_context.span_id().to_bytes(),
        parent_span_id: (span.parent_span_id != SpanId::INVALID)
            .then(|| span.parent_span_id.to_bytes()),
        name: span.name.to_string(),
        kind: match span.span_kind {
            opentelemetry::trace::SpanKind::Consumer => SpanKind::Consumer,
            opentelemetry::trace::SpanKind::Client => SpanKind::Client,
            _ => SpanKind::Internal,
        },
        attributes: span.attributes.iter().map(attribute).collect(),
        links: span.links.links.iter().map(link).collect(),
        ..Span::default()
    }
}

pub(crate) fn attribute(span: &SpanData, key: &'static str) -> Option<String> {
    let key = Key::from_static_str(key);
    let found = span.attributes.iter().find(|kv| kv.key == key)?;
    Some(found.value.as_str().into_owned())
}

/// Runs a future with this context current.
pub(crate) async fn within<F: Future>(context: Context, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|task| {
        let _current = context.clone().attach();
        future.as_mut().poll(task)
    })
    .await
}
