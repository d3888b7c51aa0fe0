use super::scope::Scope;
use super::{Config, Service, endpoint};
use crate::client::Client;
use async_nats::Error;
use async_nats::service::ServiceExt;
use std::collections::HashMap;
use std::fmt;

/// What async-nats takes where no queue group is given.
const DEFAULT_QUEUE_GROUP: &str = "q";

/// # Services
///
/// These hide the methods of [`async_nats::service::ServiceExt`], which need not be in scope. See
/// [`service`](crate::service).
impl Client {
    /// The builder of a service whose requests are traced. It takes the trust, the relation and
    /// the templates of this client.
    ///
    /// ```no_run
    /// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::Error> {
    /// let builder = nats.service_builder().description("what things cost");
    /// let service = builder.start("prices", "1.0.0").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn service_builder(&self) -> ServiceBuilder {
        ServiceBuilder {
            inner: ServiceExt::service_builder(&**self),
            client: self.clone(),
            queue_group: None,
        }
    }

    /// Starts a service whose requests are traced.
    ///
    /// # Errors
    ///
    /// As [`ServiceBuilder::start`].
    ///
    /// # Cancel safety
    ///
    /// As [`ServiceBuilder::start`].
    pub async fn add_service(&self, config: Config) -> Result<Service, Error> {
        let queue_group = queue_group(config.queue_group.clone());
        let scope = Scope::new(self.clone(), &config.name, &config.version, queue_group);
        let inner = ServiceExt::add_service(&**self, config).await?;
        Ok(Service::new(inner, scope))
    }
}

fn queue_group(given: Option<String>) -> String {
    given.unwrap_or_else(|| DEFAULT_QUEUE_GROUP.to_owned())
}

/// An [`async_nats::service::ServiceBuilder`] of a service whose requests are traced.
#[must_use = "a builder does nothing until it starts the service"]
pub struct ServiceBuilder {
    inner: async_nats::service::ServiceBuilder,
    client: Client,
    queue_group: Option<String>,
}

impl ServiceBuilder {
    /// Describes the service.
    pub fn description<S: ToString>(self, description: S) -> Self {
        self.map(|inner| inner.description(description))
    }

    /// Adds data to the statistics of each endpoint, whenever somebody asks for them.
    pub fn stats_handler<F>(self, handler: F) -> Self
    where
        F: FnMut(String, endpoint::Stats) -> serde_json::Value + Send + Sync + 'static,
    {
        self.map(|inner| inner.stats_handler(handler))
    }

    /// Sets what else is told of the service.
    pub fn metadata(self, metadata: HashMap<String, String>) -> Self {
        self.map(|inner| inner.metadata(metadata))
    }

    /// Sets the queue group of the endpoints that have none of their own: `q`, if not said.
    pub fn queue_group<S: ToString>(mut self, queue_group: S) -> Self {
        let queue_group = queue_group.to_string();
        self.queue_group = Some(queue_group.clone());
        self.map(|inner| inner.queue_group(queue_group))
    }

    /// Starts the service: it answers to `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` from now on.
    ///
    /// # Errors
    ///
    /// As [`async_nats::service::ServiceBuilder::start`]: a name with other characters than
    /// letters, digits, `-` and `_`, a version that is not a semantic one, a connection that is
    /// closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes starts no service.
    pub async fn start<N: ToString, V: ToString>(
        self,
        name: N,
        version: V,
    ) -> Result<Service, Error> {
        let (name, version) = (name.to_string(), version.to_string());
        let queue_group = queue_group(self.queue_group);
        let scope = Scope::new(self.client, &name, &version, queue_group);
        let inner = self.inner.start(name, version).await?;
        Ok(Service::new(inner, scope))
    }

    fn map(
        self,
        change: impl FnOnce(async_nats::service::ServiceBuilder) -> async_nats::service::ServiceBuilder,
    ) -> Self {
        Self {
            inner: change(self.inner),
            ..self
        }
    }
}

impl fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBuilder")
            .field("queue_group", &self.queue_group)
            .finish_non_exhaustive()
    }
}
