//! The suite that every adapter runs, over streams with pull and with push consumers.

use crate::support::{Server, settle};
use async_nats::jetstream::consumer::{pull, push};
use async_nats::jetstream::stream;
use bytes::Bytes;
use dynamo_trace_nats::jetstream::{Context, Messages};
use dynamo_trace_nats::{Client, jetstream};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use futures_core::Stream;
use tokio::task::{JoinHandle, JoinSet};

mod pulled {
    dynamo_trace_testkit::conformance_tests!(super::Pulled);
}

mod pushed {
    dynamo_trace_testkit::conformance_tests!(super::Pushed);
}

struct Pulled(Wire);

struct Pushed(Wire);

impl Harness for Pulled {
    const TRAITS: Traits = Traits::DEFAULT;

    async fn start(handles: Handles, work: Work) -> Self {
        let messages = async |stream: jetstream::Stream, _: &Client| {
            let consumer = stream.create_consumer(pull::Config::default());
            consumer.await.unwrap().messages().await.unwrap()
        };
        Self(Wire::start(handles, work, messages).await)
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        self.0.send(payload).await
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        self.0.send_raw(&fields, &payload).await
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

impl Harness for Pushed {
    const TRAITS: Traits = Traits::DEFAULT;

    async fn start(handles: Handles, work: Work) -> Self {
        let messages = async |stream: jetstream::Stream, nats: &Client| {
            let consumer = stream.create_consumer(push::Config {
                deliver_subject: nats.new_inbox(),
                ..Default::default()
            });
            let messages = consumer.await.unwrap().messages().await.unwrap();
            settle(nats).await;
            messages
        };
        Self(Wire::start(handles, work, messages).await)
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        self.0.send(payload).await
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        self.0.send_raw(&fields, &payload).await
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

struct Wire {
    server: Server,
    sender: Context,
    receiver: JoinHandle<()>,
}

impl Wire {
    async fn start<S, E>(
        handles: Handles,
        work: Work,
        messages: impl AsyncFnOnce(jetstream::Stream, &Client) -> Messages<S>,
    ) -> Self
    where
        S: Stream<Item = Result<async_nats::jetstream::Message, E>> + Send + Unpin + 'static,
        E: std::fmt::Debug + 'static,
    {
        let server = Server::start().await;
        let connect = async || {
            Client::new(server.connect().await)
                .with_tracer_provider(&handles.provider)
                .with_propagation(handles.propagation.clone())
        };
        let (sender, receiver) = (connect().await, connect().await);
        let config = stream::Config {
            name: "STREAM".to_owned(),
            subjects: vec!["subject".to_owned()],
            storage: stream::StorageType::Memory,
            ..Default::default()
        };
        let stream = jetstream::new(&receiver).create_stream(config).await;
        let messages = messages(stream.unwrap(), &receiver).await;
        Self {
            sender: jetstream::new(&sender),
            receiver: tokio::spawn(receive(messages, work)),
            server,
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let ack = self.sender.publish("subject", payload).await;
        let ack = ack.map_err(|error| error.to_string())?;
        // The work may begin before the acknowledgement is in: one that is given up then is to be
        // complete all the same.
        let ack = tokio::spawn(ack.into_future()).await.unwrap();
        ack.map(drop).map_err(|error| error.to_string())
    }

    async fn send_raw(&self, fields: &[(String, Vec<u8>)], payload: &[u8]) -> Result<(), RawError> {
        let lines = crate::support::header_lines(fields)?;
        self.server.publish_raw("subject", &lines, payload).await;
        Ok(())
    }

    async fn stop(self) {
        // Those of sends that were given up.
        self.sender.wait_for_acks().await;
        self.receiver.abort();
        let _ = self.receiver.await;
    }
}

/// Several messages at a time.
async fn receive<S, E>(mut messages: Messages<S>, work: Work)
where
    S: Stream<Item = Result<async_nats::jetstream::Message, E>> + Unpin,
    E: std::fmt::Debug,
{
    let mut running = JoinSet::new();
    while let Some(received) = messages.next().await {
        let work = work.clone();
        running.spawn(received.unwrap().try_process(async move |message| {
            let output = work.run(message.payload.clone()).await.map(drop);
            message.ack().await.unwrap();
            output
        }));
    }
}
