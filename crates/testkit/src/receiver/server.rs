//! The thread that serves.

use std::{io, net::SocketAddr, sync::Arc, thread, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    sync::{oneshot, watch},
    task::JoinSet,
};
use tonic::{
    service::Routes,
    transport::{Server as Http, server::TcpIncoming},
};

use super::{service, store::Store};

/// How long a graceful shutdown waits for open connections.
const GRACE: Duration = Duration::from_secs(2);

/// Listeners on a thread and a runtime of their own, so that a test which blocks its runtime
/// (a synchronous flush, say) still gets its export answered. Dropped, it closes everything.
#[derive(Debug)]
pub(super) struct Server {
    addresses: Vec<SocketAddr>,
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl Server {
    pub(super) async fn start(addresses: Vec<SocketAddr>, store: &Arc<Store>) -> io::Result<Self> {
        let routes = service::routes(store);
        let (stop, stopping) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        let (listening, listened) = oneshot::channel();
        // the runtime lives on that thread only: it may not be dropped inside of another one
        thread::Builder::new()
            .name("otlp-receiver".to_owned())
            .spawn(move || {
                match listen(&addresses) {
                    Ok((runtime, listeners)) => {
                        let addresses = listeners.iter().map(TcpIncoming::local_addr).collect();
                        let _ = listening.send(addresses);
                        runtime.block_on(serve(listeners, routes, stopping));
                    }
                    Err(error) => {
                        let _ = listening.send(Err(error));
                    }
                }
                // every connection ended with the runtime, and the ports are free
                let _ = done.send(());
            })?;
        let addresses = listened.await.map_err(io::Error::other)??;
        Ok(Self {
            addresses,
            stop,
            stopped,
        })
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(super) async fn shutdown(self) {
        let _ = self.stop.send(());
        let _ = self.stopped.await;
    }
}

fn listen(addresses: &[SocketAddr]) -> io::Result<(Runtime, Vec<TcpIncoming>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let listen = |address: &SocketAddr| {
        let incoming = TcpIncoming::bind(*address)?;
        Ok(incoming.with_nodelay(Some(true)))
    };
    let listeners = addresses.iter().map(listen).collect::<io::Result<_>>()?;
    drop(entered);
    Ok((runtime, listeners))
}

/// Until told to stop, then until the connections are done; at once if [`Server`] was dropped.
async fn serve(listeners: Vec<TcpIncoming>, routes: Routes, stopping: oneshot::Receiver<()>) {
    let (close, closed) = watch::channel(());
    let mut servers = JoinSet::new();
    for listener in listeners {
        let mut closed = closed.clone();
        let server = Http::builder()
            .accept_http1(true)
            .add_routes(routes.clone());
        servers.spawn(server.serve_with_incoming_shutdown(listener, async move {
            let _ = closed.changed().await;
        }));
    }
    let graceful = stopping.await.is_ok();
    drop(close);
    if graceful {
        let drained = async { while servers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, drained).await;
    }
}
