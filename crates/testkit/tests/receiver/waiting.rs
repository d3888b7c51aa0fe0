//! Conditions, time limits, notices.

use std::{sync::Arc, time::Duration};

use dynamo_trace_testkit::{Receiver, Span};

use crate::otlp::{PATIENCE, SHORT, send, span};

#[tokio::test]
async fn waiting_ends_when_the_condition_holds() {
    let receiver = Receiver::start().await.unwrap();
    let mut calls = 0;
    let condition = |spans: &[Span]| {
        calls += 1;
        spans.iter().any(|span| span.name == "span 3")
    };
    let waiting = receiver.wait_for(condition, PATIENCE);
    let sending = async {
        for id in 1..=3 {
            send(&receiver, vec![span(1, id)]).await;
        }
    };
    let (spans, ()) = tokio::join!(waiting, sending);
    assert_eq!(spans.unwrap().len(), 3);
    assert!(
        (2..=4).contains(&calls),
        "asked once and then upon arrivals: {calls}"
    );
}

#[tokio::test]
async fn waiting_for_what_is_there_takes_no_time() {
    let receiver = Receiver::start().await.unwrap();
    send(&receiver, vec![span(1, 1), span(2, 2), span(1, 3)]).await;
    let at_once = Duration::ZERO;
    assert_eq!(receiver.wait_for_spans(3, at_once).await.unwrap().len(), 3);
    let trace = receiver
        .wait_for_trace([1; 16], |spans| spans.len() == 2, at_once)
        .await;
    assert_eq!(trace.unwrap(), receiver.trace([1; 16]));
    assert_eq!(receiver.trace_ids(), [[1; 16], [2; 16]]);
    let names: Vec<_> = receiver.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["span 1", "span 3", "span 2"]);
    receiver.clear();
    assert_eq!(
        (receiver.spans(), receiver.trace([1; 16])),
        (vec![], vec![])
    );
}

#[tokio::test]
async fn a_timeout_shows_the_tree_of_what_arrived() {
    let receiver = Receiver::start().await.unwrap();
    let nothing = receiver.wait_for_spans(1, SHORT).await.unwrap_err();
    assert_eq!(
        nothing.to_string(),
        "not what was waited for after 20ms; no span arrived"
    );

    let mut child = span(1, 2);
    child.parent_span_id = span(1, 1).span_id;
    send(&receiver, vec![span(1, 1), child]).await;
    let expected = "\
not what was waited for after 20ms; 2 spans arrived:
INTERNAL span 1
  INTERNAL span 2";
    let timeout = receiver
        .wait_for(|spans| spans.len() > 2, SHORT)
        .await
        .unwrap_err();
    assert_eq!(timeout.to_string(), expected);
    assert_eq!(format!("{timeout:?}"), expected);
    assert_eq!(timeout.spans(), receiver.spans());
    let timeout = receiver
        .wait_for_trace([9; 16], |spans| !spans.is_empty(), SHORT)
        .await;
    assert_eq!(timeout.unwrap_err().to_string(), expected);

    send(&receiver, (10..1_010).map(|id| span(2, id)).collect()).await;
    let timeout = receiver
        .wait_for_spans(2_000, SHORT)
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(timeout.lines().count(), 202);
    assert!(timeout.ends_with("\n.. and 803 more lines"), "{timeout}");
}

#[tokio::test]
async fn a_condition_that_panics_spoils_nothing() {
    let receiver = Arc::new(Receiver::start().await.unwrap());
    let shared = Arc::clone(&receiver);
    let waiting = tokio::spawn(async move { shared.wait_for(|_| panic!("test"), SHORT).await });
    assert!(waiting.await.unwrap_err().is_panic());
    send(&receiver, vec![span(1, 1)]).await;
    assert_eq!(receiver.spans().len(), 1);
}

#[tokio::test]
async fn arrivals_name_the_traces_that_grew() {
    let receiver = Receiver::start().await.unwrap();
    send(&receiver, vec![span(1, 1), span(2, 2)]).await;
    let mut arrivals = receiver.subscribe();
    assert!(tokio::time::timeout(SHORT, arrivals.next()).await.is_err());

    send(&receiver, vec![span(3, 3)]).await;
    send(&receiver, vec![span(2, 4)]).await;
    assert_eq!(arrivals.next().await, Some(vec![[2; 16], [3; 16]]));
    assert!(tokio::time::timeout(SHORT, arrivals.next()).await.is_err());

    send(&receiver, vec![span(1, 5)]).await;
    receiver.clear();
    assert!(tokio::time::timeout(SHORT, arrivals.next()).await.is_err());

    receiver.shutdown().await;
    assert_eq!(arrivals.next().await, None);
}
