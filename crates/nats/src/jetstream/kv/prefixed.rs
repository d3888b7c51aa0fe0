//! Writes to a bucket of another domain: below the prefix of the JetStream context, which only
//! async-nats knows.

use super::Store;
use super::failure::WriteError;
use async_nats::client::{self, PublishErrorKind as SendErrorKind, Request};
use async_nats::jetstream::context::traits::TimeoutProvider;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use futures_core::Stream;
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;

impl Store {
    /// async-nats publishes below its prefix what it takes for a request of its own; the answer,
    /// on a subject that we subscribe to, is the acknowledgement.
    pub(super) async fn store_below_prefix(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        value: Bytes,
    ) -> Result<u64, WriteError> {
        let client = self.context.client();
        let inbox = client.new_inbox();
        let acks = client.subscribe(inbox.clone()).await;
        let acks = acks.map_err(|error| WriteError::Publish(other(error)))?;
        let mut request = Request::new().payload(value).inbox(inbox);
        request.headers = headers;
        let sent = self.context.send_request(subject, request).await;
        sent.map_err(|error| WriteError::Publish(not_sent(error)))?;

        let mut acks = pin!(acks);
        let ack = poll_fn(|cx| acks.as_mut().poll_next(cx));
        let ack = tokio::time::timeout(self.context.timeout(), ack).await;
        let stored = match ack {
            Ok(Some(message)) => read_ack(&message),
            Ok(None) => Err(PublishErrorKind::BrokenPipe.into()),
            Err(_) => Err(PublishErrorKind::TimedOut.into()),
        };
        stored.map_err(WriteError::Ack)
    }
}

/// As async-nats reads it.
fn read_ack(message: &Message) -> Result<u64, PublishError> {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(PublishErrorKind::StreamNotFound.into());
    }
    match serde_json::from_slice(&message.payload).map_err(other)? {
        Response::Ok(PublishAck { sequence, .. }) => Ok(sequence),
        Response::Err { error } => Err(refused(error)),
    }
}

fn refused(error: jetstream::Error) -> PublishError {
    let kind = match error.error_code() {
        ErrorCode::STREAM_WRONG_LAST_MESSAGE_ID => PublishErrorKind::WrongLastMessageId,
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE => PublishErrorKind::WrongLastSequence,
        _ => PublishErrorKind::Other,
    };
    PublishError::with_source(kind, error)
}

fn not_sent(error: client::PublishError) -> PublishError {
    let kind = match error.kind() {
        SendErrorKind::MaxPayloadExceeded => PublishErrorKind::MaxPayloadExceeded,
        SendErrorKind::InvalidSubject | SendErrorKind::Send => PublishErrorKind::Other,
    };
    PublishError::with_source(kind, error)
}

fn other(error: impl Error + Send + Sync + 'static) -> PublishError {
    PublishError::with_source(PublishErrorKind::Other, error)
}
