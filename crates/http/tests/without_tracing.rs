//! Code with spans of `tracing`, in a process where nobody records them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their tests")]

#[path = "tracing/relay.rs"]
mod relay;
#[path = "spans/telemetry.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "of what is shared, this needs a part"
)]
mod telemetry;

use http::Request;
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt};
use relay::{echo, of_kind, relay};
use telemetry::{Telemetry, assert_child, ending};
use tower::ServiceExt;
use tracing::{Instrument, info_span};

#[tokio::test]
async fn a_call_of_a_handler_is_a_child_of_the_servers_span() {
    let telemetry = Telemetry::new();
    relay(&telemetry).oneshot(Request::new(())).await.unwrap();
    let spans = telemetry.ended::<2>().await;
    let served = of_kind(&spans, SpanKind::Server);
    let call = of_kind(&spans, SpanKind::Client);
    assert_child(call, &served.span_context);
    assert_eq!([ending(call), ending(served)], ["complete", "complete"]);
}

#[tokio::test]
async fn a_call_is_a_child_of_opentelemetrys_span() {
    let telemetry = Telemetry::new();
    let caller = telemetry.caller();
    let call = echo(&telemetry).oneshot(Request::new(()));
    let call = call.instrument(info_span!("work"));
    call.with_context(caller.clone()).await.unwrap();
    caller.span().end();
    let [call, caller] = telemetry.ended().await;
    assert_child(&call, &caller.span_context);
}
