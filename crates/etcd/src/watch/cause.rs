use super::consumer::is_put;
use crate::counts::Loss;
use etcd_client::Event;

/// What is known of who made a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The context block that was found.
    pub(crate) block: Option<Vec<u8>>,
    /// The block is that of the last writer of a key that was deleted, not that of who deleted it.
    pub(crate) is_last_writer: bool,
    /// The last writer had put the key with a lease.
    pub(crate) was_leased: bool,
    /// Why there is no block of who made the change. None where nobody looked for it.
    pub(crate) loss: Option<Loss>,
}

impl Cause {
    /// Who made the change left this block.
    pub(crate) fn writer(block: Vec<u8>) -> Self {
        Self {
            block: Some(block),
            ..Self::default()
        }
    }

    pub(crate) fn lost(loss: Loss) -> Self {
        Self {
            loss: Some(loss),
            ..Self::default()
        }
    }

    /// Whether this is a deletion of which is not known who deleted, though somebody asked.
    pub(crate) fn lacks_note(&self, event: &Event) -> bool {
        self.loss.is_some() && event.kv().is_some_and(|kv| !is_put(kv))
    }

    /// Of a deletion: the note that it left, if any.
    pub(crate) fn note(&self) -> Option<&Vec<u8>> {
        self.block.as_ref().filter(|_| !self.is_last_writer)
    }
}
