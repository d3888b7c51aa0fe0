//! W3C Baggage between carriers and OpenTelemetry's context.

use super::budget::Budget;
use super::kept::KeptBaggage;
use super::{Remote, has_span, rejected};
use crate::carrier::{Carrier, CarrierMut, Field};
use crate::trust::Trust;
use crate::w3c::baggage;
use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};

pub(super) fn extract<C: Carrier>(
    carrier: &C,
    trust: &Trust,
    budget: &mut Budget,
    remote: &mut Remote,
) {
    let mut values = carrier.values_of(Field::Baggage).peekable();
    if values.peek().is_none() {
        return;
    }
    budget.spend(values).for_each(drop);
    if budget.exceeded() {
        rejected::over_budget();
        return;
    }
    let mut read = Baggage::new();
    let mut text = String::new();
    let members = baggage::parse(carrier.values_of(Field::Baggage)).take(baggage::MAX_MEMBERS);
    for member in members.filter(|member| trust.takes_baggage_key(member.key)) {
        let key = member.key.to_owned();
        read.insert_with_metadata(key, member.value.to_string(), member.properties);
        if text.len() <= baggage::MAX_BYTES {
            member.write(&mut text);
        }
    }
    // Duplicate keys and members over the limits are not in `read`, and text that is too long
    // once encoded must not be sent: then it is not kept, and injection writes what fits.
    if text.len() <= baggage::MAX_BYTES && decodes_to(&text, &read) {
        remote.kept_baggage = Some(KeptBaggage(text));
    }
    if !read.is_empty() {
        remote.baggage = Some(read);
    }
}

pub(super) fn inject<C: CarrierMut>(cx: &Context, carrier: &mut C) {
    let current = cx.baggage();
    if current.is_empty() {
        // Left over from another use of the carrier, or not trusted when it came in.
        if has_span(cx) {
            carrier.remove_field(Field::Baggage);
        }
        return;
    }
    let kept = cx.get::<KeptBaggage>().map(|kept| kept.0.as_str());
    if let Some(kept) = kept.filter(|kept| decodes_to(kept, current)) {
        carrier.set_field(Field::Baggage, kept);
        return;
    }
    let mut text = String::new();
    for (key, (value, metadata)) in current {
        baggage::push(&mut text, key.as_str(), value.as_str(), metadata.as_str());
    }
    if text.is_empty() {
        carrier.remove_field(Field::Baggage);
    } else {
        carrier.set_field(Field::Baggage, &text);
    }
}

/// Whether the header `text` says what `current` holds, neither more nor less.
pub(super) fn decodes_to(text: &str, current: &Baggage) -> bool {
    let mut count = 0;
    let all_there = baggage::parse([text.as_bytes()]).all(|member| {
        count += 1;
        let there = current.get_with_metadata(member.key);
        there.is_some_and(|(value, metadata)| {
            value.as_str() == member.value && metadata.as_str() == member.properties
        })
    });
    all_there && count == current.len()
}
