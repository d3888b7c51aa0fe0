//! Endpoints come and go while the client works: which there are, spans have to know.

use crate::attributes::{DEFAULT_PORT, SERVER_ADDRESS, SERVER_PORT};
use http::{Request, Response, Uri};
use opentelemetry::{KeyValue, StringValue};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use tokio::sync::mpsc::{Receiver, Sender};
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::transport::channel::Change;
use tower_service::Service;

/// The endpoints of a client.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    endpoints: Mutex<Vec<Uri>>,
    only: RwLock<Option<Server>>,
}

/// What a span says of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    host: StringValue,
    port: Option<u16>,
}

impl Servers {
    /// The server, if there is but one: of several the channel does not tell which one took the
    /// call.
    pub(crate) fn only(&self) -> Option<Server> {
        let only = self.only.read().unwrap_or_else(PoisonError::into_inner);
        only.clone()
    }

    fn change(&self, change: &Change<Uri, Endpoint>) {
        let mut endpoints = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (Change::Insert(uri, _) | Change::Remove(uri)) = change;
        // As tonic does it: what was inserted before is replaced.
        endpoints.retain(|known| known != uri);
        if let Change::Insert(uri, _) = change {
            endpoints.push(uri.clone());
        }
        let only = match &endpoints[..] {
            [only] => Server::of(only),
            _ => None,
        };
        *self.only.write().unwrap_or_else(PoisonError::into_inner) = only;
    }
}

impl Server {
    fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?;
        let host = authority.host();
        let port = match (authority.port_u16(), uri.scheme_str()) {
            (Some(port), _) => port,
            (None, Some("https")) => 443,
            (None, _) => 80,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            // Shared, so that a span copies no text.
            host: Arc::<str>::from(host).into(),
            port: (port != DEFAULT_PORT).then_some(port),
        })
    }

    pub(crate) fn attributes(self) -> impl Iterator<Item = KeyValue> {
        let port = self.port.map(i64::from);
        let port = port.map(|port| KeyValue::new(SERVER_PORT, port));
        [KeyValue::new(SERVER_ADDRESS, self.host)]
            .into_iter()
            .chain(port)
    }
}

/// Passes changes of the endpoints on to the balanced channel inside, and takes note of them:
/// before the next call, since a channel applies them then. A call that begins while they change
/// may name the server that was the only one.
#[derive(Clone, Debug)]
pub(super) struct Managed<S> {
    inner: S,
    servers: Arc<Servers>,
    changes: Arc<Mutex<Receiver<Change<Uri, Endpoint>>>>,
    connect: Sender<Change<Uri, Endpoint>>,
}

impl<S> Managed<S> {
    pub(super) fn new(
        inner: S,
        servers: Arc<Servers>,
        changes: Receiver<Change<Uri, Endpoint>>,
        connect: Sender<Change<Uri, Endpoint>>,
    ) -> Self {
        Self {
            inner,
            servers,
            changes: Arc::new(Mutex::new(changes)),
            connect,
        }
    }

    fn pass_changes_on(&self) {
        let changes = self.changes.lock();
        let mut changes = changes.unwrap_or_else(PoisonError::into_inner);
        // What finds no room stays here, as it would stay with who sends it.
        while let Ok(room) = self.connect.try_reserve() {
            let Ok(change) = changes.try_recv() else {
                return;
            };
            self.servers.change(&change);
            room.send(change);
        }
    }
}

impl<S> Service<Request<Body>> for Managed<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.pass_changes_on();
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(uri: &str) -> Change<Uri, Endpoint> {
        Change::Insert(uri.parse().unwrap(), uri.parse().unwrap())
    }

    fn remove(uri: &str) -> Change<Uri, Endpoint> {
        Change::Remove(uri.parse().unwrap())
    }

    /// What is named after these changes.
    fn named<const N: usize>(changes: [Change<Uri, Endpoint>; N]) -> Option<String> {
        let servers = Servers::default();
        for change in &changes {
            servers.change(change);
        }
        let Server { host, port } = servers.only()?;
        Some(match port {
            Some(port) => format!("{host} {port}"),
            None => host.to_string(),
        })
    }

    #[test]
    fn only_a_single_endpoint_is_named() {
        assert_eq!(named([]), None);
        let only = |uri| named([insert(uri)]).unwrap();
        assert_eq!(only("http://localhost:2379"), "localhost");
        assert_eq!(only("http://[::1]:2380"), "::1 2380");
        assert_eq!(only("http://etcd.example"), "etcd.example 80");
        assert_eq!(only("https://etcd.example"), "etcd.example 443");
        let (a, b) = ("http://a:2379", "http://b:2379");
        assert_eq!(named([insert(a), insert(b)]), None);
        assert_eq!(named([insert(a), insert(a)]).unwrap(), "a");
        assert_eq!(named([insert(a), insert(b), remove(a)]).unwrap(), "b");
        // Not what was added, to tonic neither.
        assert_eq!(named([insert(a), insert(b), remove("a:2379")]), None);
        assert_eq!(named([insert(a), remove(a)]), None);
    }
}
