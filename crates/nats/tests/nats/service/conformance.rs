//! The suite that every adapter runs, for the requests of a service.

use super::*;
use crate::conformance::Wire;
use bytes::Bytes;
use dynamo_trace_nats::service::error::Error;
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work, WorkError};
use tokio::task::JoinSet;

dynamo_trace_testkit::conformance_tests!(Services);

struct Services(Wire);

impl Harness for Services {
    const TRAITS: Traits = Traits {
        replies: true,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let mut wire = Wire::connect(&handles).await;
        let (service, endpoint) = serve(&wire.receiver, "subject").await;
        wire.receiving.spawn(async move {
            receive(endpoint, work).await;
            drop(service);
        });
        Self(wire)
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        self.0.request(payload).await
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let to = "subject _INBOX.raw";
        self.0.send_raw(to, &fields, &payload).await
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

/// Several requests at a time.
async fn receive(mut endpoint: Endpoint, work: Work) {
    let mut running = JoinSet::new();
    while let Some(received) = endpoint.next().await {
        let work = work.clone();
        running.spawn(received.process(async move |request| {
            let output = work.run(request.message.payload.clone()).await;
            let response = output.map_err(|WorkError| {
                let status = "the work failed".to_owned();
                Error { status, code: 500 }
            });
            request.respond(response).await.unwrap();
        }));
    }
}
