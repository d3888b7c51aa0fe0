use super::{until, with_events};
use crate::support::*;
use async_nats::client::{PublishErrorKind, Request, RequestErrorKind};
use async_nats::{ClientError, ConnectOptions, Event};
use dynamo_trace_nats::Client;
use futures_util::FutureExt;
use opentelemetry::trace::Status;
use std::time::Duration;

#[tokio::test]
async fn a_connection_that_never_comes_back_fails_what_is_under_way_and_what_follows() {
    let mut server = Server::start().await;
    let (provider, spans) = provider();
    let (options, mut events) = with_events(ConnectOptions::new().max_reconnects(3));
    let nats = Client::new(server.connect_with(options).await).with_tracer_provider(&provider);
    let mut work = nats.subscribe("work").await.unwrap();
    let request = || Request::new().timeout(Some(DEADLINE));
    let mut replies = nats.request_stream("work", request()).await.unwrap();
    drop(take(&mut work).await);
    let waiting = nats.send_request("work", request());
    let lost = async {
        drop(take(&mut work).await);
        server.kill();
        until(&mut events, |event| {
            matches!(event, Event::ClientError(ClientError::MaxReconnects))
        })
        .await;
    };
    let (reply, ()) = tokio::join!(within(waiting), lost);
    assert_eq!(reply.unwrap_err().kind(), RequestErrorKind::Other);
    let error = within(replies.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::Other);
    assert!(within(work.next()).await.is_none());

    let error = nats.publish("events", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Send);
    let error = nats.request("late", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::Other);
    let error = nats.request_stream("later", request()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::Other);

    let failed = spans.all();
    let failed = failed.iter().map(|span| {
        assert_eq!(span.status, Status::error(""));
        (
            &*span.name,
            attribute(span, "error.type").unwrap().to_string(),
        )
    });
    let expected = [
        ("request work", "_OTHER"),
        ("request work", "connection_closed"),
        ("publish events", "connection_closed"),
        ("request late", "_OTHER"),
        ("request later", "_OTHER"),
    ];
    let expected = expected.map(|(name, error)| (name, error.to_owned()));
    assert_eq!(failed.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn while_there_is_no_connection_requests_time_out_and_publishing_waits() {
    let mut server = Server::start().await;
    let (provider, spans) = provider();
    let (options, mut events) = with_events(
        ConnectOptions::new()
            .client_capacity(2)
            .request_timeout(Some(Duration::from_millis(1))),
    );
    let nats = Client::new(server.connect_with(options).await).with_tracer_provider(&provider);
    server.kill();
    until(&mut events, |event| matches!(event, Event::Disconnected)).await;
    let error = nats.request("work", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::TimedOut);
    nats.publish("kept", "".into()).await.unwrap();
    // The buffer is full.
    assert!(nats.publish("given_up", "".into()).now_or_never().is_none());
    let ended = spans.all().into_iter().map(|span| {
        let ending = attribute(&span, "dynamo_trace.ending");
        let error = attribute(&span, "error.type");
        let text = |value: Option<opentelemetry::Value>| value.map(|value| value.to_string());
        (span.name.into_owned(), text(ending), text(error))
    });
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        ended.collect::<Vec<_>>(),
        [
            ("request work".to_owned(), text("failed"), text("timeout")),
            ("publish kept".to_owned(), None, None),
            ("publish given_up".to_owned(), text("cancelled"), None),
        ]
    );
}
