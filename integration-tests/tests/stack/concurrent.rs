//! Requests at the same time do not meet.

use crate::support::{SOON, Setup, headers};
use crate::tree::EXPECTED;
use dynamo_trace_testkit::Tree;
use futures_util::{StreamExt, stream};
use http::HeaderMap;

const REQUESTS: u8 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_requests_at_once_never_mix() {
    let setup = Setup::with(|config| config.decode_workers = 1).await;
    let send = async |number: u8| {
        let sent = caller(number);
        let prompt = format!("prompt number {number}");
        let answer = setup.client.chat_with(&prompt, 16, sent).await.unwrap();
        (number, answer)
    };
    let answers: Vec<_> = stream::iter(1..=REQUESTS)
        .map(send)
        .buffer_unordered(REQUESTS.into())
        .collect()
        .await;

    for (number, answer) in answers {
        assert_eq!(answer.trace_id, [number; 16]);
        let whole = |spans: &[_]| spans.len() >= EXPECTED.lines().count();
        let arrived = setup.receiver.wait_for_trace(answer.trace_id, whole, SOON);
        let spans = arrived.await.unwrap();
        let tree = Tree::new(&spans).external_parent([number; 8]);
        assert_eq!(tree.render_sorted(), EXPECTED, "request {number}");
    }
    // Another request's prompt would give another text.
    let (one, other) = tokio::join!(send(1), send(2));
    assert_ne!(one.1.text, other.1.text);
}

fn caller(number: u8) -> HeaderMap {
    let id = |bytes: usize| format!("{number:02x}").repeat(bytes);
    headers([("traceparent", &format!("00-{}-{}-01", id(16), id(8)))])
}

/// A caller's retry or fan-out: requests of one trace are still requests of their own.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_trace_keep_their_answers_apart() {
    let setup = Setup::start().await;
    let ask = async |prompt: String| {
        let answer = setup.client.chat_with(&prompt, 16, caller(7)).await;
        answer.unwrap().text
    };
    let prompts: Vec<_> = (0..20).map(|number| format!("prompt {number}")).collect();
    let mut alone = Vec::new();
    for prompt in &prompts {
        alone.push(ask(prompt.clone()).await);
    }
    let together = stream::iter(prompts).map(ask).buffered(20);
    assert_eq!(together.collect::<Vec<_>>().await, alone);
}
