use super::reader::Map;
use bytes::Bytes;
use opentelemetry::trace::SpanContext;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// An instance, as etcd has it.
#[derive(Clone, Debug)]
pub struct Instance {
    pub(super) key: Bytes,
    pub(super) prefix_len: usize,
    pub(super) value: Bytes,
    pub(super) lease: i64,
    pub(super) create_revision: i64,
    pub(super) mod_revision: i64,
    /// Who put it.
    pub(super) writer: Option<SpanContext>,
    pub(super) noticed_after: Option<Duration>,
}

impl Instance {
    pub(super) fn new(kv: &etcd_client::KeyValue, prefix_len: usize) -> Self {
        Self {
            key: Bytes::copy_from_slice(kv.key()),
            prefix_len,
            value: Bytes::copy_from_slice(kv.value()),
            lease: kv.lease(),
            create_revision: kv.create_revision(),
            mod_revision: kv.mod_revision(),
            writer: None,
            noticed_after: None,
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The key behind the prefix that is watched, as text: what is no UTF-8 is replaced.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.key.get(self.prefix_len..).unwrap_or_default())
    }

    /// The value, byte for byte.
    #[must_use]
    pub const fn value(&self) -> &Bytes {
        &self.value
    }

    /// The lease; 0 without one.
    #[must_use]
    pub const fn lease(&self) -> i64 {
        self.lease
    }

    /// The revision of the store at which it joined.
    #[must_use]
    pub const fn create_revision(&self) -> i64 {
        self.create_revision
    }

    /// The revision of the store at which it was last put.
    #[must_use]
    pub const fn mod_revision(&self) -> i64 {
        self.mod_revision
    }

    /// How long after its put this process noticed it, by the clocks of both; to the millisecond.
    /// None where the put has no time, or that lies ahead, and for what was there before the watch.
    #[must_use]
    pub const fn noticed_after(&self) -> Option<Duration> {
        self.noticed_after
    }

    /// Whether it is still the one that joined. A store that lost its data counts anew: the lease
    /// tells those apart.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        (self.create_revision, self.lease) == (other.create_revision, other.lease)
            || self.create_revision == other.create_revision
                && self.mod_revision != other.mod_revision
    }

    /// Whether nothing has changed.
    pub(super) fn is_unchanged_from(&self, other: &Self) -> bool {
        self.is_same_as(other)
            && self.mod_revision == other.mod_revision
            && self.value == other.value
    }
}

/// What became of an instance.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is there.
    Joined(Arc<Instance>),
    /// It was put again: its value may have changed, or its lease.
    Updated(Arc<Instance>),
    /// It is gone: deregistered, or its lease has expired. As it was last.
    Left(Arc<Instance>),
}

impl Change {
    /// The instance; one that left, as it was last.
    #[must_use]
    pub const fn instance(&self) -> &Arc<Instance> {
        match self {
            Self::Joined(instance) | Self::Updated(instance) | Self::Left(instance) => instance,
        }
    }

    /// The key of the instance.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.instance().key()
    }

    pub(super) fn apply_to(&self, map: &mut Map) {
        let instance = self.instance();
        match self {
            Self::Left(_) => map.remove(&instance.key),
            _ => map.insert(instance.key.clone(), Arc::clone(instance)),
        };
    }
}
