//! Processes that die, or are stopped, in the middle of a stream.

use crate::support::{SOON, Setup};
use dynamo_trace_testkit::Span;
use http::HeaderMap;
use http_body_util::BodyExt;

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_worker_fails_the_stream_and_gets_no_more_requests() {
    let mut setup = Setup::start().await;
    let response = setup
        .client
        .start("hello", 100_000, HeaderMap::new())
        .await
        .unwrap();
    let worker = response.headers()["x-worker"].to_str().unwrap().to_owned();
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert!(first.into_data().unwrap().starts_with(b"data: "));

    assert!(setup.stack.kill(&worker));

    // The client is told, and cannot take what it has for a complete answer.
    let mut rest = String::new();
    let broken = loop {
        match body.frame().await {
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap();
                rest.push_str(std::str::from_utf8(&data).unwrap());
            }
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "the body must not end as if it were whole");
    assert!(rest.contains(r#"{"error":{"message":"#), "{rest}");
    assert!(!rest.contains("[DONE]"));

    // The next requests go to the other worker, before the lease of the dead one has run out.
    for _ in 0..4 {
        let next = setup
            .client
            .start("hello", 4, HeaderMap::new())
            .await
            .unwrap();
        assert!(next.status().is_success());
        assert_ne!(next.headers()["x-worker"], *worker);
        next.into_body().collect().await.unwrap();
    }

    let failed = |span: &&Span| {
        let ending = span.attribute("dynamo_trace.ending");
        span.service() == "frontend"
            && span.parent_span_id.is_none()
            && ending.and_then(|value| value.as_str()) == Some("failed")
    };
    let spans = setup
        .receiver
        .wait_for(|spans| spans.iter().any(|span| failed(&span)), SOON)
        .await
        .unwrap();
    let root = spans.iter().find(failed).unwrap();
    assert!(root.is_error());
    assert!(root.attribute("error.type").is_some());
    let streamed = root.attribute("dynamo_trace.stream.chunks").unwrap();
    assert!(streamed.as_i64().unwrap() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frontend_that_is_stopped_sends_its_open_spans() {
    let mut setup = Setup::start().await;
    let response = setup
        .client
        .start("hello", 100_000, HeaderMap::new())
        .await
        .unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();

    setup.stack.role("frontend").unwrap().close_stdin();

    let root =
        |span: &&Span| span.name == "POST /v1/chat/completions" && span.parent_span_id.is_none();
    let spans = setup
        .receiver
        .wait_for(|spans| spans.iter().any(|span| root(&span)), SOON)
        .await
        .unwrap();
    let root = spans.iter().find(root).unwrap();
    let ending = root.attribute("dynamo_trace.ending").unwrap();
    assert_eq!(ending.as_str(), Some("shutdown"));
    assert!(!root.is_error());
}
