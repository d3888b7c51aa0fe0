use std::sync::Arc;

/// How far a boundary trusts the context that callers send: an HTTP route, a gRPC method, a
/// NATS subject, an etcd prefix.
///
/// ```
/// use dynamo_trace_core::Trust;
///
/// // Between services of one's own: the default.
/// let inside = Trust::trusted();
/// // On a public route: a new root, linked to the caller's span; one baggage member is let in.
/// let public = Trust::linked().baggage_keys(["tenant"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Trust {
    parent: ParentTrust,
    baggage: BaggageTrust,
    max_bytes: usize,
}

/// What becomes of the caller's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParentTrust {
    Continue,
    Link,
    Ignore,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum BaggageTrust {
    All,
    Keys(Arc<[String]>),
}

impl Trust {
    /// How many bytes the fields beside `traceparent` may have together, over all their values,
    /// if not said otherwise: enough for what W3C demands to be carried.
    pub const DEFAULT_MAX_BYTES: usize = 16 * 1024;

    /// Continues the caller's trace and takes its baggage.
    pub const fn trusted() -> Self {
        Self {
            parent: ParentTrust::Continue,
            baggage: BaggageTrust::All,
            max_bytes: Self::DEFAULT_MAX_BYTES,
        }
    }

    /// Starts a new trace, linked to the caller's span; takes no baggage. Where a span is current
    /// already, that is the parent.
    pub fn linked() -> Self {
        Self {
            parent: ParentTrust::Link,
            ..Self::trusted()
        }
        .baggage_keys::<String>([])
    }

    /// Starts a new trace and takes nothing from the caller. Where a span is current already, that
    /// is the parent.
    pub fn ignored() -> Self {
        Self {
            parent: ParentTrust::Ignore,
            ..Self::linked()
        }
    }

    /// Takes only the baggage members with these keys, which compare by case.
    pub fn baggage_keys<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        let keys = keys.into_iter().map(Into::into).collect();
        Self {
            baggage: BaggageTrust::Keys(keys),
            ..self
        }
    }

    /// Sets how many bytes the fields beside `traceparent` may have together, over all their
    /// values. `tracestate` comes first, then `baggage`; what does not fit is dropped whole.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    pub(crate) const fn parent(&self) -> ParentTrust {
        self.parent
    }

    pub(crate) const fn budget(&self) -> usize {
        self.max_bytes
    }

    pub(crate) fn takes_baggage(&self) -> bool {
        !matches!(&self.baggage, BaggageTrust::Keys(keys) if keys.is_empty())
    }

    pub(crate) fn takes_baggage_key(&self, key: &str) -> bool {
        match &self.baggage {
            BaggageTrust::All => true,
            BaggageTrust::Keys(keys) => keys.iter().any(|allowed| allowed == key),
        }
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::trusted()
    }
}
