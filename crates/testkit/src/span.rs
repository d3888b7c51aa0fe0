//! A span as it was received: every OTLP field, in plain types.

use std::{fmt, sync::Arc, time::Duration};

use crate::value::{Attributes, Value};

/// W3C trace flags: the low eight bits of the OTLP `flags` field.
const TRACE_FLAGS: u32 = 0xff;
/// Whether [`REMOTE`] is known (OTLP `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`).
const REMOTE_KNOWN: u32 = 0x100;
/// Whether the parent or linked context came from another process.
const REMOTE: u32 = 0x200;

/// A finished span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// The trace; never all zeros when received.
    pub trace_id: [u8; 16],
    /// The span within the trace; never all zeros when received.
    pub span_id: [u8; 8],
    /// The parent; `None` in a root span.
    pub parent_span_id: Option<[u8; 8]>,
    /// The W3C `tracestate` of the span, as sent.
    pub trace_state: String,
    /// OTLP span flags: W3C trace flags in bits 0-7, "parent is remote" in bits 8-9.
    pub flags: u32,
    /// The span name.
    pub name: String,
    /// The role of the span.
    pub kind: SpanKind,
    /// The start, in nanoseconds since the Unix epoch.
    pub start_unix_nanos: u64,
    /// The end, in nanoseconds since the Unix epoch.
    pub end_unix_nanos: u64,
    /// The attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
    /// The events.
    pub events: Vec<Event>,
    /// How many events the sender dropped.
    pub dropped_events: u32,
    /// The links.
    pub links: Vec<Link>,
    /// How many links the sender dropped.
    pub dropped_links: u32,
    /// The status.
    pub status: Status,
    /// What produced the span: shared by the spans of one export.
    pub resource: Arc<Resource>,
    /// The instrumentation scope: shared by the spans of one export.
    pub scope: Arc<Scope>,
}

impl Span {
    /// The `service.name` of the resource; empty if there is none.
    pub fn service(&self) -> &str {
        let name = self.resource.attributes.get("service.name");
        name.and_then(Value::as_str).unwrap_or_default()
    }

    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.get(key)
    }

    /// The time from start to end; zero if the clock went backwards.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_unix_nanos.saturating_sub(self.start_unix_nanos))
    }

    /// The W3C trace flags.
    pub fn trace_flags(&self) -> u8 {
        trace_flags(self.flags)
    }

    /// Whether the parent came from another process; `None` if the sender did not say.
    pub fn has_remote_parent(&self) -> Option<bool> {
        is_remote(self.flags)
    }

    /// Whether the status is an error.
    pub fn is_error(&self) -> bool {
        self.status.code == StatusCode::Error
    }

    /// Whether `parent` is the parent of this span.
    pub fn is_child_of(&self, parent: &Span) -> bool {
        self.trace_id == parent.trace_id && self.parent_span_id == Some(parent.span_id)
    }

    /// Whether one of the links points at `other`.
    pub fn is_linked_to(&self, other: &Span) -> bool {
        let id = (other.trace_id, other.span_id);
        self.links
            .iter()
            .any(|link| (link.trace_id, link.span_id) == id)
    }
}

/// The role of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// Not set, or a value that OTLP does not define.
    #[default]
    Unspecified,
    /// Work inside of an application.
    Internal,
    /// The handling of a remote request.
    Server,
    /// A request to a remote service.
    Client,
    /// The sending of a message.
    Producer,
    /// The receiving or processing of a message.
    Consumer,
}

impl SpanKind {
    /// The name in capitals: `SERVER`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }
}

impl fmt::Display for SpanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that happened at one moment of a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The moment, in nanoseconds since the Unix epoch.
    pub time_unix_nanos: u64,
    /// The event name.
    pub name: String,
    /// The attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
}

/// A pointer from a span to another one, perhaps in another trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// The trace of the linked span.
    pub trace_id: [u8; 16],
    /// The linked span.
    pub span_id: [u8; 8],
    /// The W3C `tracestate` of the linked context.
    pub trace_state: String,
    /// OTLP link flags: W3C trace flags in bits 0-7, "context is remote" in bits 8-9.
    pub flags: u32,
    /// The attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
}

impl Link {
    /// The W3C trace flags.
    pub fn trace_flags(&self) -> u8 {
        trace_flags(self.flags)
    }

    /// Whether the linked context came from another process; `None` if the sender did not say.
    pub fn is_remote(&self) -> Option<bool> {
        is_remote(self.flags)
    }
}

/// How a span ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The outcome.
    pub code: StatusCode,
    /// A description of the error.
    pub message: String,
}

/// The outcome of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// Nobody said, or a value that OTLP does not define.
    #[default]
    Unset,
    /// Somebody judged it a success.
    Ok,
    /// It failed.
    Error,
}

/// What produced telemetry: a process, its host, its service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// The attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
    /// The schema of the resource; empty if not set.
    pub schema_url: String,
}

/// The library that made a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The name; empty if not set.
    pub name: String,
    /// The version; empty if not set.
    pub version: String,
    /// The attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes: u32,
    /// The schema of the scope and its spans; empty if not set.
    pub schema_url: String,
}

fn trace_flags(flags: u32) -> u8 {
    u8::try_from(flags & TRACE_FLAGS).unwrap_or_default()
}

fn is_remote(flags: u32) -> Option<bool> {
    (flags & REMOTE_KNOWN != 0).then_some(flags & REMOTE != 0)
}
