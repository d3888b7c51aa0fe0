//! Generic code over the traits of async-nats.

use super::start;
use crate::support::{attribute, header, settle, take_plain};
use async_nats::client::traits as client;
use async_nats::jetstream::context::traits;
use async_nats::jetstream::stream;
use async_nats::{HeaderMap, Request};
use std::time::Duration;

async fn publish<P: traits::Publisher>(publisher: &P) -> u64 {
    let ack = publisher.publish("orders", "".into()).await.unwrap();
    let first = ack.await.unwrap().sequence;
    let message = async_nats::jetstream::message::PublishMessage::build();
    let message = message.message_id("7").outbound_message("orders");
    let ack = publisher.publish_message(message).await.unwrap();
    first + ack.await.unwrap().sequence
}

#[tokio::test]
async fn a_publisher_has_a_span_of_the_hand_over() {
    let js = start().await;
    let stream = js.stream("ORDERS", &["orders"]).await;
    assert_eq!(publish(&js.js).await, 3);
    let [first, second] = js.spans().all().try_into().unwrap();
    assert_eq!(attribute(&first, "messaging.nats.stream"), None);
    assert_eq!(attribute(&first, "dynamo_trace.ack_awaited"), None);
    assert_eq!(attribute(&first, "dynamo_trace.ending"), None);
    assert_eq!(attribute(&second, "messaging.message.id"), Some("7".into()));
    for (span, sequence) in [first, second].iter().zip(1..) {
        let stored = stream.get_raw_message(sequence).await.unwrap();
        let sent = stored.headers.get_all("traceparent").next().unwrap();
        let id = span.span_context.span_id().to_string();
        assert!(sent.as_str().contains(&id), "{sent:?}");
    }
}

async fn send_raw<P: client::Publisher>(publisher: &P) {
    let sent = publisher.publish_with_reply("raw", "reply", "".into());
    sent.await.unwrap();
    let message = async_nats::message::OutboundMessage {
        subject: "raw".into(),
        reply: None,
        payload: "".into(),
        headers: Some(HeaderMap::from_iter([(
            "own".parse().unwrap(),
            "1".parse().unwrap(),
        )])),
    };
    publisher.publish_message(message).await.unwrap();
}

#[tokio::test]
async fn a_raw_publisher_carries_the_context() {
    let js = start().await;
    let mut plain = (*js.setup.nats).subscribe("raw").await.unwrap();
    settle(&js.setup.nats).await;
    send_raw(&js.js).await;
    for (reply, own) in [(Some("reply"), None), (None, Some("1"))] {
        let message = take_plain(&mut plain).await;
        assert!(header(&message, "traceparent").is_some());
        assert_eq!(message.reply.as_deref(), reply);
        assert_eq!(header(&message, "own").as_deref(), own);
    }
    assert_eq!(js.spans().names(), ["publish raw", "publish raw"]);
}

async fn request<R: client::Requester>(requester: &R) -> bool {
    let request = Request::new().payload("ask".into());
    requester.send_request("raw", request).await.is_ok()
}

#[tokio::test]
async fn a_raw_requester_carries_the_context() {
    let js = start().await;
    let mut plain = (*js.setup.nats).subscribe("raw").await.unwrap();
    settle(&js.setup.nats).await;
    let answer = async {
        let message = take_plain(&mut plain).await;
        assert!(header(&message, "traceparent").is_some());
        let reply = message.reply.unwrap();
        (*js.setup.nats).publish(reply, "".into()).await.unwrap();
    };
    let (replied, ()) = tokio::join!(request(&js.js), answer);
    assert!(replied);
    assert_eq!(js.spans().names(), ["request raw"]);
}

fn provided<C: traits::ClientProvider + traits::TimeoutProvider>(context: &C) -> (bool, Duration) {
    (
        context.client().try_server_info().is_some(),
        context.timeout(),
    )
}

#[tokio::test]
async fn a_context_provides_client_and_timeout() {
    let mut js = start().await;
    js.js.set_timeout(Duration::from_secs(7));
    assert_eq!(provided(&js.js), (true, Duration::from_secs(7)));
}

#[tokio::test]
async fn api_requests_are_sent_under_the_prefix() {
    let js = start().await;
    let nats = &js.setup.nats;
    let inbox = nats.new_inbox();
    let mut answers = (**nats).subscribe(inbox.clone()).await.unwrap();
    let request = Request::new().inbox(inbox);
    traits::RequestSender::send_request(&js.js, "INFO", request)
        .await
        .unwrap();
    let answer = take_plain(&mut answers).await;
    assert!(String::from_utf8_lossy(&answer.payload).contains("account_info_response"));
    js.stream("ORDERS", &["orders"]).await;
    let info: stream::Info = traits::Requester::request(&js.js, "STREAM.INFO.ORDERS", &())
        .await
        .unwrap();
    assert_eq!(info.config.name, "ORDERS");
    assert!(js.spans().all().is_empty());
}
