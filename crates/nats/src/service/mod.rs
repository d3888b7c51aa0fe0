//! NATS services whose requests are traced: [`async_nats::service`] with the same names.
//!
//! [`Client::service_builder`](crate::Client::service_builder) starts a [`Service`]. Its
//! [`Endpoint`](endpoint::Endpoint) gives each request as a
//! [`Received<Request>`](crate::Received), which reads as async-nats' own: who only responds
//! changes no line, and has no span. [`process`](crate::Received::process) starts the SERVER span
//! `process {subject}`, named after the subject or pattern of the endpoint with the prefixes of
//! its groups. The span ends with the work. An error that is responded ends it as failed, with
//! the code as `error.type` (`_OTHER` beyond five digits), whatever becomes of the work.
//!
//! A response carries the current context in its headers, and has no span of its own. Requests to
//! `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` are answered by async-nats, without spans; what they
//! say is what async-nats counts.
//!
//! | attribute | value |
//! |---|---|
//! | `messaging.system` | `nats` |
//! | `messaging.operation.name`, `messaging.operation.type` | `process` |
//! | `messaging.destination.name` | the request's subject |
//! | `messaging.destination.template` | the endpoint's subject, if it is a pattern |
//! | `messaging.consumer.group.name` | the endpoint's queue group |
//! | `messaging.message.body.size` | bytes of the request's payload |
//! | `messaging.nats.service.name`, `.version` | those of the service |
//! | `messaging.nats.service.endpoint` | the endpoint's name |
//!
//! ```no_run
//! use dynamo_trace_nats::Client;
//! use dynamo_trace_nats::service::error::Error;
//!
//! # async fn example() -> Result<(), async_nats::Error> {
//! let nats = Client::new(async_nats::connect("localhost").await?);
//! let service = nats.service_builder().start("prices", "1.0.0").await?;
//! let mut quotes = service.group("v1").endpoint("quotes").await?;
//! while let Some(received) = quotes.next().await {
//!     received
//!         .process(|request| async move {
//!             if request.message.payload.is_empty() {
//!                 let status = "no symbol".to_owned();
//!                 return request.respond(Err(Error { status, code: 400 })).await;
//!             }
//!             request.respond(Ok("42".into())).await
//!         })
//!         .await?;
//! }
//! # Ok(())
//! # }
//! ```

mod builder;
pub mod endpoint;
mod endpoint_builder;
mod group;
mod instance;
mod request;
mod scope;

pub use async_nats::service::{
    Config, Info, NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, PingResponse, Stats, StatsHandler,
    Verb, error,
};
pub use builder::ServiceBuilder;
pub use endpoint_builder::EndpointBuilder;
pub use group::Group;
pub use instance::Service;
pub use request::Request;
