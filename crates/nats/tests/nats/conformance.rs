//! The suite that every adapter runs, for messages and for requests.

use crate::support::{Server, header_lines, settle};
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use dynamo_trace_nats::{Client, Received, Subscriber};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work, WorkError};
use tokio::task::JoinSet;

const ERROR_CODE: &str = "Nats-Service-Error-Code";

mod events {
    dynamo_trace_testkit::conformance_tests!(super::Events);
}

mod requests {
    dynamo_trace_testkit::conformance_tests!(super::Requests);
}

/// Publish and subscribe.
struct Events(Wire);

/// Request and reply.
struct Requests(Wire);

impl Harness for Events {
    const TRAITS: Traits = Traits::DEFAULT;

    async fn start(handles: Handles, work: Work) -> Self {
        let run = |_: &Client, received: Received<Message>, work: Work| {
            received.try_process(async move |message| work.run(message.payload).await.map(drop))
        };
        Self(Wire::start(handles, work, run).await)
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let sent = self.0.sender.publish("subject", payload).await;
        sent.map_err(|error| error.to_string())
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        self.0.send_raw("subject", &fields, &payload).await
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

impl Harness for Requests {
    const TRAITS: Traits = Traits {
        replies: true,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let run = |nats: &Client, received: Received<Message>, work: Work| {
            let nats = nats.clone();
            received.try_process(async move |request| answer(&nats, &request, &work).await)
        };
        Self(Wire::start(handles, work, run).await)
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        self.0.request(payload).await
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        self.0
            .send_raw("subject _INBOX.raw", &fields, &payload)
            .await
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

async fn answer(nats: &Client, request: &Message, work: &Work) -> Result<(), WorkError> {
    let output = work.run(request.payload.clone()).await;
    let sent = match &output {
        Ok(payload) => nats.reply(request, payload.clone()).await,
        Err(WorkError) => {
            let mut headers = HeaderMap::new();
            headers.append(ERROR_CODE, "500");
            nats.reply_with_headers(request, headers, Bytes::new())
                .await
        }
    };
    sent.unwrap();
    output.map(drop)
}

/// Two clients of a server, of which one receives on `subject`.
pub(crate) struct Wire {
    server: Server,
    sender: Client,
    pub(crate) receiver: Client,
    pub(crate) receiving: JoinSet<()>,
}

impl Wire {
    async fn start<F>(
        handles: Handles,
        work: Work,
        run: impl Fn(&Client, Received<Message>, Work) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), WorkError>> + Send + 'static,
    {
        let mut wire = Self::connect(&handles).await;
        let receiver = wire.receiver.clone();
        let subscriber = receiver.subscribe("subject").await.unwrap();
        settle(&receiver).await;
        let receive = receive(subscriber, move |received| {
            run(&receiver, received, work.clone())
        });
        wire.receiving.spawn(receive);
        wire
    }

    /// Nothing is received yet.
    pub(crate) async fn connect(handles: &Handles) -> Self {
        let server = Server::start().await;
        let connect = async || {
            Client::new(server.connect().await)
                .with_tracer_provider(&handles.provider)
                .with_propagation(handles.propagation.clone())
        };
        Self {
            sender: connect().await,
            receiver: connect().await,
            receiving: JoinSet::new(),
            server,
        }
    }

    /// Fails as the reply says.
    pub(crate) async fn request(&self, payload: Bytes) -> Result<(), String> {
        let reply = self.sender.request("subject", payload.clone()).await;
        let reply = reply.map_err(|error| error.to_string())?;
        let headers = reply.headers.unwrap_or_default();
        if headers.get_all(ERROR_CODE).next().is_some() {
            return Err("the work failed".to_owned());
        }
        match reply.payload == payload {
            true => Ok(()),
            false => Err("another reply".to_owned()),
        }
    }

    pub(crate) async fn send_raw(
        &self,
        to: &str,
        fields: &[(String, Vec<u8>)],
        payload: &[u8],
    ) -> Result<(), RawError> {
        let lines = header_lines(fields)?;
        self.server.publish_raw(to, &lines, payload).await;
        Ok(())
    }

    pub(crate) async fn stop(mut self) {
        self.receiving.shutdown().await;
    }
}

/// Several messages at a time.
async fn receive<F>(mut subscriber: Subscriber, run: impl Fn(Received<Message>) -> F)
where
    F: Future<Output = Result<(), WorkError>> + Send + 'static,
{
    let mut running = JoinSet::new();
    while let Some(received) = subscriber.next().await {
        running.spawn(run(received));
    }
}
