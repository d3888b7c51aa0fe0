//! Spans of `tracing`, recorded by `tracing-opentelemetry`, in one tree with those of the layers.
//!
//! Subscribers are scoped to a thread, and with it to the test that runs there.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail their tests"
)]

#[path = "spans/echo.rs"]
mod echo;
#[path = "spans/telemetry.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "of what is shared, this needs a part"
)]
mod telemetry;

use bytes::Bytes;
use dynamo_trace_grpc::{ClientLayer, Grpc};
use dynamo_trace_http::engine::{Custom, Trace};
use echo::{Echo, Replies, Reply, codec, listen};
use futures_util::StreamExt;
use http::uri::PathAndQuery;
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry_sdk::trace::SpanData;
use std::net::SocketAddr;
use std::time::Duration;
use telemetry::{Telemetry, assert_child, ending};
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::transport::{Channel, Endpoint, Server};
use tower::Layer;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

type EchoClient = tonic::client::Grpc<Trace<Channel, ClientLayer<Custom<Grpc>>>>;

/// What an application installs for the whole process, for this thread. h2 has spans of its own,
/// below that level.
fn subscribe(telemetry: &Telemetry) -> DefaultGuard {
    let layer = tracing_opentelemetry::layer().with_tracer(telemetry.provider.tracer("app"));
    let layers = tracing_subscriber::registry().with(LevelFilter::INFO);
    set_default(layers.with(layer))
}

/// A server, which goes when this is dropped.
struct Serving(SocketAddr, JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.1.abort();
    }
}

async fn serve(telemetry: &Telemetry, echo: Echo) -> Serving {
    let (addr, incoming) = listen().await;
    let mut server = Server::builder().layer(telemetry.server());
    let serving = server.add_service(echo).serve_with_incoming(incoming);
    Serving(addr, tokio::spawn(async { serving.await.unwrap() }))
}

fn client(telemetry: &Telemetry, server: &Serving) -> EchoClient {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.0)).unwrap();
    tonic::client::Grpc::new(telemetry.client().layer(endpoint.connect_lazy()))
}

/// Calls, and reads all replies.
async fn call(mut client: EchoClient, method: &'static str) -> Bytes {
    let call = async {
        client.ready().await.unwrap();
        let (path, request) = (
            PathAndQuery::from_static(method),
            Request::new(Bytes::new()),
        );
        let replies = client.server_streaming(request, path, codec()).await;
        let mut replies = replies.unwrap().into_inner();
        let mut read = Vec::new();
        while let Some(reply) = replies.message().await.unwrap() {
            read.extend(reply);
        }
        read.into()
    };
    let limit = tokio::time::timeout(Duration::from_secs(20), call);
    limit.await.expect("no reply for 20 s")
}

/// Two replies, each made in a span.
fn streams() -> Echo {
    Echo::new(|_| {
        let replies = futures_util::stream::iter(["one", "two"]).then(|reply| {
            let makes = async move {
                tokio::task::yield_now().await;
                Reply::Ok(Bytes::from_static(reply.as_bytes()))
            };
            makes.instrument(info_span!("reply"))
        });
        replies.boxed() as Replies
    })
}

fn of_kind(spans: &[SpanData], kind: SpanKind) -> &SpanData {
    spans.iter().find(|span| span.span_kind == kind).unwrap()
}

#[tokio::test]
async fn spans_in_a_handler_and_in_its_stream_are_children_of_the_servers() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let server = serve(&telemetry, streams()).await;
    let read = call(client(&telemetry, &server), "/test.Echo/Server").await;
    assert_eq!(read, "onetwo");
    let spans = telemetry.ended::<4>().await;
    let served = of_kind(&spans, SpanKind::Server);
    assert_eq!(ending(served), "complete");
    let made: Vec<_> = spans.iter().filter(|span| span.name == "reply").collect();
    assert_eq!(made.len(), 2);
    for span in made {
        assert_child(span, &served.span_context);
    }
}

#[tokio::test]
async fn a_call_in_a_span_is_its_child() {
    let telemetry = Telemetry::new();
    let _subscriber = subscribe(&telemetry);
    let inner = serve(&telemetry, streams()).await;
    let calls = client(&telemetry, &inner);
    let relay = Echo::new(move |_| {
        let call = call(calls.clone(), "/test.Echo/Server");
        let reply = async { Reply::Ok(call.await) };
        futures_util::stream::once(reply.instrument(info_span!("relay"))).boxed()
    });
    let outer = serve(&telemetry, relay).await;
    let call = call(client(&telemetry, &outer), "/test.Echo/Both");
    assert_eq!(call.instrument(info_span!("caller")).await, "onetwo");

    let spans = telemetry.ended::<8>().await;
    let parent = |span: &SpanData| {
        let id = span.parent_span_id;
        let mut spans = spans.iter();
        spans.find(|span| span.span_context.span_id() == id)
    };
    // From the innermost to the outermost.
    let mut path = vec![spans.iter().find(|span| span.name == "reply").unwrap()];
    while let Some(parent) = path.last().and_then(|span| parent(span)) {
        path.push(parent);
    }
    let path = path
        .iter()
        .map(|span| (span.name.as_ref(), span.span_kind.clone()));
    let expected = [
        ("reply", SpanKind::Internal),
        ("test.Echo/Server", SpanKind::Server),
        ("test.Echo/Server", SpanKind::Client),
        ("relay", SpanKind::Internal),
        ("test.Echo/Both", SpanKind::Server),
        ("test.Echo/Both", SpanKind::Client),
        ("caller", SpanKind::Internal),
    ];
    assert_eq!(path.collect::<Vec<_>>(), expected);
}

/// The same code where nobody records the spans of `tracing`.
#[tokio::test]
async fn nothing_of_it_is_needed() {
    let telemetry = Telemetry::new();
    let server = serve(&telemetry, streams()).await;
    let call = call(client(&telemetry, &server), "/test.Echo/Server");
    assert_eq!(call.instrument(info_span!("caller")).await, "onetwo");
    let spans = telemetry.ended::<2>().await;
    let call = of_kind(&spans, SpanKind::Client);
    assert_child(of_kind(&spans, SpanKind::Server), &call.span_context);
}
