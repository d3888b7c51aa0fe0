//! What interceptors do to a request: they add a context, and leave everything else.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their tests")]

mod both;

use dynamo_trace_core::{Propagation, Trust};
use dynamo_trace_grpc::{ClientInterceptor, ServerInterceptor};
use dynamo_trace_testkit::vectors::TRACEPARENT;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tonic::Request;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::Interceptor;

fn client() -> ClientInterceptor {
    ClientInterceptor::new().with_propagation(Propagation::w3c())
}

fn server() -> ServerInterceptor {
    ServerInterceptor::new().with_propagation(Propagation::w3c())
}

fn request(metadata: &[(&'static str, &[u8])]) -> Request<()> {
    let mut headers = HeaderMap::new();
    for (name, value) in metadata {
        headers.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    let mut request = Request::new(());
    *request.metadata_mut() = MetadataMap::from_headers(headers);
    request
}

/// A context that came with this traceparent, and this baggage.
fn caller(traceparent: &str, baggage: &str) -> Context {
    let fields = [("traceparent", traceparent), ("baggage", baggage)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Propagation::w3c().extract(&Context::new(), &fields.to_vec())
}

fn span(context: &Context) -> SpanContext {
    context.span().span_context().clone()
}

/// The context that the interceptor leaves for the handler, and the metadata behind it.
fn received(mut interceptor: ServerInterceptor, request: Request<()>) -> (Context, HeaderMap) {
    let mut request = interceptor.call(request).unwrap();
    let context = request.extensions_mut().remove::<Context>().unwrap();
    (context, request.metadata().clone().into_headers())
}

#[test]
fn a_client_replaces_the_context_and_nothing_else() {
    let stale = "00-11111111111111111111111111111111-1111111111111111-01";
    let metadata: [(_, &[u8]); 7] = [
        ("traceparent", stale.as_bytes()),
        ("traceparent", stale.as_bytes()),
        ("tracestate", b"stale=1"),
        ("baggage", b"stale=1"),
        ("trace-bin", b"AP8"),
        ("trace-bin", b"/w"),
        ("text", b"kept"),
    ];
    let _current = caller(TRACEPARENT, "k=v").attach();
    let sent = client().call(request(&metadata)).unwrap();
    let sent = sent.metadata();
    let all = |name: &str| {
        sent.get_all(name)
            .iter()
            .map(|v| v.to_str().unwrap().to_owned())
    };
    assert_eq!(all("traceparent").collect::<Vec<_>>(), [TRACEPARENT]);
    assert_eq!(all("tracestate").count(), 0);
    assert_eq!(all("baggage").collect::<Vec<_>>(), ["k=v"]);
    assert_eq!(all("text").collect::<Vec<_>>(), ["kept"]);
    let binary: Vec<_> = sent.get_all_bin("trace-bin").iter().collect();
    assert_eq!(
        binary,
        [
            MetadataValue::from_bytes(b"\0\xff"),
            MetadataValue::from_bytes(b"\xff")
        ]
    );
}

#[test]
fn a_client_with_no_context_leaves_the_request() {
    let metadata: [(_, &[u8]); 2] = [("traceparent", TRACEPARENT.as_bytes()), ("baggage", b"k=v")];
    let before = request(&metadata).metadata().clone().into_headers();
    let sent = client().call(request(&metadata)).unwrap();
    assert_eq!(sent.metadata().clone().into_headers(), before);
}

#[test]
fn a_client_sends_the_call_though_the_metadata_are_full() {
    let mut headers = HeaderMap::new();
    for number in 0.. {
        let name = HeaderName::from_bytes(format!("n{number}").as_bytes()).unwrap();
        if headers
            .try_insert(name, HeaderValue::from_static("v"))
            .is_err()
        {
            break;
        }
    }
    let count = headers.len();
    let mut full = Request::new(());
    *full.metadata_mut() = MetadataMap::from_headers(headers);
    let _current = caller(TRACEPARENT, "k=v").attach();
    assert_eq!(client().call(full).unwrap().metadata().len(), count);
}

#[test]
fn a_server_lets_every_request_pass() {
    let bomb = "k=v,".repeat(10_000);
    let bad: [&[u8]; 6] = [
        b"",
        b"00-0-0-00",
        b"\xff\xfe",
        b"\t",
        b"=,;%",
        bomb.as_bytes(),
    ];
    for value in bad {
        let metadata = ["traceparent", "tracestate", "baggage", "trace-bin"].map(|n| (n, value));
        let (context, metadata) = received(server(), request(&metadata));
        assert!(!span(&context).is_valid(), "{value:?}");
        assert_eq!(metadata.len(), 4);
    }
}

#[test]
fn a_server_trusts_as_far_as_it_is_told() {
    let metadata: [(_, &[u8]); 3] = [
        ("traceparent", TRACEPARENT.as_bytes()),
        ("baggage", b"k=v"),
        ("text", b"kept"),
    ];
    let (context, headers) = received(server(), request(&metadata));
    assert_eq!(span(&context), span(&caller(TRACEPARENT, "")));
    assert!(span(&context).is_remote());
    assert_eq!(context.baggage().len(), 1);
    assert_eq!(headers.len(), 3);

    for trust in [Trust::linked(), Trust::ignored()] {
        let (context, headers) = received(server().with_trust(trust), request(&metadata));
        assert!(!span(&context).is_valid());
        assert_eq!(context.baggage().len(), 0);
        // A handler that copies its metadata does not send on what was refused.
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["text"]);
    }
}
