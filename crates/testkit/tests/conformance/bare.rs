//! An adapter that carries the context and makes no spans, as an interceptor does.

use crate::channel::{KEEPS_THE_CONTEXT, RECORDS};
use bytes::Bytes;
use dynamo_trace_core::{Ending, Instrumentation};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, SpanBuilder};
use std::collections::HashMap;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

type Fields = HashMap<String, String>;

pub(crate) struct Bare<const FAULT: u8> {
    messages: mpsc::UnboundedSender<(Fields, Bytes)>,
    instrumentation: Instrumentation,
    receiver: JoinHandle<()>,
}

impl<const FAULT: u8> Bare<FAULT> {
    fn put(&self, fields: Fields, payload: Bytes) -> Result<(), String> {
        let sent = self.messages.send((fields, payload));
        sent.map_err(|_| "the receiver is gone".to_owned())
    }
}

async fn receive<const FAULT: u8>(
    instrumentation: Instrumentation,
    fields: Fields,
    payload: Bytes,
    work: Work,
) {
    let propagation = instrumentation.propagation();
    let mut context = propagation.extract(&Context::new(), &fields);
    if FAULT == KEEPS_THE_CONTEXT {
        context = Context::new();
    }
    let working = work.run(payload);
    let _ = match FAULT {
        RECORDS => {
            let span = instrumentation.start(SpanBuilder::from_name("process"), &context);
            span.run_judged(working, |_| Ending::Complete).await
        }
        _ => working.with_context(context).await,
    };
}

impl<const FAULT: u8> Harness for Bare<FAULT> {
    const TRAITS: Traits = Traits {
        spans: 0,
        repeated_fields: false,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let instrumentation = handles.instrumentation();
        let (messages, mut incoming) = mpsc::unbounded_channel();
        let receiving = instrumentation.clone();
        let receiver = tokio::spawn(async move {
            let mut running = JoinSet::new();
            while let Some((fields, payload)) = incoming.recv().await {
                let instrumentation = receiving.clone();
                running.spawn(receive::<FAULT>(
                    instrumentation,
                    fields,
                    payload,
                    work.clone(),
                ));
            }
        });
        Self {
            messages,
            instrumentation,
            receiver,
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let mut fields = Fields::new();
        let propagation = self.instrumentation.propagation();
        Context::map_current(|current| propagation.inject(current, &mut fields));
        self.put(fields, payload)
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let mut map = Fields::new();
        for (name, value) in fields {
            let value = String::from_utf8(value).map_err(|_| RawError::Unrepresentable)?;
            if map.insert(name, value).is_some() {
                return Err(RawError::Unrepresentable);
            }
        }
        self.put(map, payload).map_err(RawError::Failed)
    }

    async fn stop(self) {
        self.receiver.abort();
        let _ = self.receiver.await;
    }
}
