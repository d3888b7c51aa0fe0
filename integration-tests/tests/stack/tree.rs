//! One request is one trace, and this is the trace.

use crate::support::{SOON, Setup};
use demo::drive::check;
use dynamo_trace_testkit::Tree;

/// What every streamed request looks like, whichever worker it goes to.
pub(crate) const EXPECTED: &str = "\
SERVER POST /v1/chat/completions  frontend
  CLIENT demo.Router/Pick  frontend
    SERVER demo.Router/Pick  router
  CLIENT request prefill  frontend
    SERVER process prefill  prefill
      CLIENT Put  prefill
        CONSUMER process change  decode
      INTERNAL compute prompt  prefill
  PRODUCER publish decode.decode-1  frontend
    CONSUMER process decode.decode-1  decode
      CLIENT DeleteRange  decode
      PRODUCER send tokens  decode
        CONSUMER process tokens  frontend
";

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_one_trace() {
    let setup = Setup::with(|config| config.decode_workers = 1).await;
    let answer = setup.client.chat("hello").await.unwrap();
    assert_eq!(answer.text.split_whitespace().count(), 16);

    let whole = |spans: &[_]| spans.len() >= EXPECTED.lines().count();
    let arrived = setup.receiver.wait_for_trace(answer.trace_id, whole, SOON);
    let spans = arrived.await.unwrap();
    assert_eq!(Tree::new(&spans).render_sorted(), EXPECTED);
    assert!(check(&spans).is_complete());

    // The root covers the stream to its last token, and says so.
    let root = spans
        .iter()
        .find(|span| span.parent_span_id.is_none())
        .unwrap();
    assert!(
        spans
            .iter()
            .all(|span| root.start_unix_nanos <= span.start_unix_nanos)
    );
    assert!(root.duration().as_millis() >= 16 * 5);
    assert!(
        root.attribute("gen_ai.response.time_to_first_chunk")
            .is_some()
    );
    assert!(root.attribute("gen_ai.response.finish_reasons").is_some());
}
