//! What went wrong, as `error.type`: of few values, whatever the server says.

use crate::attributes::{OTHER, publish_error};
use async_nats::client::PublishError as SendError;
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::{
    BatchError, BatchErrorKind, MessagesError, MessagesErrorKind,
};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::subject::SubjectError;
use std::borrow::Cow;

/// Why a message was not stored, or is not known to be.
pub(crate) fn not_stored(error: &PublishError) -> Cow<'static, str> {
    let known = match error.kind() {
        PublishErrorKind::StreamNotFound => "stream_not_found",
        PublishErrorKind::WrongLastMessageId => "wrong_last_message_id",
        PublishErrorKind::WrongLastSequence => "wrong_last_sequence",
        PublishErrorKind::TimedOut => "timeout",
        PublishErrorKind::BrokenPipe => "connection_closed",
        PublishErrorKind::MaxAckPending => "max_ack_pending",
        PublishErrorKind::MaxPayloadExceeded => "max_payload_exceeded",
        PublishErrorKind::Other => return cause(error),
    };
    known.into()
}

/// What async-nats has no kind for.
fn cause(error: &PublishError) -> Cow<'static, str> {
    let source = std::error::Error::source(error);
    let Some(source) = source else {
        return OTHER.into();
    };
    if let Some(refused) = source.downcast_ref::<jetstream::Error>() {
        return match refused.error_code().0 {
            // Documented ones have five digits; any number of values would be too many.
            code @ 1..=99_999 => code.to_string().into(),
            _ => OTHER.into(),
        };
    }
    if source.is::<SubjectError>() {
        return "invalid_subject".into();
    }
    OTHER.into()
}

/// Why a pull request was not sent.
pub(crate) fn not_pulled(error: &BatchError) -> &'static str {
    match error.kind() {
        BatchErrorKind::Subscribe => "subscribe_failed",
        BatchErrorKind::Pull | BatchErrorKind::Flush => "pull_failed",
        BatchErrorKind::PinnedClient => "pinned_client",
        BatchErrorKind::Serialize => OTHER,
    }
}

/// Why a pull request of a sequence was not sent.
pub(crate) fn pull_failed(error: &MessagesError) -> &'static str {
    match error.kind() {
        MessagesErrorKind::Pull => "pull_failed",
        _ => OTHER,
    }
}

/// Why a pull request brings no more messages. async-nats has only a text for it, the status code
/// of NATS in it.
pub(crate) fn pull_ended(error: &async_nats::Error) -> Cow<'static, str> {
    let text = error.to_string();
    let known = [
        ("Consumer Deleted", "consumer_deleted"),
        ("Consumer is push based", "push_based_consumer"),
        ("Exceeded MaxRequest", "request_limit_exceeded"),
        ("Exceeded MaxWaiting", "max_waiting_exceeded"),
        ("Message Size Exceeds MaxBytes", "max_bytes_exceeded"),
        ("Leadership Change", "leadership_change"),
        ("Server Shutdown", "server_shutdown"),
    ];
    if let Some((_, error_type)) = known.iter().find(|(says, _)| text.contains(says)) {
        return Cow::Borrowed(error_type);
    }
    let code = text
        .rsplit_once("stream: ")
        .and_then(|(_, end)| end.get(..3));
    match code.filter(|code| code.bytes().all(|byte| byte.is_ascii_digit())) {
        Some("503") => "no_responders".into(),
        Some(code) => code.to_owned().into(),
        None => OTHER.into(),
    }
}

/// Why a settlement failed.
pub(crate) fn not_settled(error: &async_nats::Error) -> &'static str {
    if let Some(error) = error.downcast_ref::<SendError>() {
        return publish_error(error);
    }
    match error
        .downcast_ref::<std::io::Error>()
        .map(std::io::Error::kind)
    {
        Some(std::io::ErrorKind::TimedOut) => "timeout",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_pull_request_is_of_few_types() {
        for (status, expected) in [
            ("409, Some(\"Consumer Deleted\")", "consumer_deleted"),
            (
                "409, Some(\"Consumer is push based\")",
                "push_based_consumer",
            ),
            (
                "409, Some(\"Exceeded MaxRequestBatch of 2\")",
                "request_limit_exceeded",
            ),
            ("409, Some(\"Exceeded MaxWaiting\")", "max_waiting_exceeded"),
            (
                "409, Some(\"Message Size Exceeds MaxBytes\")",
                "max_bytes_exceeded",
            ),
            ("409, Some(\"Leadership Change\")", "leadership_change"),
            ("409, Some(\"Server Shutdown\")", "server_shutdown"),
            ("409, Some(\"any other\")", "409"),
            ("503, None", "no_responders"),
            ("423, Some(\"Nats-Wrong-Pin-Id\")", "423"),
            ("4", "_OTHER"),
            ("4\u{e9}\u{e9}", "_OTHER"),
            ("40\u{e9}", "_OTHER"),
        ] {
            let text = format!("error while processing messages from the stream: {status}");
            assert_eq!(pull_ended(&text.into()), expected, "{status}");
        }
        assert_eq!(pull_ended(&"anything".into()), "_OTHER");
    }
}
