//! Code with spans of `tracing`, in a process where nobody records them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail their tests"
)]

#[path = "spans/echo.rs"]
mod echo;
#[path = "tracing/streams.rs"]
mod streams;
#[path = "spans/telemetry.rs"]
#[expect(unused_imports, reason = "of what is shared, this needs a part")]
mod telemetry;

use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt};
use streams::{call, client, of_kind, serve, streams};
use telemetry::{Telemetry, assert_child, ending};
use tracing::{Instrument, info_span};

#[tokio::test]
async fn calls_are_children_of_opentelemetrys_span() {
    let telemetry = Telemetry::new();
    let server = serve(&telemetry, streams()).await;
    let caller = telemetry.caller();
    let call = call(client(&telemetry, &server), "/test.Echo/Server");
    let call = call.instrument(info_span!("call"));
    let read = call.with_context(caller.clone()).await;
    assert_eq!(read, "onetwo");
    caller.span().end();
    let spans = telemetry.ended::<3>().await;
    let call = of_kind(&spans, SpanKind::Client);
    let served = of_kind(&spans, SpanKind::Server);
    assert_child(call, caller.span().span_context());
    assert_child(served, &call.span_context);
    assert_eq!([ending(call), ending(served)], ["complete", "complete"]);
}
