use super::diff::diff;
use super::follow::Follow;
use super::found::Found;
use super::instance::Change;
use super::reader::{Map, View};
use crate::carrier;
use dynamo_trace_core::Remote;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

impl Follow {
    /// Goes over to what was found.
    pub(super) fn catch_up(&self, found: Found) {
        let old = Arc::clone(&self.views.borrow().map);
        let mut map = Map::new();
        let mut writers = HashMap::new();
        for (kv, companion) in found.pairs {
            let (remote, sent_at) = companion.map_or_else(Default::default, |c| self.read(&c));
            let instance = self.noticed(&kv, &remote, sent_at);
            let key = instance.key.clone();
            let known = old.get(&key).filter(|old| instance.is_unchanged_from(old));
            let instance = known.map_or_else(|| Arc::new(instance), Arc::clone);
            map.insert(key.clone(), instance);
            writers.insert(key, (remote, sent_at));
        }
        let receive = |change: Change| {
            let is_put = !matches!(change, Change::Left(_));
            match is_put.then(|| writers.remove(change.key())).flatten() {
                Some((remote, sent_at)) => self.spans.of(change, remote, sent_at),
                None => self.spans.of_old(change),
            }
        };
        let changes = diff(&old, &map).into_iter().map(receive).collect();
        self.publish(changes, |view| {
            *view = View {
                map: Arc::new(map),
                error: None,
            };
        });
    }

    fn read(&self, companion: &[u8]) -> (Remote, Option<SystemTime>) {
        let shared = self.source.etcd.shared();
        let propagation = shared.instrumentation.propagation();
        let read = carrier::read(propagation, &self.source.trust, companion);
        read.unwrap_or_else(|loss| {
            shared.companions.counts().lost(loss);
            (Remote::default(), None)
        })
    }
}
