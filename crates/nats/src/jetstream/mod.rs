//! JetStream: messages that the server stores.

mod context;

pub use context::Context;

use crate::Client;

/// A context as [`async_nats::jetstream::new`] makes it.
pub fn new(client: &Client) -> Context {
    Context::new(client, async_nats::jetstream::new((**client).clone()))
}

/// A context for another domain, as [`async_nats::jetstream::with_domain`] makes it.
pub fn with_domain(client: &Client, domain: impl AsRef<str>) -> Context {
    let inner = async_nats::jetstream::with_domain((**client).clone(), domain);
    Context::new(client, inner)
}

/// A context with another prefix of the API's subjects, as
/// [`async_nats::jetstream::with_prefix`] makes it.
pub fn with_prefix(client: &Client, prefix: impl AsRef<str>) -> Context {
    let inner = async_nats::jetstream::with_prefix((**client).clone(), prefix.as_ref());
    Context::new(client, inner)
}
