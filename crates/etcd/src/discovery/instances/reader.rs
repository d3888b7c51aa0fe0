use super::instance::Instance;
use bytes::Bytes;
use etcd_client::Error;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

pub(super) type Map = BTreeMap<Bytes, Arc<Instance>>;

/// The instances at one moment, by key.
pub type Snapshot = Arc<BTreeMap<Bytes, Arc<Instance>>>;

/// The live map of instances. Cheap to clone; a clone keeps the map up to date like the original.
///
/// While a snapshot is held, the next change copies the map: its keys and pointers, not what the
/// instances are.
#[derive(Clone)]
pub struct Reader(pub(super) watch::Receiver<View>);

/// What readers see.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) map: Snapshot,
    /// Why the map may be behind.
    pub(super) error: Option<Arc<Error>>,
}

impl Reader {
    /// The instances that are there now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Arc::clone(&self.0.borrow().map)
    }

    /// The instance with this key, prefix included.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Arc<Instance>> {
        self.0.borrow().map.get(key.as_ref()).cloned()
    }

    /// Why the map may be behind: what ended the watch, or kept it from beginning again. `None`
    /// while it is followed.
    #[must_use]
    pub fn error(&self) -> Option<Arc<Error>> {
        self.0.borrow().error.clone()
    }

    /// Waits until the instances are as `is_so` says, which may be now. `None` only when the
    /// runtime has shut down the task that follows them.
    ///
    /// ```no_run
    /// # async fn example(instances: dynamo_trace_etcd::discovery::Reader) {
    /// instances.wait_for(|instances| instances.len() >= 3).await;
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn wait_for(
        &self,
        mut is_so: impl FnMut(&BTreeMap<Bytes, Arc<Instance>>) -> bool,
    ) -> Option<Snapshot> {
        let mut views = self.0.clone();
        let view = views.wait_for(|view| is_so(&view.map)).await.ok()?;
        Some(Arc::clone(&view.map))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.0.borrow();
        f.debug_struct("Reader")
            .field("instances", &view.map.len())
            .field("error", &view.error)
            .finish()
    }
}
