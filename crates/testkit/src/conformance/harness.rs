use super::Work;
use bytes::Bytes;
use dynamo_trace_core::{Instrumentation, Propagation};
use opentelemetry::InstrumentationScope;
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::TracerProvider;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// What an adapter under test is built with: never the global provider or propagation, since
/// tests run side by side.
#[derive(Clone, Debug)]
pub struct Handles {
    /// For `with_tracer_provider`.
    pub provider: Provider,
    /// For `with_propagation`.
    pub propagation: Propagation,
}

impl Handles {
    /// The handles as an adapter takes them.
    #[must_use]
    pub fn instrumentation(&self) -> Instrumentation {
        Instrumentation::global(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_tracer_provider(&self.provider)
            .with_propagation(self.propagation.clone())
    }
}

/// A tracer provider: that of an SDK, or none.
#[derive(Clone, Debug)]
pub enum Provider {
    /// Samples as the parent says, and every root.
    Sdk(SdkTracerProvider),
    /// What a process has that installed no SDK.
    None,
}

impl TracerProvider for Provider {
    type Tracer = BoxedTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> BoxedTracer {
        match self {
            Self::Sdk(sdk) => BoxedTracer::new(Box::new(sdk.tracer_with_scope(scope))),
            Self::None => {
                BoxedTracer::new(Box::new(NoopTracerProvider::new().tracer_with_scope(scope)))
            }
        }
    }
}

/// What a transport can do, so that the suite knows what to expect.
///
/// ```
/// use dynamo_trace_testkit::conformance::Traits;
///
/// const TRAITS: Traits = Traits { replies: true, ..Traits::DEFAULT };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    /// [`Harness::send`] completes only after the receiver's work, and fails if that fails; the
    /// sender's span then ends as failed too, and as cancelled when `send` is dropped before.
    pub replies: bool,
    /// How many spans one `send` records, those of the receiver included. Where it is none, the
    /// adapter carries the context alone, and the work runs in the caller's.
    pub spans: usize,
    /// The receiver finds a field in whatever case its name was sent.
    pub case_insensitive: bool,
    /// A message can carry several values of one field.
    pub repeated_fields: bool,
    /// The adapter carries baggage. Where it does not, none may arrive.
    pub baggage: bool,
    /// The most bytes of field values that a message can carry, for transports that bound them
    /// below 32 KiB. Servers under test have to be set up for that much where they can.
    pub max_field_bytes: usize,
}

impl Traits {
    /// One way, a span on either side, fields like those of HTTP.
    pub const DEFAULT: Self = Self {
        replies: false,
        spans: 2,
        case_insensitive: true,
        repeated_fields: true,
        baggage: true,
        max_field_bytes: usize::MAX,
    };
}

impl Default for Traits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An adapter under test, between a sender and a receiver.
pub trait Harness: Sized + Send + Sync + 'static {
    /// What this transport can do.
    const TRAITS: Traits;

    /// Starts sender and receiver, over real sockets and servers. The receiver runs `work` for
    /// each message, in the context that the adapter gives it, several messages at a time.
    ///
    /// Several harnesses run side by side in one process: names, ports, subjects and prefixes
    /// have to be this harness' own. The receiver must be ready for the first message when this
    /// completes.
    fn start(handles: Handles, work: Work) -> impl Future<Output = Self> + Send;

    /// Sends through the adapter, with the caller's current context.
    ///
    /// Where the transport [replies](Traits::replies), the future is an error if the work
    /// failed or if the reply is not the payload, and dropping it gives the call up. It must
    /// not hand the call to a task of its own, which would lose the caller's context.
    fn send(&self, payload: Bytes) -> impl Future<Output = Result<(), String>> + Send;

    /// Sends without the adapter's sender: exactly these fields, in this order, spelt like
    /// this, as a foreign sender would.
    fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> impl Future<Output = Result<(), RawError>> + Send;

    /// Stops the receiver and drops the work that is in progress, connections included. Without
    /// calling [`begin_shutdown`](dynamo_trace_core::span::begin_shutdown), which would count
    /// for every test of the process.
    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// Why [`Harness::send_raw`] could not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    /// No sender on this transport can send such fields. The suite allows it for control
    /// characters, for what is not ASCII, and for what [`Traits`] exclude.
    #[error("the transport cannot carry these fields")]
    Unrepresentable,
    /// The message was not taken.
    #[error("not sent: {0}")]
    Failed(String),
}
