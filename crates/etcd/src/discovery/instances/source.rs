use super::Instances;
use super::consumer::Spans;
use super::follow::Follow;
use super::found::Found;
use super::log::Log;
use super::reader::{Map, Reader, View};
use crate::{Client, Watcher};
use dynamo_trace_core::Trust;
use dynamo_trace_core::received::RelationRule;
use etcd_client::{Error, WatchOptions};
use std::collections::VecDeque;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// A watch of instances that is to begin: await it. Made by [`Instances::watch`].
///
/// It reads what is there, at one revision and in pages, and begins to watch behind it: the spans
/// `Range`, one for each page, and `Watch`. Then the map is complete.
///
/// # Errors
///
/// [`Error::WatchError`] if the server refuses the watch; else as [`Client::get`]. Contexts that
/// cannot be read are no error.
///
/// # Cancel safety
///
/// Dropping it leaves nothing behind.
#[derive(Clone, Debug)]
#[must_use = "nothing is watched before this is awaited"]
pub struct WatchInstances {
    source: Source,
    spans: Spans,
}

/// Where instances are, and how far those are trusted who put them there.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) etcd: Client,
    pub(super) prefix: Vec<u8>,
    pub(super) trust: Trust,
}

impl Source {
    /// What is there, and a watch for what comes behind it.
    pub(super) async fn open(&self) -> Result<(Found, Watcher), Error> {
        let found = Found::read(&self.etcd, &self.prefix).await?;
        // Fragments: a response may be larger than the client takes.
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(found.revision + 1)
            .with_fragment();
        let watcher = self.etcd.watch(&*self.prefix, Some(options)).await?;
        Ok((found, watcher.with_trust(self.trust.clone())))
    }
}

impl WatchInstances {
    pub(super) fn new(etcd: Client, prefix: Vec<u8>) -> Self {
        let spans = Spans::new(etcd.shared());
        let trust = etcd.shared().trust.clone();
        let source = Source {
            etcd,
            prefix,
            trust,
        };
        Self { source, spans }
    }

    /// Names the instances, for the spans of their changes: `process {destination}`. A name or a
    /// template, such as `instances` or `instances/*`, and no key.
    pub fn with_destination(mut self, destination: impl Into<String>) -> Self {
        self.spans.set_destination(destination.into());
        self
    }

    /// Sets how far those are trusted who register instances; as the client says, if not said
    /// otherwise.
    pub fn with_trust(mut self, trust: Trust) -> Self {
        self.source.trust = trust;
        self
    }

    /// Sets how the span of a join or an update relates to its put; as the client says, if not
    /// said otherwise.
    pub const fn with_relation(mut self, relation: RelationRule) -> Self {
        self.spans.relation = relation;
        self
    }

    async fn begin(self) -> Result<Instances, Error> {
        let (found, watcher) = self.source.open().await?;
        let spans = Arc::new(self.spans.begin_at(found.revision));
        let (ring, bell) = mpsc::channel(1);
        let (views, seen) = watch::channel(View::default());
        let log = Arc::new(Log::default());
        let follow = Follow {
            source: self.source,
            spans: Arc::clone(&spans),
            views,
            log: Arc::clone(&log),
            ring,
        };
        follow.catch_up(found);
        tokio::spawn(follow.run(watcher));
        Ok(Instances {
            reader: Reader(seen),
            log,
            bell,
            spans,
            seen: Map::new(),
            differences: VecDeque::new(),
        })
    }
}

impl IntoFuture for WatchInstances {
    type Output = Result<Instances, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}
