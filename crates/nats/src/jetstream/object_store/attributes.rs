//! The semantic conventions for messaging, as far as they apply to an object store.

/// How many bytes of an object were read.
pub(super) const STREAM_BYTES: &str = "dynamo_trace.stream.bytes";

#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Put,
    Get,
    Info,
    Delete,
    UpdateMetadata,
    AddLink,
    Seal,
    List,
    Watch,
}

impl Operation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Info => "info",
            Self::Delete => "delete",
            Self::UpdateMetadata => "update_metadata",
            Self::AddLink => "add_link",
            Self::Seal => "seal",
            Self::List => "list",
            Self::Watch => "watch",
        }
    }

    /// `messaging.operation.type`: what changes a store is a message to it.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Put | Self::Delete | Self::UpdateMetadata | Self::AddLink | Self::Seal => "send",
            Self::Get | Self::Info | Self::List | Self::Watch => "receive",
        }
    }
}
