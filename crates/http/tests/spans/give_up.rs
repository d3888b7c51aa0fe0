/// Polls a future so many times, and drops it.
pub(crate) async fn give_up<F: Future + Unpin>(mut future: F, polls: usize) -> Option<F::Output> {
    let mut left = polls;
    std::future::poll_fn(move |cx| {
        use std::task::Poll;
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match std::pin::Pin::new(&mut future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                // Polls by itself too, so that it is given up at all.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}
