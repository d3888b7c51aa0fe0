//! Each fault fails the check that is meant to see it, and for that reason.
//!
//! The clock is paused, so that waiting in vain takes no time.

use crate::bare::Bare;
use crate::channel::*;
use dynamo_trace_testkit::conformance::*;

/// Expects a check to fail with a message that has this part.
async fn fails(check: impl Future<Output = ()> + Send + 'static, why: &str) {
    let failed = tokio::spawn(check).await.expect_err("the check passed");
    let panic = failed.into_panic();
    let message = match panic.downcast_ref::<String>() {
        Some(message) => message.as_str(),
        None => panic.downcast_ref::<&str>().copied().unwrap_or_default(),
    };
    assert!(
        message.contains(why),
        "failed for another reason: {message}"
    );
}

macro_rules! each_fails {
    ($($test:ident: $check:ident::<$harness:ident<$fault:ident>>, $why:literal;)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            fails($check::<$harness<{ $fault }>>(), $why).await;
        }
    )*};
}

each_fails! {
    dropped_tracestate: tracestate_arrives::<Replying<DROPS_TRACESTATE>>, "foo=1,bar=2";
    dropped_tracestate_without_sdk:
        context_passes_through_without_sdk::<OneWay<DROPS_TRACESTATE>>, "tracestate";
    mixed_messages: interleaved_sends_never_mix::<OneWay<MIXES_MESSAGES>>, "trace";
    leaked_context: context_is_gone_afterwards::<OneWay<LEAKS_CONTEXT>>, "span is current";
    leaked_context_of_a_server:
        context_is_gone_afterwards::<Replying<LEAKS_CONTEXT>>, "span is current";
    unended_span: spans_end_on_success::<OneWay<NEVER_ENDS>>, "spans to end in trace";
    unended_span_on_stop: spans_end_on_stop::<OneWay<NEVER_ENDS>>, "every started span to end";
    hidden_failure: spans_end_on_error::<Replying<HIDES_FAILURES>>, "failed";
    context_at_first_poll_only:
        context_is_current_across_yields::<OneWay<ATTACHES_ONCE>>, "the current span changed";
    context_at_first_poll_only_interleaved:
        interleaved_sends_never_mix::<Replying<ATTACHES_ONCE>>, "the current span changed";
    changed_payload: payload_is_untouched::<OneWay<CHANGES_PAYLOADS>>, "a payload of 65536 bytes";
    changed_reply: payload_is_untouched::<Replying<CHANGES_PAYLOADS>>, "65536 bytes";
    no_pass_through:
        context_passes_through_without_sdk::<OneWay<INJECTS_ONLY_IF_RECORDING>>, "flags 0";
    unsampled_starts_anew: flags_arrive::<OneWay<INJECTS_ONLY_IF_RECORDING>>, "ok:00";
    no_budget: a_baggage_bomb_is_dropped::<Replying<TAKES_ANY_BUDGET>>, "None";
    only_the_first_value: repeated_fields_count::<Replying<READS_THE_FIRST_VALUE>>, "sent twice";
    only_the_first_value_of_vectors:
        traceparent_vectors::<Replying<READS_THE_FIRST_VALUE>>, "two_same";
    case_sensitive: field_names_compare_in_any_case::<OneWay<CASE_SENSITIVE>>, "TRACEPARENT";
    spans_of_no_adapter: spans_end_on_success::<Bare<RECORDS>>, "left: 1";
    a_root_of_no_adapter: no_context_starts_a_root::<Bare<RECORDS>>, "from nowhere";
    another_parent: ids_arrive::<Bare<RECORDS>>, "spans of one send";
    another_parent_of_vectors: traceparent_vectors::<Bare<RECORDS>>, "no span";
    a_recorded_bomb: a_baggage_bomb_is_dropped::<Bare<RECORDS>>, "SpanData";
    no_context: ids_arrive::<Bare<KEEPS_THE_CONTEXT>>, "left: 0000";
    no_context_across_yields:
        context_is_current_across_yields::<Bare<KEEPS_THE_CONTEXT>>, "left: 0000";
    one_span_too_many: ids_arrive::<OneWay<RECORDS_TWICE>>, "spans of one send";
}
