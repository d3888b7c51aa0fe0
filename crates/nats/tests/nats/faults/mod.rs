//! What goes wrong, and what the caller and the spans see of it.

mod closed;
mod max_payload;
mod restart;
mod slow;

use crate::support::*;
use async_nats::{ConnectOptions, Event};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Options that tell what async-nats tells.
fn with_events(options: ConnectOptions) -> (ConnectOptions, UnboundedReceiver<Event>) {
    let (tell, events) = unbounded_channel();
    let options = options.event_callback(move |event| {
        let tell = tell.clone();
        async move {
            // Nobody may be interested any more.
            let _ = tell.send(event);
        }
    });
    (options, events)
}

/// Waits for such an event.
async fn until(events: &mut UnboundedReceiver<Event>, is_it: impl Fn(&Event) -> bool) {
    let wait = async { while !is_it(&events.recv().await.expect("an event")) {} };
    within(wait).await;
}
