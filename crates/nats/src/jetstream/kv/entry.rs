//! Keys, and what a stored message says of its entry, as async-nats reads both.

use async_nats::HeaderMap;
use async_nats::jetstream::kv::Operation;

/// The header that says what a message does to its key; without it, it puts a value.
pub(super) const KV_OPERATION: &str = "KV-Operation";

/// Whether async-nats takes `key`.
pub(super) fn is_valid_key(key: &str) -> bool {
    let takes = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_=.".contains(&byte);
    !key.is_empty() && !key.starts_with('.') && !key.ends_with('.') && key.bytes().all(takes)
}

/// What a message does to its key. One that says something unknown puts.
pub(super) fn operation_of(headers: Option<&HeaderMap>) -> Operation {
    let first = |name: &'static str| {
        let mut values = headers?.get_all(name);
        Some(values.next()?.as_str())
    };
    match first(KV_OPERATION) {
        Some(operation) => operation.parse().unwrap_or(Operation::Put),
        // The server says why it put a marker in the place of a value.
        None => match first("Nats-Marker-Reason") {
            Some("MaxAge" | "Purge") => Operation::Purge,
            Some("Remove") => Operation::Delete,
            _ => Operation::Put,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_async_nats_takes() {
        for key in ["a", "a.b", "-/_=.azAZ09", "a..b"] {
            assert!(is_valid_key(key), "{key}");
        }
        for key in [
            "", ".a", "a.", ".", "a b", "a*", ">", "a\n", "\u{e9}", "a\0",
        ] {
            assert!(!is_valid_key(key), "{key}");
        }
    }

    #[test]
    fn a_marker_says_what_became_of_the_value() {
        let of = |name: &'static str, value: &'static str| {
            operation_of(Some(&HeaderMap::from_iter([(
                name.parse().unwrap(),
                value.parse().unwrap(),
            )])))
        };
        assert_eq!(operation_of(None), Operation::Put);
        assert_eq!(of("other", "DEL"), Operation::Put);
        assert_eq!(of(KV_OPERATION, "DEL"), Operation::Delete);
        assert_eq!(of(KV_OPERATION, "PURGE"), Operation::Purge);
        assert_eq!(of(KV_OPERATION, "del"), Operation::Put);
        assert_eq!(of("Nats-Marker-Reason", "MaxAge"), Operation::Purge);
        assert_eq!(of("Nats-Marker-Reason", "Purge"), Operation::Purge);
        assert_eq!(of("Nats-Marker-Reason", "Remove"), Operation::Delete);
        assert_eq!(of("Nats-Marker-Reason", "else"), Operation::Put);
    }
}
