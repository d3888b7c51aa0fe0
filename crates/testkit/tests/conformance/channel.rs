//! Two adapters of a channel within the process: one replies and carries HTTP headers, one does
//! not and carries a string map. The fault, if any, is a const parameter.

use bytes::Bytes;
use dynamo_trace_core::received::{Consumer, Delivery};
use dynamo_trace_core::{
    Carrier, CarrierMut, Ending, Field, Instrumentation, Received, SpanGuard, Trust,
};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work, WorkError};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

pub(crate) const SOUND: u8 = 0;
pub(crate) const DROPS_TRACESTATE: u8 = 1;
pub(crate) const MIXES_MESSAGES: u8 = 2;
pub(crate) const LEAKS_CONTEXT: u8 = 3;
pub(crate) const NEVER_ENDS: u8 = 4;
pub(crate) const HIDES_FAILURES: u8 = 5;
pub(crate) const ATTACHES_ONCE: u8 = 6;
pub(crate) const CHANGES_PAYLOADS: u8 = 7;
pub(crate) const INJECTS_ONLY_IF_RECORDING: u8 = 8;
pub(crate) const TAKES_ANY_BUDGET: u8 = 9;
pub(crate) const READS_THE_FIRST_VALUE: u8 = 10;
pub(crate) const CASE_SENSITIVE: u8 = 11;
pub(crate) const RECORDS_TWICE: u8 = 12;
pub(crate) const RECORDS: u8 = 13;
pub(crate) const KEEPS_THE_CONTEXT: u8 = 14;

type Reply = oneshot::Sender<Result<Bytes, WorkError>>;

struct Message<C> {
    carrier: C,
    payload: Bytes,
    reply: Option<Reply>,
}

/// One channel and its receiving task.
struct Channel<C, const FAULT: u8> {
    messages: mpsc::UnboundedSender<Message<C>>,
    instrumentation: Instrumentation,
    receiver: JoinHandle<()>,
}

impl<C, const FAULT: u8> Channel<C, FAULT>
where
    C: CarrierMut + Clone + Default + Send + 'static,
{
    fn start(handles: &Handles, work: Work) -> Self {
        let instrumentation = handles.instrumentation();
        let (messages, mut incoming) = mpsc::unbounded_channel::<Message<C>>();
        let consumer = Arc::new(Consuming(instrumentation.clone()));
        let receiver = tokio::spawn(async move {
            let mut running = JoinSet::new();
            let last: Mutex<Option<C>> = Mutex::default();
            while let Some(mut message) = incoming.recv().await {
                if FAULT == MIXES_MESSAGES {
                    let other = last.lock().unwrap().replace(message.carrier.clone());
                    message.carrier = other.unwrap_or(message.carrier);
                }
                running.spawn(receive::<C, FAULT>(message, consumer.clone(), work.clone()));
            }
        });
        Self {
            messages,
            instrumentation,
            receiver,
        }
    }

    fn begin(&self, kind: SpanKind) -> (SpanGuard, C) {
        let parent = Context::current();
        let builder = SpanBuilder::from_name("send").with_kind(kind);
        if FAULT == RECORDS_TWICE {
            let extra = self.instrumentation.start(builder.clone(), &parent);
            extra.end(Ending::Complete);
        }
        let guard = self.instrumentation.start(builder, &parent);
        let mut carrier = C::default();
        if FAULT != INJECTS_ONLY_IF_RECORDING || guard.is_recording() {
            let propagation = self.instrumentation.propagation();
            propagation.inject(guard.context(), &mut carrier);
        }
        if FAULT == DROPS_TRACESTATE {
            carrier.remove_field(Field::TraceState);
        }
        (guard, carrier)
    }

    fn put(&self, carrier: C, payload: Bytes, reply: Option<Reply>) -> Result<(), String> {
        let message = Message {
            carrier,
            payload,
            reply,
        };
        let sent = self.messages.send(message);
        sent.map_err(|_| "the receiver is gone".to_owned())
    }

    async fn stop(self) {
        self.receiver.abort();
        let _ = self.receiver.await;
    }
}

/// What one message causes; dropped when the caller gives up.
async fn receive<C: Carrier, const FAULT: u8>(
    message: Message<C>,
    consumer: Arc<Consuming>,
    work: Work,
) {
    let propagation = consumer.0.propagation();
    let trust = match FAULT {
        TAKES_ANY_BUDGET => Trust::trusted().max_bytes(usize::MAX),
        _ => Trust::trusted(),
    };
    let remote = match FAULT {
        READS_THE_FIRST_VALUE => propagation.remote(&First(&message.carrier), &trust),
        CASE_SENSITIVE => propagation.remote(&Lowercase(&message.carrier), &trust),
        _ => propagation.remote(&message.carrier, &trust),
    };
    let payload = match FAULT {
        CHANGES_PAYLOADS if message.payload.len() > 1024 => message.payload.slice(1..),
        _ => message.payload,
    };
    let received = Received::new(payload, remote, Delivery::default(), consumer.clone());
    let working = async {
        match FAULT {
            LEAKS_CONTEXT => {
                let (payload, guard) = received.start();
                std::mem::forget(guard.context().clone().attach());
                guard.run(work.run(payload)).await
            }
            NEVER_ENDS => {
                let (payload, guard) = received.start();
                let guard = std::mem::ManuallyDrop::new(guard);
                let context = guard.context().clone();
                InContext(context, Box::pin(work.run(payload)), true).await
            }
            HIDES_FAILURES => received.process(|payload| work.run(payload)).await,
            ATTACHES_ONCE => {
                let (payload, guard) = received.start();
                let context = guard.context().clone();
                let result = InContext(context, Box::pin(work.run(payload)), false).await;
                guard.end(Ending::Complete);
                result
            }
            _ => received.try_process(|payload| work.run(payload)).await,
        }
    };
    match message.reply {
        None => drop(working.await),
        Some(mut reply) => tokio::select! {
            result = working => drop(reply.send(result)),
            () = reply.closed() => {}
        },
    }
}

struct Consuming(Instrumentation);

impl Consumer<Bytes> for Consuming {
    fn span(&self, _: &Bytes) -> SpanBuilder {
        SpanBuilder::from_name("process").with_kind(SpanKind::Consumer)
    }

    fn instrumentation(&self) -> &Instrumentation {
        &self.0
    }
}

/// The naive way to run a future in a context: at its first poll, or at every one.
struct InContext<F>(Context, std::pin::Pin<Box<F>>, bool);

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<F::Output> {
        let current = self.0.clone().attach();
        if !self.2 {
            self.0 = Context::new();
        }
        let polled = self.1.as_mut().poll(cx);
        drop(current);
        polled
    }
}

/// Sees one value of each field.
struct First<'c, C>(&'c C);

impl<C: Carrier> Carrier for First<'_, C> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.0.values_of(field).take(1)
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.0.field_names()
    }
}

/// Sees fields in lowercase only.
struct Lowercase<'c, C>(&'c C);

impl<C: Carrier> Carrier for Lowercase<'_, C> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        let found = self.0.field_names().any(|name| name == field.name());
        let values = found.then(|| self.0.values_of(field));
        values.into_iter().flatten()
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.0.field_names()
    }
}

/// Call and reply, with HTTP headers.
pub(crate) struct Replying<const FAULT: u8>(Channel<HeaderMap, FAULT>);

impl<const FAULT: u8> Replying<FAULT> {
    async fn call(&self, carrier: HeaderMap, payload: Bytes) -> Result<(), String> {
        let (reply, replied) = oneshot::channel();
        self.0.put(carrier, payload.clone(), Some(reply))?;
        match replied.await {
            Ok(Ok(reply)) if reply == payload => Ok(()),
            Ok(Ok(reply)) => Err(format!("another reply: {reply:?}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl<const FAULT: u8> Harness for Replying<FAULT> {
    const TRAITS: Traits = Traits {
        replies: true,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        Self(Channel::start(&handles, work))
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let (guard, carrier) = self.0.begin(SpanKind::Client);
        let call = self.call(carrier, payload);
        let judge = |result: &Result<(), String>| match result {
            Ok(()) => Ending::Complete,
            Err(_) => Ending::failed("reply"),
        };
        guard.run_judged(call, judge).await
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_bytes(&value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(RawError::Unrepresentable);
            };
            headers.append(name, value);
        }
        self.call(headers, payload).await.map_err(RawError::Failed)
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

/// One way, with a map of strings: one value of a field, and UTF-8 only.
pub(crate) struct OneWay<const FAULT: u8>(Channel<HashMap<String, String>, FAULT>);

impl<const FAULT: u8> Harness for OneWay<FAULT> {
    const TRAITS: Traits = Traits {
        repeated_fields: false,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        Self(Channel::start(&handles, work))
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let (guard, carrier) = self.0.begin(SpanKind::Producer);
        self.0.put(carrier, payload, None)?;
        guard.end(Ending::Complete);
        Ok(())
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let mut map = HashMap::new();
        for (name, value) in fields {
            let value = String::from_utf8(value).map_err(|_| RawError::Unrepresentable)?;
            if map.insert(name, value).is_some() {
                return Err(RawError::Unrepresentable);
            }
        }
        self.0.put(map, payload, None).map_err(RawError::Failed)
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}
