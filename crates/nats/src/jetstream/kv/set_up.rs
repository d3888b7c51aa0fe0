//! Sets watches up as async-nats does, whose own drop the headers.

use super::attributes::{Operation, watched};
use super::{Store, Watch};
use async_nats::jetstream::consumer::push::OrderedConfig;
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy, StreamErrorKind};
use async_nats::jetstream::kv::{WatchError, WatchErrorKind};
use async_nats::jetstream::stream::ConsumerErrorKind;

impl Store {
    pub(super) async fn watch_one(
        &self,
        key: &str,
        policy: DeliverPolicy,
    ) -> Result<Watch, WatchError> {
        let config = OrderedConfig {
            filter_subject: format!("{}{key}", self.inner.prefix),
            ..self.watch_config(policy)
        };
        // Some pattern may be registered for a part of all that.
        let key = Some(key).filter(|key| !key.ends_with('>'));
        self.watch_with(key, config).await
    }

    pub(super) async fn watch_several<T, K>(
        &self,
        keys: K,
        policy: DeliverPolicy,
    ) -> Result<Watch, WatchError>
    where
        T: AsRef<str>,
        K: IntoIterator<Item = T>,
    {
        let subject = |key: T| format!("{}{}", self.inner.prefix, key.as_ref());
        let config = OrderedConfig {
            filter_subjects: keys.into_iter().map(subject).collect(),
            ..self.watch_config(policy)
        };
        self.watch_with(None, config).await
    }

    /// That of async-nats.
    fn watch_config(&self, deliver_policy: DeliverPolicy) -> OrderedConfig {
        OrderedConfig {
            deliver_subject: self.context.client().new_inbox(),
            description: Some("kv watch consumer".to_owned()),
            replay_policy: ReplayPolicy::Instant,
            deliver_policy,
            ..Default::default()
        }
    }

    async fn watch_with(
        &self,
        key: Option<&str>,
        config: OrderedConfig,
    ) -> Result<Watch, WatchError> {
        let guard = self.bucket.start(Operation::Watch, key);
        guard.run_judged(self.set_up(config), watched).await
    }

    async fn set_up(&self, config: OrderedConfig) -> Result<Watch, WatchError> {
        let consumer = self.inner.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| match error.kind() {
            ConsumerErrorKind::TimedOut => WatchError::new(WatchErrorKind::TimedOut),
            _ => WatchError::with_source(WatchErrorKind::Other, error),
        })?;
        let info = consumer.cached_info();
        let (created, seen_current) = (info.created, info.num_pending == 0);
        let messages = consumer
            .messages()
            .await
            .map_err(|error| match error.kind() {
                StreamErrorKind::TimedOut => WatchError::new(WatchErrorKind::TimedOut),
                StreamErrorKind::Other => WatchError::with_source(WatchErrorKind::Other, error),
            })?;
        Ok(Watch::new(
            messages,
            self.bucket.clone(),
            created,
            seen_current,
        ))
    }
}
