use super::restore::Branches;
use super::rewrite::Rewritten;
use super::wire::TxnRequest;
use super::write::Rpc;
use super::{read, unary};
use crate::aside::Aside;
use crate::companion::Prefix;
use bytes::Bytes;
use tonic::Code;

/// What is sent for a call, and how its response becomes that of the call.
pub(super) struct Attempt {
    pub(super) rpc: Rpc,
    pub(super) kind: Kind,
    content: Content,
    restore: Restore,
}

enum Content {
    Message(Bytes),
    /// A message in the body of a request; `None` where it does not fit.
    Body(Option<Bytes>),
}

/// What an attempt has that the user's request has not. Later attempts have less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The companions of what is read.
    Read,
    /// Companions, envelopes, and a note of the deletion.
    Noted,
    /// Companions and envelopes.
    Accompanied,
    /// Envelopes.
    Sealed,
    /// Nothing.
    Plain,
}

enum Restore {
    /// It is the response.
    Whole,
    /// A transaction of more operations than the user's.
    Txn(Branches),
    /// The user's was a single operation.
    Single(Branches),
    /// The range and its companions.
    Range(Prefix),
}

impl Attempt {
    pub(super) const fn own(rpc: Rpc, message: Bytes, kind: Kind) -> Self {
        Self {
            rpc,
            kind,
            content: Content::Message(message),
            restore: Restore::Whole,
        }
    }

    /// A write with companions, for this RPC.
    pub(super) fn write(rpc: Rpc, rewritten: Rewritten, kind: Kind) -> Self {
        let restore = match rpc {
            Rpc::Txn => Restore::Txn(rewritten.branches),
            Rpc::Put | Rpc::DeleteRange | Rpc::Range => Restore::Single(rewritten.branches),
        };
        Self {
            rpc: Rpc::Txn,
            kind,
            content: Content::Body(unary::encode(&rewritten.txn)),
            restore,
        }
    }

    /// A range with its companions, which are under `prefix`.
    pub(super) fn read(txn: &TxnRequest, prefix: Prefix) -> Self {
        Self {
            rpc: Rpc::Txn,
            kind: Kind::Read,
            content: Content::Body(unary::encode(txn)),
            restore: Restore::Range(prefix),
        }
    }

    /// The body of the request, which is made once; `None` above 4 GiB.
    pub(super) fn take_body(&mut self) -> Option<Bytes> {
        match &mut self.content {
            Content::Message(message) => unary::frame(message),
            Content::Body(body) => body.take(),
        }
    }

    /// The response to the call; `None` for what is not the response to this attempt.
    pub(super) fn restore(&self, response: Bytes, aside: Option<&Aside>) -> Option<Bytes> {
        match &self.restore {
            Restore::Whole => Some(response),
            Restore::Txn(branches) => branches.txn(response),
            Restore::Single(branches) => branches.single(response),
            Restore::Range(prefix) => read::restore(response, prefix, aside?),
        }
    }
}

impl Kind {
    /// How many attempts are skipped after the server refused this one, behind which there are
    /// `rest` more. `None` where the refusal is not the doing of what the attempt adds.
    pub(super) fn skips(self, code: Code, message: &str, rest: usize) -> Option<usize> {
        let last = rest.checked_sub(1)?;
        match (self, code) {
            (Self::Noted | Self::Accompanied | Self::Read, Code::PermissionDenied) => Some(0),
            (Self::Noted | Self::Read, Code::InvalidArgument) => Some(0),
            // Too large with all this, perhaps, or refused for itself.
            (Self::Accompanied | Self::Sealed, Code::InvalidArgument) => Some(last),
            // What only deletes goes through where there is no space.
            (Self::Noted, Code::ResourceExhausted) if message.contains("space exceeded") => Some(0),
            _ => None,
        }
    }
}
