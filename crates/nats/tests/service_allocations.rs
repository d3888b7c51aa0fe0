//! How many allocations a request of a service costs more than with async-nats alone. Counted,
//! not timed: the numbers are the same everywhere.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use allocation_counter::measure;
use async_nats::HeaderMap;
use async_nats::service::ServiceExt;
use dynamo_trace_nats::service::Request;
use dynamo_trace_nats::service::error::Error;
use dynamo_trace_nats::{Client, Received};
use dynamo_trace_testkit::servers::NatsServer;
use futures_util::{FutureExt, Stream, StreamExt};
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

/// More than one, so that some meet no growth of what all share, such as queues.
const REQUESTS: usize = 8;

type Response = Result<bytes::Bytes, Error>;

fn ok() -> Response {
    Ok("42".into())
}

fn error() -> Response {
    let status = "on purpose".to_owned();
    Err(Error { status, code: 503 })
}

/// Sends requests to `quotes`; they have arrived when it is done.
async fn send(requester: &async_nats::Client, service: &async_nats::Client, flags: Option<&str>) {
    for _ in 0..REQUESTS {
        let mut headers = HeaderMap::new();
        headers.append("own", "1");
        if let Some(flags) = flags {
            let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
            headers.append("traceparent", format!("00-{ids}-{flags}"));
        }
        let sent = requester.publish_with_reply_and_headers("quotes", "r", headers, "".into());
        sent.await.unwrap();
    }
    settle(requester).await;
    settle(service).await;
}

/// Waits until the server has worked off what this connection sent, and the connection what the
/// server sent before.
async fn settle(client: &async_nats::Client) {
    client.request("nobody", "".into()).await.unwrap_err();
}

/// The allocations of one request that `endpoint` of `service` takes and `work` answers.
async fn count<E: Stream + Unpin>(
    nats: &NatsServer,
    service: &async_nats::Client,
    mut endpoint: E,
    case: &Case,
    work: impl Fn(E::Item, Response),
) -> u64 {
    let requester = async_nats::connect(nats.url()).await.unwrap();
    settle(service).await;
    assert!(endpoint.next().now_or_never().is_none(), "none yet");
    send(&requester, service, case.flags).await;
    let counts = (0..REQUESTS).map(|_| {
        let response = (case.response)();
        let count = measure(|| {
            let request = endpoint.next().now_or_never();
            work(request.unwrap().unwrap(), response);
        });
        count.count_total
    });
    let count = counts.min().unwrap();
    drop(endpoint);
    settle(service).await;
    count
}

/// A request, and how it is answered.
struct Case {
    flags: Option<&'static str>,
    response: fn() -> Response,
    process: bool,
}

impl Case {
    async fn plain(&self, nats: &NatsServer) -> u64 {
        let client = async_nats::connect(nats.url()).await.unwrap();
        let service = client.service_builder().start("prices", "1.0.0");
        let service = service.await.unwrap();
        let endpoint = service.endpoint("quotes").await.unwrap();
        let work = |request: async_nats::service::Request, response| {
            let sent = request.respond(response).now_or_never();
            sent.unwrap().unwrap();
        };
        count(nats, &client, endpoint, self, work).await
    }

    async fn traced(&self, nats: &NatsServer, client: &Client) -> u64 {
        let service = client.service_builder().start("prices", "1.0.0");
        let service = service.await.unwrap();
        let endpoint = service.endpoint("quotes").await.unwrap();
        let work = |received: Received<Request>, response| {
            let sent = if self.process {
                let work = received.process(async |request| request.respond(response).await);
                work.now_or_never()
            } else {
                received.respond(response).now_or_never()
            };
            sent.unwrap().unwrap();
        };
        count(nats, client, endpoint, self, work).await
    }
}

async fn client(nats: &NatsServer) -> Client {
    Client::new(async_nats::connect(nats.url()).await.unwrap())
}

#[tokio::test]
async fn a_request_costs_few_allocations() {
    let nats = &NatsServer::start().await.unwrap();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .build();
    let sdk = &client(nats).await.with_tracer_provider(&provider);
    let none = NoopTracerProvider::new();
    let none = &client(nats).await.with_tracer_provider(&none);
    let (sampled, unsampled) = (Some("01"), Some("00"));
    for (client, flags, response, process, expected) in [
        // A root, a child that is recorded, and one that is not.
        (sdk, None, ok as fn() -> Response, true, 7),
        (sdk, sampled, ok, true, 8),
        (sdk, sampled, error, true, 10),
        (sdk, unsampled, ok, true, 5),
        (sdk, unsampled, error, true, 7),
        // Without an SDK: the context that passes through, and nothing that does.
        (none, sampled, ok, true, 4),
        (none, sampled, error, true, 6),
        (none, None, ok, true, 0),
        // Without a span.
        (sdk, sampled, ok, false, 0),
        (sdk, sampled, error, false, 3),
    ] {
        let case = Case {
            flags,
            response,
            process,
        };
        let added = case.traced(nats, client).await - case.plain(nats).await;
        let is_ok = response().is_ok();
        assert_eq!(added, expected, "{flags:?}, ok {is_ok}, process {process}");
    }
}
