//! All attributes of a span, no more and no less.

use crate::bench::{Bench, echo, refuse};
use dynamo_trace_testkit::span_log::text;
use opentelemetry_sdk::trace::SpanData;

/// A span as text: kind, name, status and its attributes in the order of their keys.
fn whole(span: &SpanData, bench: &Bench) -> String {
    let mut lines: Vec<_> = span
        .attributes
        .iter()
        .map(|kv| {
            let value = match kv.key.as_str() {
                "network.peer.port" => "(any)".to_owned(),
                "server.port" if kv.value == i64::from(bench.addr.port()).into() => {
                    "(own)".to_owned()
                }
                _ => kv.value.to_string(),
            };
            format!("  {}: {value}\n", kv.key)
        })
        .collect();
    lines.sort_unstable();
    let head = format!("{:?} {} {:?}\n", span.span_kind, span.name, span.status);
    head + &lines.concat()
}

const CLIENT: &str = "\
Client test.Golden/Echo Unset
  rpc.method: test.Golden/Echo
  rpc.response.status_code: OK
  rpc.system.name: grpc
  server.address: 127.0.0.1
  server.port: (own)
";

const SERVER: &str = "\
Server test.Golden/Echo Unset
  network.peer.address: 127.0.0.1
  network.peer.port: (any)
  rpc.method: test.Golden/Echo
  rpc.response.status_code: OK
  rpc.system.name: grpc
  server.address: 127.0.0.1
  server.port: (own)
";

#[tokio::test]
async fn a_unary_call_has_these_the_first_time_and_later() {
    let bench = Bench::start(echo).await;
    for calls in 1..=3 {
        bench.call("test.Golden/Echo", "message").await.unwrap();
        let [client, server] = bench.last_ended(calls).await;
        assert_eq!(whole(&client, &bench), CLIENT, "call {calls}");
        assert_eq!(whole(&server, &bench), SERVER, "call {calls}");
        assert_eq!(server.parent_span_id, client.span_context.span_id());
    }
}

const UNKNOWN: [&str; 2] = [
    "\
Client test.Golden/Unknown Error { description: \"\" }
  dynamo_trace.ending: failed
  error.type: UNIMPLEMENTED
  rpc.method: test.Golden/Unknown
  rpc.response.status_code: UNIMPLEMENTED
  rpc.system.name: grpc
  server.address: 127.0.0.1
  server.port: (own)
",
    "\
Server _OTHER Error { description: \"\" }
  dynamo_trace.ending: failed
  error.type: UNIMPLEMENTED
  network.peer.address: 127.0.0.1
  network.peer.port: (any)
  rpc.method: _OTHER
  rpc.method_original: test.Golden/Unknown
  rpc.response.status_code: UNIMPLEMENTED
  rpc.system.name: grpc
  server.address: 127.0.0.1
  server.port: (own)
",
];

#[tokio::test]
async fn an_unknown_method_has_these_every_time() {
    let bench = Bench::start(refuse).await;
    for calls in 1..=2 {
        bench.call("test.Golden/Unknown", "12").await.unwrap_err();
        let spans = bench.last_ended(calls).await;
        assert_eq!(spans.map(|span| whole(&span, &bench)), UNKNOWN);
    }
}

#[tokio::test]
async fn the_service_is_no_attribute_of_its_own() {
    let bench = Bench::start(echo).await;
    bench.call("test.Golden/Service", "").await.unwrap();
    for span in bench.last_ended(1).await {
        assert_eq!(text(&span, "rpc.service"), None);
        assert_eq!(text(&span, "rpc.system"), None);
    }
}

#[tokio::test]
async fn the_peer_is_the_other_end_of_the_connection() {
    let bench = Bench::start(|request| {
        let peer = request
            .extensions()
            .get::<tonic::transport::server::TcpConnectInfo>();
        let peer = peer.unwrap().remote_addr().unwrap();
        Box::pin(async move {
            let mut response = echo(request).await;
            let port = peer.port().to_string().parse().unwrap();
            response.headers_mut().insert("peer-port", port);
            response
        })
    })
    .await;
    let mut client = bench.client();
    client.ready().await.unwrap();
    let path = "/test.Golden/Peer".parse().unwrap();
    let request = tonic::Request::new(bytes::Bytes::new());
    let reply = client
        .unary(request, path, crate::bench::codec())
        .await
        .unwrap();
    let port = reply.metadata().get("peer-port").unwrap().to_str().unwrap();
    let [client, server] = bench.last_ended(1).await;
    assert_eq!(text(&server, "network.peer.port").as_deref(), Some(port));
    assert_eq!(text(&client, "network.peer.port"), None);
}
