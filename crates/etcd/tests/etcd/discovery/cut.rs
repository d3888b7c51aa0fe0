use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to a server that can be cut, and mended.
pub(super) struct Cut {
    endpoint: String,
    open: watch::Sender<bool>,
}

impl Cut {
    pub(super) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let open = watch::Sender::new(true);
        let state = open.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut state, server) = (state.subscribe(), server.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = state.wait_for(|open| !open) => {}
                        () = forward(client, server) => {}
                    }
                });
            }
        });
        Self { endpoint, open }
    }

    pub(super) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Closes all connections, and each new one at once.
    pub(super) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(super) fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn forward(mut client: TcpStream, server: String) {
    if let Ok(mut server) = TcpStream::connect(server).await {
        // Whoever goes first, both are closed.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
