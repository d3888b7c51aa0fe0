mod attributes;
mod counts;
mod error;
mod event;
mod span;

pub use counts::BrokerCounts;

use crate::Client;
use crate::settings::Settings;
use async_nats::ToSubject;
use async_nats::client::SubscribeError;
use futures_core::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Those who turn the same events into spans share them: each becomes one span.
const QUEUE_GROUP: &str = "dynamo-trace";

/// # What the broker did
///
/// A server of version 2.11 or later tells what it did with a message whose `traceparent` is
/// sampled, if the account wants that; [`broker_spans`](Self::broker_spans) makes spans of it.
impl Client {
    /// Subscribes to the trace events that servers send to `destination`. Await the
    /// [`BrokerSpans`], in a task of its own, to make spans of them.
    ///
    /// The spans are of this client's tracer, propagation, [trust](Self::with_trust) and
    /// [templates](Self::with_subject_templates). It is one of a queue group `dynamo-trace`, so
    /// that any number of processes may do this: each event becomes one span.
    ///
    /// # Errors
    ///
    /// As [`async_nats::Client::queue_subscribe`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes subscribes to nothing.
    ///
    /// ```no_run
    /// # async fn example(nats: dynamo_trace_nats::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// tokio::spawn(nats.broker_spans("trace.broker").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn broker_spans<S: ToSubject>(
        &self,
        destination: S,
    ) -> Result<BrokerSpans, SubscribeError> {
        let client: &async_nats::Client = self;
        let group = QUEUE_GROUP.to_owned();
        Ok(BrokerSpans {
            events: client.queue_subscribe(destination, group).await?,
            settings: self.settings().clone(),
            counts: BrokerCounts::default(),
        })
    }
}

/// Makes spans of what servers tell of the messages that they handled: a future that is done when
/// the subscription or the client ends. See [`Client::broker_spans`].
///
/// # Spans
///
/// Each server that handles a message gives one span `relay {subject}` of kind INTERNAL, a child
/// of the span that published it. It starts when the server has read the message, and ends with
/// the last thing that the server tells of it, by the server's clock: that may be before the
/// publish began, where clocks differ. It does not say when a subscriber had the message.
///
/// What lies between are points of time, and so they are events of the span:
///
/// | event | the message |
/// |---|---|
/// | `nats.subject_mapping` | has a new subject |
/// | `nats.stream_export`, `nats.service_import` | is in another account |
/// | `nats.stream_store` | is about to be stored by a stream |
/// | `nats.egress` | is given to a subscription, or to another server |
///
/// A span has the server's name, cluster and address, the account, and what it came from
/// (`messaging.nats.peer.kind`: `client`, `route`, `gateway`, `leafnode`). The spans of all
/// servers are siblings, since they come in any order: `messaging.nats.hop` is `1.2` where the
/// message came by the second of the connections over which hop `1` passed it on, and stands on
/// the egress there as well. Names, ids and addresses of clients are left out. Of more than 128
/// points the later ones are left out; `messaging.nats.egress.count` counts all.
///
/// A span fails where the server refused the message, or a stream did not store it (`error.type`,
/// as `permissions_violation` or `max_bytes_exceeded`; `_OTHER` for what is not known). A
/// subscription that did not get it has `error.type` on its event, and the span does not fail. A
/// stream that had the message already (`Nats-Msg-Id`) is no failure: its event has
/// `messaging.nats.message.duplicate`.
///
/// The spans are this process's, as its resource says; a tracer provider of its own gives them
/// another `service.name`:
///
/// ```no_run
/// # async fn example(
/// #     nats: dynamo_trace_nats::Client,
/// #     provider: opentelemetry::trace::noop::NoopTracerProvider,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let spans = nats.with_tracer_provider(&provider).broker_spans("trace.broker").await?;
/// let counts = spans.counts();
/// tokio::spawn(spans);
/// println!("{} spans of brokers", counts.recorded());
/// # Ok(())
/// # }
/// ```
///
/// # On the server
///
/// The account says where events go, and of how many of the sampled messages, in percent:
///
/// ```text
/// accounts {
///   APP {
///     msg_trace: { dest: "trace.broker", sampling: 10 }
///     exports: [ { service: "work", allow_trace: true } ]
///   }
/// }
/// ```
///
/// Across accounts the event goes on only where the exporter of a service, or the importer of a
/// stream, has `allow_trace`. A single message is traced without such an account where it has the
/// header `Nats-Trace-Dest` with the destination; its spans still need a sampled `traceparent`.
///
/// - Whoever publishes needs the permission to publish to the destination as well: without it
///   newer servers (2.15, and patches of earlier ones) **drop the message**, if it is sampled. So
///   whoever may publish in the account may also forge events. They make spans in traces whose
///   ids he knows, and can do no more.
/// - Each server sends one more message for each that it handles: about 600 bytes, with all of
///   its headers, and 100 bytes for each delivery.
/// - Received messages may have `Nats-Trace-Hop` among their headers, or `Nats-Trace-Dest: trace
///   disabled` where the server left the message out. Who publishes those headers again leaves
///   out that message too.
/// - Events of messages with an `Accept-Encoding` header are compressed, and are not read.
///
/// # Cancel safety
///
/// Dropping it unsubscribes. Events that have not been read by then are lost.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct BrokerSpans {
    events: async_nats::Subscriber,
    settings: Arc<Settings>,
    counts: BrokerCounts,
}

impl BrokerSpans {
    /// Counts of what becomes of the events, which go on when this is awaited.
    #[must_use]
    pub fn counts(&self) -> BrokerCounts {
        self.counts.clone()
    }
}

impl Future for BrokerSpans {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Ends also when the task has used up its share: tokio's channels count.
        while let Some(event) = ready!(Pin::new(&mut this.events).poll_next(cx)) {
            this.counts
                .count(span::record(&event.payload, &this.settings));
        }
        Poll::Ready(())
    }
}
