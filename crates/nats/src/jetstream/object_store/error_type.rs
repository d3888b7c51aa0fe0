//! What the spans say of async-nats' errors.

use crate::attributes::OTHER;
use async_nats::jetstream::object_store::{
    AddLinkError, AddLinkErrorKind, DeleteError, DeleteErrorKind, GetError, GetErrorKind,
    InfoError, InfoErrorKind, PutError, PutErrorKind, SealError, SealErrorKind,
    UpdateMetadataError, UpdateMetadataErrorKind, WatchError, WatchErrorKind,
};
use dynamo_trace_core::Ending;

/// An error that says what kind it is.
pub(super) trait ErrorType {
    fn error_type(&self) -> &'static str;
}

/// How the span of a call ends.
pub(super) fn called<T, E: ErrorType>(output: &Result<T, E>) -> Ending {
    match output {
        Ok(_) => Ending::Complete,
        Err(error) => Ending::failed(error.error_type()),
    }
}

const INVALID_NAME: &str = "invalid_name";
const NOT_FOUND: &str = "not_found";
const TIMEOUT: &str = "timeout";
const CONSUMER_CREATE: &str = "consumer_create";
const PUBLISH_METADATA: &str = "publish_metadata";

impl ErrorType for InfoError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            InfoErrorKind::InvalidName => INVALID_NAME,
            InfoErrorKind::NotFound => NOT_FOUND,
            InfoErrorKind::TimedOut => TIMEOUT,
            InfoErrorKind::Other => OTHER,
        }
    }
}

impl ErrorType for GetError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            GetErrorKind::InvalidName => INVALID_NAME,
            GetErrorKind::ConsumerCreate => CONSUMER_CREATE,
            GetErrorKind::NotFound => NOT_FOUND,
            GetErrorKind::BucketLink => "bucket_link",
            GetErrorKind::TimedOut => TIMEOUT,
            GetErrorKind::Other => OTHER,
        }
    }
}

impl ErrorType for PutError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            PutErrorKind::InvalidName => INVALID_NAME,
            PutErrorKind::ReadChunks => "read_chunks",
            PutErrorKind::PublishChunks => "publish_chunks",
            PutErrorKind::PublishMetadata => PUBLISH_METADATA,
            PutErrorKind::PurgeOldChunks => "purge_old_chunks",
            PutErrorKind::TimedOut => TIMEOUT,
            PutErrorKind::Other => OTHER,
        }
    }
}

impl ErrorType for DeleteError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            DeleteErrorKind::TimedOut => TIMEOUT,
            DeleteErrorKind::NotFound => NOT_FOUND,
            DeleteErrorKind::Metadata => "metadata",
            DeleteErrorKind::InvalidName => INVALID_NAME,
            DeleteErrorKind::Chunks => "chunks",
            DeleteErrorKind::Other => OTHER,
        }
    }
}

impl ErrorType for UpdateMetadataError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            UpdateMetadataErrorKind::InvalidName => INVALID_NAME,
            UpdateMetadataErrorKind::NotFound => NOT_FOUND,
            UpdateMetadataErrorKind::TimedOut => TIMEOUT,
            UpdateMetadataErrorKind::PublishMetadata => PUBLISH_METADATA,
            UpdateMetadataErrorKind::NameAlreadyInUse => "name_already_in_use",
            UpdateMetadataErrorKind::Purge => "purge",
            UpdateMetadataErrorKind::Other => OTHER,
        }
    }
}

impl ErrorType for AddLinkError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            AddLinkErrorKind::EmptyName => "empty_name",
            AddLinkErrorKind::ObjectRequired => "object_required",
            AddLinkErrorKind::Deleted => "deleted",
            AddLinkErrorKind::LinkToLink => "link_to_link",
            AddLinkErrorKind::PublishMetadata => PUBLISH_METADATA,
            AddLinkErrorKind::AlreadyExists => "already_exists",
            AddLinkErrorKind::Other => OTHER,
        }
    }
}

impl ErrorType for SealError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            SealErrorKind::TimedOut => TIMEOUT,
            SealErrorKind::Info => "info",
            SealErrorKind::Update => "update",
            SealErrorKind::Other => OTHER,
        }
    }
}

impl ErrorType for WatchError {
    fn error_type(&self) -> &'static str {
        match self.kind() {
            WatchErrorKind::TimedOut => TIMEOUT,
            WatchErrorKind::ConsumerCreate => CONSUMER_CREATE,
            WatchErrorKind::Other => OTHER,
        }
    }
}
