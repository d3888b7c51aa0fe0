use crate::companion::{Companions, WithCompanions};
use crate::semantics::Etcd;
use dynamo_trace_http::Client;
use dynamo_trace_http::engine::{Custom, ResponseBody, TraceLayer};
use etcd_client::{BalancedChannelBuilder, Channel};
use http::{Request, Response, Uri};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use tonic::body::Body;
use tonic::transport::channel::Change;
use tonic::transport::{Channel as TonicChannel, Endpoint};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};
use tower_layer::Layer;
use tower_service::Service;

/// The layer of a client.
pub(crate) type EtcdLayer = TraceLayer<Client, Etcd, Custom<Etcd>>;

/// What lies around the channel of an etcd client: the spans, and under them the companions.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) layer: EtcdLayer,
    pub(crate) companions: Arc<Companions>,
}

impl Traced {
    pub(crate) fn around<S>(self, channel: S) -> Channel
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError> + Send,
        S::Future: Send,
    {
        let service = WithCompanions::new(channel, self.companions);
        let service = self.layer.layer(service).map_response(box_body);
        Channel::Custom(BoxCloneSyncService::new(service.map_err(Into::into)))
    }
}

fn box_body(response: Response<ResponseBody<Body, EtcdLayer>>) -> Response<Body> {
    response.map(Body::new)
}

impl BalancedChannelBuilder for Traced {
    type Error = etcd_client::Error;

    fn balanced_channel(
        self,
        buffer_size: usize,
    ) -> Result<(Channel, Sender<Change<Uri, Endpoint>>), Self::Error> {
        let (channel, endpoints) = TonicChannel::balance_channel(buffer_size);
        Ok((self.around(channel), endpoints))
    }
}
