//! The conformance suite, over one TCP connection for many messages.
#![expect(
    clippy::unwrap_used,
    reason = "a harness that does not start fails its test"
)]

use bytes::Bytes;
use dynamo_trace_core::{ContextBlock, ContextBlockBuf, Field};
use dynamo_trace_frame::{Codec, Frame};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::codec::{Framed, FramedWrite};

struct FrameHarness {
    codec: Codec,
    sink: Mutex<FramedWrite<TcpStream, Codec>>,
    receiver: JoinHandle<()>,
}

impl Harness for FrameHarness {
    const TRAITS: Traits = Traits {
        // What an entry of the block has beside its value is far less than this.
        max_field_bytes: ContextBlock::MAX_LEN - 512,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let codec = Codec::new()
            .destination("work")
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (far, _) = listener.accept().await.unwrap();
        Self {
            sink: Mutex::new(FramedWrite::new(near, codec.clone())),
            receiver: tokio::spawn(receive(Framed::new(far, codec.clone()), work)),
            codec,
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let mut sink = self.sink.lock().await;
        let sent = self.codec.sender(&mut *sink).send(payload).await;
        sent.map_err(|error| error.to_string())
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let mut block = ContextBlockBuf::default();
        for (name, value) in &fields {
            let known = Field::W3C.into_iter().find(|field| field.name() == name);
            if !block.append(known.unwrap_or(Field::Other(name)), value) {
                return Err(RawError::Unrepresentable);
            }
        }
        let sent = self
            .sink
            .lock()
            .await
            .send(Frame::with_block(payload, block))
            .await;
        sent.map_err(|error| RawError::Failed(error.to_string()))
    }

    async fn stop(self) {
        self.receiver.abort();
        // The work goes with it.
        assert!(self.receiver.await.is_err_and(|error| error.is_cancelled()));
    }
}

/// Works on every message in a task of its own.
async fn receive(mut connection: Framed<TcpStream, Codec>, work: Work) {
    let mut running = JoinSet::new();
    while let Some(received) = connection.next().await {
        let work = work.clone();
        let received = received.unwrap();
        running.spawn(received.try_process(async move |payload| work.run(payload).await));
    }
    running.join_all().await;
}

dynamo_trace_testkit::conformance_tests!(FrameHarness);
