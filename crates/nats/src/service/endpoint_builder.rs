use super::endpoint::Endpoint;
use super::scope::Scope;
use async_nats::Error;
use std::collections::HashMap;

/// An [`async_nats::service::EndpointBuilder`] of an endpoint whose requests are traced.
///
/// ```no_run
/// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), async_nats::Error> {
/// let service = nats.service_builder().start("prices", "1.0.0").await?;
/// let mut quotes = service.endpoint_builder().name("quotes").add("quotes.*").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it adds the endpoint"]
pub struct EndpointBuilder {
    inner: async_nats::service::EndpointBuilder,
    scope: Scope,
    name: Option<String>,
}

impl EndpointBuilder {
    pub(super) const fn new(inner: async_nats::service::EndpointBuilder, scope: Scope) -> Self {
        Self {
            inner,
            scope,
            name: None,
        }
    }

    /// Names the endpoint: else it is called after its subject.
    pub fn name<S: ToString>(self, name: S) -> Self {
        let name = name.to_string();
        Self {
            inner: self.inner.name(name.clone()),
            name: Some(name),
            ..self
        }
    }

    /// Sets what else is told of the endpoint.
    pub fn metadata(self, metadata: HashMap<String, String>) -> Self {
        Self {
            inner: self.inner.metadata(metadata),
            ..self
        }
    }

    /// Sets the queue group: else it is that of the group or service.
    pub fn queue_group<S: ToString>(mut self, queue_group: S) -> Self {
        self.scope.queue_group = queue_group.to_string();
        Self {
            inner: self.inner.queue_group(queue_group),
            ..self
        }
    }

    /// Adds the endpoint: it takes requests from now on. Its subject may be a pattern.
    ///
    /// # Errors
    ///
    /// As [`async_nats::service::EndpointBuilder::add`]: a subject or a queue group that is none,
    /// a connection that is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes adds no endpoint.
    pub async fn add<S: ToString>(self, subject: S) -> Result<Endpoint, Error> {
        let subject = subject.to_string();
        let served = self.scope.endpoint(self.name, &subject);
        let inner = self.inner.add(subject).await?;
        Ok(Endpoint::new(inner, served))
    }
}
