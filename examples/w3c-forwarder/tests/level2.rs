//! The forwarder as a participant of Trace Context Level 2, over sockets, with either sampler:
//! every vector in, and what it sends on.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use dynamo_trace::w3c::TraceParent;
use dynamo_trace_testkit::servers::Process;
use dynamo_trace_testkit::vectors;
use serde_json::json;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A forwarder, and the server that it calls back.
struct Forwarder {
    address: String,
    callback: String,
    received: mpsc::UnboundedReceiver<HeaderMap>,
    _process: Process,
    _folder: TempDir,
}

impl Forwarder {
    async fn start(sampler: &str) -> Self {
        let (seen, received) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let callback = format!("http://{}/", listener.local_addr().unwrap());
        let keep = async |State(seen): State<mpsc::UnboundedSender<_>>, headers: HeaderMap| {
            seen.send(headers).unwrap();
            Json(())
        };
        let app = Router::new().route("/", post(keep)).with_state(seen);
        tokio::spawn(async { axum::serve(listener, app).await });

        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = port.local_addr().unwrap().to_string();
        drop(port);
        let mut command = Command::new(env!("CARGO_BIN_EXE_w3c-forwarder"));
        command
            .args([&address, "--sampler", sampler])
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null());
        let log = folder.path().join("log");
        let mut process = Process::spawn("w3c-forwarder", &mut command, log).unwrap();
        process
            .until(|| async { TcpStream::connect(&address).await.ok() })
            .await
            .unwrap();
        Self {
            address,
            callback,
            received,
            _process: process,
            _folder: folder,
        }
    }

    /// Sends a request with these header bytes; the headers of the call that it causes, or
    /// `None` where the HTTP server refuses the bytes.
    async fn forward(&mut self, fields: &[(String, Vec<u8>)]) -> Option<HeaderMap> {
        let body = json!([{ "url": self.callback, "arguments": [] }]).to_string();
        let mut request = format!(
            "POST /test HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        )
        .into_bytes();
        for (name, value) in fields {
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body.as_bytes());
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        if answer.starts_with(b"HTTP/1.1 400") {
            let odd = |value: &[u8]| value.iter().any(|byte| byte.is_ascii_control());
            assert!(
                fields.iter().any(|(_, value)| odd(value)),
                "refused {fields:?}"
            );
            return None;
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            answer.escape_ascii()
        );
        Some(self.received.recv().await.unwrap())
    }
}

fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert_eq!(values.next(), None, "several {name} headers");
    value
}

fn traceparent(headers: &HeaderMap) -> TraceParent {
    let value = only(headers, "traceparent").unwrap();
    assert!(value.starts_with("00-"));
    TraceParent::parse(value.as_bytes()).unwrap()
}

const SAMPLED: u8 = 0x01;
const RANDOM: u8 = 0x02;

async fn traceparent_vectors(sampler: &str, sampled: u8) {
    let mut forwarder = Forwarder::start(sampler).await;
    let mut run = 0;
    for vector in vectors::traceparents() {
        let Some(headers) = forwarder.forward(&vector.fields()).await else {
            continue;
        };
        run += 1;
        let sent = traceparent(&headers);
        let name = &vector.name;
        match &vector.expect {
            Some(expect) => {
                assert_eq!(&sent.to_string()[3..35], expect.trace_id, "{name}");
                assert_ne!(&sent.to_string()[36..52], expect.span_id, "{name}");
                let flags = sampled | expect.flags & RANDOM;
                assert_eq!(sent.flags().bits(), flags, "{name}");
            }
            None => {
                let received = &vector.traceparent.join(" ");
                let trace_id = &sent.to_string()[3..35];
                assert!(!received.contains(trace_id), "{name}: the trace went on");
                // A root of our own, whose id is random.
                assert_eq!(sent.flags().bits(), sampled | RANDOM, "{name}");
            }
        }
    }
    assert!(run > 55, "only {run} vectors ran");
}

async fn tracestate_vectors(sampler: &str) {
    let mut forwarder = Forwarder::start(sampler).await;
    let mut run = 0;
    for vector in vectors::tracestates() {
        let Some(headers) = forwarder.forward(&vector.fields()).await else {
            continue;
        };
        run += 1;
        let expect = Some(vector.expect.as_str()).filter(|expect| !expect.is_empty());
        assert_eq!(only(&headers, "tracestate"), expect, "{}", vector.name);
    }
    assert!(run > 42, "only {run} vectors ran");
}

#[tokio::test]
async fn traceparents_with_sampler_on() {
    traceparent_vectors("on", SAMPLED).await;
}

#[tokio::test]
async fn traceparents_with_sampler_off() {
    traceparent_vectors("off", 0).await;
}

#[tokio::test]
async fn tracestates_with_sampler_on() {
    tracestate_vectors("on").await;
}

#[tokio::test]
async fn tracestates_with_sampler_off() {
    tracestate_vectors("off").await;
}

#[tokio::test]
async fn several_calls_of_one_request_are_spans_of_one_trace() {
    let mut forwarder = Forwarder::start("on").await;
    let sent = "00-12345678901234567890123456789012-1234567890123456-01";
    let body = json!([
        { "url": forwarder.callback, "arguments": [] },
        { "url": "http://127.0.0.1:1/", "arguments": [] },
        { "url": forwarder.callback, "arguments": [] },
    ])
    .to_string();
    let request = format!(
        "POST /test HTTP/1.1\r\nHost: x\r\nConnection: close\r\ntraceparent: {sent}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&forwarder.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let first = traceparent(&forwarder.received.recv().await.unwrap());
    let second = traceparent(&forwarder.received.recv().await.unwrap());
    assert_eq!(first.trace_id(), second.trace_id());
    assert!(sent.contains(&first.to_string()[3..35]));
    assert_ne!(first.parent_id(), second.parent_id());
}
