//! How much is kept.

use dynamo_trace_testkit::Receiver;

use crate::otlp::{PATIENCE, grpc, request, send, span};

#[tokio::test]
async fn ten_thousand_spans_need_no_reader() {
    let receiver = Receiver::start().await.unwrap();
    let mut client = grpc(&receiver).await;
    let exporting = async {
        for export in 0..100_u8 {
            let ids = 1..=100_u64;
            let spans = ids.map(|id| span(export + 1, id)).collect();
            client.export(request(spans)).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, exporting).await.unwrap();
    assert_eq!(
        receiver
            .wait_for_spans(10_000, PATIENCE)
            .await
            .unwrap()
            .len(),
        10_000
    );
    assert_eq!(receiver.trace_ids().len(), 100);
}

#[tokio::test]
async fn the_oldest_traces_make_room_as_a_whole() {
    let receiver = Receiver::builder().keep_traces(2).start().await.unwrap();
    send(&receiver, vec![span(1, 1), span(2, 2), span(1, 3)]).await;
    send(&receiver, vec![span(1, 4)]).await;
    assert_eq!(receiver.trace_ids(), [[1; 16], [2; 16]]);
    assert_eq!(receiver.spans().len(), 4);

    send(&receiver, vec![span(3, 5)]).await;
    assert_eq!(receiver.trace_ids(), [[2; 16], [3; 16]]);
    assert_eq!(receiver.trace([1; 16]), []);

    // more traces in one export than are kept
    send(&receiver, (10..20).map(|trace| span(trace, 6)).collect()).await;
    assert_eq!(receiver.trace_ids(), [[18; 16], [19; 16]]);
    assert_eq!(receiver.spans().len(), 2);

    let one = Receiver::builder().keep_traces(0).start().await.unwrap();
    send(&one, vec![span(1, 1), span(2, 2)]).await;
    assert_eq!(one.trace_ids(), [[2; 16]]);
}
