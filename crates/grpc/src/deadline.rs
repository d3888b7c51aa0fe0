use http::{HeaderMap, HeaderName};
use std::time::Duration;

static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How long the caller waits: `grpc-timeout`, at most eight digits and a unit (gRPC over HTTP/2,
/// "Requests").
pub(crate) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(&GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 60 * 60),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// Whether a call that was dropped this long after it came in was dropped for its deadline. The
/// caller counts from earlier on, by the time that the request took: a tenth is allowed for, and
/// 5 ms at least.
pub(crate) fn is_exceeded(timeout: Duration, elapsed: Duration) -> bool {
    let tolerance = (timeout / 10).max(Duration::from_millis(5));
    elapsed.saturating_add(tolerance) >= timeout
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn timeout(value: &str) -> Option<Duration> {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        of(&HeaderMap::from_iter([(
            "grpc-timeout".parse().unwrap(),
            value,
        )]))
    }

    #[test]
    fn a_timeout_has_a_unit() {
        let hour = Duration::from_secs(3600);
        for (text, expected) in [
            ("1H", hour),
            ("60M", hour),
            ("3600S", hour),
            ("3600000m", hour),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("5n", Duration::from_nanos(5)),
            ("99999999H", hour * 99_999_999),
        ] {
            assert_eq!(timeout(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_none() {
        for text in ["", "S", "5", "+5S", "-5S", "5 S", "123456789S", "5s", "5é"] {
            assert_eq!(timeout(text), None, "{text}");
        }
        assert_eq!(of(&HeaderMap::new()), None);
    }

    #[test]
    fn a_deadline_is_exceeded_by_the_clock_of_the_caller() {
        let ms = Duration::from_millis;
        for (timeout, elapsed, exceeded) in [
            (ms(1000), ms(1000), true),
            (ms(1000), ms(900), true),
            (ms(1000), ms(899), false),
            (ms(20), ms(15), true),
            (ms(20), ms(14), false),
            (ms(5), ms(0), true),
            (Duration::ZERO, Duration::ZERO, true),
        ] {
            assert_eq!(is_exceeded(timeout, elapsed), exceeded, "{elapsed:?}");
        }
    }
}
