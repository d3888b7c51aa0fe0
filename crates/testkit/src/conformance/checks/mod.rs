//! The checks, each a function that panics where an adapter is wrong.

mod context;
mod endings;
mod fields;
mod ids;
mod payload;
mod raw;
mod vectors;

pub use context::{
    context_is_current_across_yields, context_is_gone_afterwards, interleaved_sends_never_mix,
};
pub use endings::{
    spans_end_on_cancel, spans_end_on_error, spans_end_on_stop, spans_end_on_success,
};
pub use fields::{
    baggage_arrives, context_passes_through_without_sdk, flags_arrive, tracestate_arrives,
};
pub use ids::{ids_arrive, no_context_starts_a_root};
pub use payload::payload_is_untouched;
pub use raw::{a_baggage_bomb_is_dropped, field_names_compare_in_any_case, repeated_fields_count};
pub use vectors::{baggage_vectors, traceparent_vectors, tracestate_vectors};
