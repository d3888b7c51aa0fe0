//! The values of `error.type`. A server says what went wrong in words of its own, with subjects
//! and numbers in them: only those that are known become a value.

use super::event::{Hop, Ingress, What};
use crate::attributes::OTHER;
use dynamo_trace_core::Ending;

/// How the span of a hop ends: it fails where the server did nothing with the message, or a stream
/// did not store it.
pub(super) fn ending(hop: &Hop) -> Ending {
    let refused = hop.ingress().and_then(|(_, ingress)| refused(ingress));
    let stores = hop.points().iter().filter_map(|point| match &point.what {
        What::Store(store) => store.error.as_deref(),
        _ => None,
    });
    let mut failed = refused.into_iter().chain(stores.filter_map(of_store));
    failed.next().map_or(Ending::Complete, Ending::failed)
}

fn refused(ingress: &Ingress) -> Option<&'static str> {
    ingress.error.as_deref().map(of_ingress)
}

/// Why a server refused a message.
fn of_ingress(text: &str) -> &'static str {
    if text.starts_with("Permissions Violation") {
        "permissions_violation"
    } else if text == "maximum payload exceeded" {
        "max_payload_exceeded"
    } else {
        OTHER
    }
}

/// Why a stream did not store a message; nothing if it has it.
pub(super) fn of_store(text: &str) -> Option<&'static str> {
    Some(match text {
        // It was published twice, and its publisher is told that all is well.
        "msgid is duplicate" => return None,
        "maximum messages exceeded" => "max_messages_exceeded",
        "maximum bytes exceeded" => "max_bytes_exceeded",
        "maximum messages per subject exceeded" => "max_messages_per_subject_exceeded",
        "message too large" => "message_too_large",
        "last sequence mismatch" => "last_sequence_mismatch",
        "expected stream does not match" => "stream_mismatch",
        "stream closed" => "stream_closed",
        _ => OTHER,
    })
}

/// Why a message did not go to one of those that it was for; nothing if it did.
pub(super) fn of_egress(text: &str) -> Option<&'static str> {
    let Some(reason) = text.strip_prefix("Not delivered because ") else {
        // The other server only does not tell what it does with the message.
        return (!text.starts_with("Message delivered")).then_some(OTHER);
    };
    Some(match reason {
        "of no echo" => "no_echo",
        "publish denied for this subject" => "publish_denied",
        "subscription denies this subject" => "subscription_denied",
        "subscription is closed" => "subscription_closed",
        "client is closed" => "client_closed",
        "auto-unsubscribe exceeded" => "auto_unsubscribe_exceeded",
        "fast producer not stalled and consumer is slow" => "slow_consumer",
        "remote does not support message tracing" => "tracing_not_supported",
        _ => OTHER,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_delivered_is_no_error() {
        let delivered = "Message delivered but remote does not support message tracing so no \
                         trace event generated from there";
        assert_eq!(of_egress(delivered), None);
        let not = "Not delivered because subscription denies this subject";
        assert_eq!(of_egress(not), Some("subscription_denied"));
    }

    #[test]
    fn words_that_are_not_known_have_one_value() {
        for text in ["", "Not delivered because of 7", "wrong last sequence: 7"] {
            assert_eq!(of_ingress(text), OTHER);
            assert_eq!(of_store(text), Some(OTHER));
            assert_eq!(of_egress(text), Some(OTHER));
        }
    }
}
