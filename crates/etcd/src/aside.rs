use crate::counts::Loss;
use bytes::Bytes;
use dynamo_trace_core::ContextBlock;
use opentelemetry::Context;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the channel finds that etcd-client's types have no room for, laid aside for the call that
/// is under way: it is in the call's [`Context`].
#[derive(Debug)]
pub(crate) struct Aside {
    found: Mutex<Found>,
    /// The longest response that is read, in bytes.
    max_len: usize,
    /// Whether a range is to come with its companions.
    wants_companions: bool,
}

#[derive(Debug, Default)]
struct Found {
    /// Context blocks, by the key and the revision of what they came with.
    blocks: HashMap<(Bytes, u64), Bytes>,
    coverage: Coverage,
    revision: i64,
    watch: Watched,
}

/// Which companions in the range of a read are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// None was read.
    #[default]
    None,
    /// All were.
    All,
    /// Those up to this key's, in the order of the keys.
    UpTo(Bytes),
    /// None can be.
    Lost(Loss),
}

/// What a watch says on the wire, and etcd-client keeps for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// From where it was asked for; 0 for "now".
    pub(crate) start_revision: i64,
    /// Whether the last response is to be continued by the next one.
    pub(crate) is_fragment: bool,
}

/// The value in a [`Context`].
struct Slot(Arc<Aside>);

impl Default for Aside {
    fn default() -> Self {
        Self::limited(usize::MAX)
    }
}

impl Aside {
    pub(crate) fn limited(max_len: usize) -> Self {
        Self {
            found: Mutex::default(),
            max_len,
            wants_companions: true,
        }
    }

    /// For what is in envelopes alone.
    pub(crate) fn of_envelopes() -> Self {
        Self {
            wants_companions: false,
            ..Self::default()
        }
    }

    pub(crate) const fn wants_companions(&self) -> bool {
        self.wants_companions
    }

    pub(crate) const fn max_len(&self) -> usize {
        self.max_len
    }

    /// That of the call which is under way, if it wants anything laid aside.
    pub(crate) fn current() -> Option<Arc<Self>> {
        Context::map_current(|cx| cx.get::<Slot>().map(|Slot(aside)| Arc::clone(aside)))
    }

    /// Makes this call with it.
    pub(crate) async fn during<F: Future>(self: &Arc<Self>, call: F) -> F::Output {
        let cx = Context::current_with_value(Slot(Arc::clone(self)));
        within(cx, call).await
    }

    pub(crate) fn lay(&self, key: &[u8], revision: u64, block: &[u8]) {
        // Of what is too long, enough to see so.
        let block = block.get(..=ContextBlock::MAX_LEN).unwrap_or(block);
        let (key, block) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(block));
        self.found().blocks.insert((key, revision), block);
    }

    pub(crate) fn take(&self, key: &[u8], revision: u64) -> Option<Bytes> {
        let key = (Bytes::copy_from_slice(key), revision);
        self.found().blocks.remove(&key)
    }

    /// Forgets what nobody took.
    pub(crate) fn clear(&self) {
        self.found().blocks.clear();
    }

    pub(crate) fn set_coverage(&self, coverage: Coverage) {
        self.found().coverage = coverage;
    }

    pub(crate) fn coverage(&self) -> Coverage {
        self.found().coverage.clone()
    }

    /// The revision that a read asks for; 0 for the latest.
    pub(crate) fn revision(&self) -> i64 {
        self.found().revision
    }

    pub(crate) fn set_revision(&self, revision: i64) {
        self.found().revision = revision;
    }

    pub(crate) fn watched(&self) -> Watched {
        self.found().watch
    }

    pub(crate) fn set_watched(&self, set: impl FnOnce(&mut Watched)) {
        set(&mut self.found().watch);
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        // Whoever panicked, what was laid aside is whole.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a future with this context current.
pub(crate) async fn within<F: Future>(cx: Context, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|task| {
        let _current = cx.clone().attach();
        future.as_mut().poll(task)
    })
    .await
}
