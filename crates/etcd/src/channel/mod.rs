//! The channel that everything goes through, from the caller down to the connections:
//!
//! - [`observed`]: what no span is made of: the template that the key matches ([`templates`]), and
//!   the answers to keep-alives ([`keep_alive`]).
//! - the layer that makes the spans.
//! - companions.
//! - [`endpoints`]: which endpoints there are at this moment.

mod endpoints;
mod keep_alive;
mod messages;
mod observed;
mod request;
mod templates;

pub use keep_alive::KeepAliveFailures;
pub(crate) use {
    endpoints::{Server, Servers},
    keep_alive::KeepAlives,
    templates::{Template, Templates},
};

use crate::companion::{Companions, WithCompanions};
use crate::semantics::Etcd;
use dynamo_trace_http::Client;
use dynamo_trace_http::engine::{Custom, TraceLayer};
use endpoints::Managed;
use etcd_client::{BalancedChannelBuilder, Channel};
use http::{Request, Response, Uri};
use observed::Observed;
use std::sync::Arc;
use tokio::sync::mpsc::{Sender, channel};
use tonic::body::Body;
use tonic::transport::channel::Change;
use tonic::transport::{Channel as TonicChannel, Endpoint};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};
use tower_layer::Layer;
use tower_service::Service;

/// The layer of a client.
pub(crate) type EtcdLayer = TraceLayer<Client, Etcd, Custom<Etcd>>;

/// What lies around the channel of an etcd client.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) layer: EtcdLayer,
    pub(crate) companions: Arc<Companions>,
    pub(crate) servers: Arc<Servers>,
    pub(crate) templates: Option<Templates>,
    pub(crate) keep_alives: Arc<KeepAlives>,
}

impl Traced {
    pub(crate) fn around<S>(self, channel: S) -> Channel
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError> + Send,
        S::Future: Send,
    {
        let service = WithCompanions::new(channel, self.companions);
        let service = self.layer.layer(service);
        let service = Observed::new(service, self.templates, self.keep_alives);
        Channel::Custom(BoxCloneSyncService::new(service.map_err(Into::into)))
    }
}

impl BalancedChannelBuilder for Traced {
    type Error = etcd_client::Error;

    fn balanced_channel(
        self,
        buffer_size: usize,
    ) -> Result<(Channel, Sender<Change<Uri, Endpoint>>), Self::Error> {
        let (balanced, connect) = TonicChannel::balance_channel(buffer_size);
        let (endpoints, changes) = channel(buffer_size);
        let managed = Managed::new(balanced, Arc::clone(&self.servers), changes, connect);
        Ok((self.around(managed), endpoints))
    }
}
