//! What strangers may store in a stream, or push to its consumers.

use super::{Js, consumer, durable, pull, start};
use crate::support::{TRACEPARENT, attribute, remote_span, within};
use async_nats::jetstream::consumer::push;
use dynamo_trace_nats::Relation;
use dynamo_trace_nats::jetstream::PushConsumer;
use opentelemetry::trace::SpanId;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Stores a message by hand, and processes it; gives its span's parent.
async fn process_raw(js: &Js, worker: &super::PullConsumer, headers: &[u8]) -> SpanId {
    js.setup
        .server
        .publish_raw("orders", headers, b"payload")
        .await;
    let [order] = pull(worker).await;
    let payload = order.process(async |order| {
        order.double_ack().await.unwrap();
        order.payload.clone()
    });
    assert_eq!(payload.await, "payload");
    let spans = js.spans().all();
    let process = spans
        .iter()
        .rev()
        .find(|span| span.name == "process orders");
    process.unwrap().parent_span_id
}

#[tokio::test]
async fn a_field_is_found_in_any_case_and_as_a_broker_renamed_it() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    for name in ["traceparent", "Traceparent", "TRACEPARENT", "Xraceparent"] {
        let line = format!("{name}: {TRACEPARENT}\r\n");
        let parent = process_raw(&js, &worker, line.as_bytes()).await;
        assert_eq!(parent, remote_span().span_id(), "{name}");
    }
}

#[tokio::test]
async fn garbage_in_a_stream_never_panics_and_never_costs_the_message() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let worker = consumer(&stream, durable("worker")).await;
    let many = "baggage: k=v\r\n".repeat(4_000);
    let garbage: [&[u8]; 9] = [
        b"",
        b"traceparent:\r\n",
        b"traceparent: 00-\r\n",
        b"traceparent: \x01\x02\x7f\r\n",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319\u{e9}-b7ad6b7169203331-01\r\n".as_bytes(),
        b"tracestate: ===,,,\r\nbaggage: %%%=%zz;;;\r\n",
        b"a!#$%&'*+-.^_`|~(),/;<=>?@[]{}: x\r\nNats-Msg-Id:\r\n",
        b"Nats-Sequence: 0\r\nNats-Stream: other\r\nNats-Num-Delivered: x\r\n",
        many.as_bytes(),
    ];
    for headers in garbage {
        let parent = process_raw(&js, &worker, headers).await;
        let text = String::from_utf8_lossy(&headers[..headers.len().min(40)]).into_owned();
        assert_eq!(parent, SpanId::INVALID, "{text:?}");
    }
}

/// async-nats gives a connection up that sends it headers which are not UTF-8; a stream hands them
/// to every consumer, which connects again.
#[tokio::test]
async fn headers_that_are_no_text_do_not_reach_this_crate() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    js.setup
        .server
        .publish_raw("orders", b"traceparent: \xff\xfe\r\n", b"")
        .await;
    let worker = consumer(&stream, durable("worker")).await;
    let mut batch = worker.fetch().messages().await.unwrap();
    let next = tokio::time::timeout(std::time::Duration::from_millis(300), batch.next()).await;
    assert!(!matches!(next, Ok(Some(Ok(_)))), "{next:?}");
    drop(batch);
    assert_eq!(js.spans().names(), ["fetch ORDERS"]);
}

/// A connection to what plays a server, which delivers a message with each of these reply subjects
/// to the first who subscribes: servers refuse to take such messages from clients.
async fn delivering(replies: Vec<String>) -> async_nats::Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let info = b"INFO {\"max_payload\":1048576,\"headers\":true}\r\n";
        stream.write_all(info).await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap() > 0 {
            if line.starts_with("PING") {
                stream.write_all(b"PONG\r\n").await.unwrap();
            } else if let Some(subscription) = line.strip_prefix("SUB ") {
                let id = subscription.split_whitespace().last().unwrap();
                for reply in &replies {
                    let head = format!("NATS/1.0\r\ntraceparent: {TRACEPARENT}\r\n\r\n");
                    let length = head.len();
                    let message =
                        format!("HMSG orders {id} {reply} {length} {length}\r\n{head}\r\n");
                    stream.write_all(message.as_bytes()).await.unwrap();
                }
            }
            line.clear();
        }
    });
    async_nats::connect(address).await.unwrap()
}

#[tokio::test]
async fn a_reply_subject_that_says_nothing_is_no_error() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    let config = push::Config {
        deliver_subject: "delivered".to_owned(),
        ..Default::default()
    };
    let worker: PushConsumer = stream.create_consumer(config.clone()).await.unwrap();
    let (huge, low) = ("9".repeat(60), format!("-{}", "9".repeat(18)));
    // A time before the clocks of some platforms begin, which is unknown.
    let early = format!("$JS.ACK.ORDERS.worker.1.1.1.{low}.0");
    let replies = vec![
        String::new(),
        "_INBOX.1".to_owned(),
        "$JS.ACK".to_owned(),
        "$JS.ACK.".to_owned(),
        "$JS.ACK.x".to_owned(),
        "$JS.ACK.ORDERS.worker".to_owned(),
        "$JS.ACK.ORDERS.worker.x.y.z.t.0".to_owned(),
        format!("$JS.ACK.ORDERS.worker.1.1.1.{huge}.0"),
        format!("$JS.ACK.ORDERS.worker.{huge}.1.1.1.0"),
        format!("$JS.ACK.a.b.c.d.e.f.g.h.i.j.k.l.m.{huge}"),
        "$JS.ACK.\u{e9}.\u{1f600}.1.1.1.\u{e9}.0".to_owned(),
        ".".repeat(3_000),
        early.clone(),
    ];
    let fake = async_nats::jetstream::new(delivering(replies.clone()).await);
    let info = worker.cached_info().clone();
    let fake = async_nats::jetstream::consumer::Consumer::new(config, info, fake);
    let mut messages = js.js.consumer(fake).messages().await.unwrap();
    for reply in &replies {
        let received = within(messages.next()).await.unwrap().unwrap();
        assert_eq!(received.relation(), Relation::Parent, "{reply}");
        let acknowledged = received.process(async |message| message.ack().await).await;
        assert_eq!(acknowledged.is_ok(), !reply.is_empty(), "{reply}");
        let process = js.spans().all().pop().unwrap();
        assert_eq!(process.parent_span_id, remote_span().span_id(), "{reply}");
        assert_eq!(
            attribute(&process, "dynamo_trace.queue_time"),
            None,
            "{reply}"
        );
        let attempt = attribute(&process, "messaging.nats.message.delivery_attempt");
        assert_eq!(attempt.is_some(), *reply == early, "{reply}");
    }
}
