use super::Answer;
use dynamo_trace_testkit::{Receiver, Span, SpanKind, Tree, analyse};
use std::time::Duration;

/// The boundaries that a complete trace crosses.
pub const CROSSINGS: [&str; 5] = ["http", "grpc", "etcd", "nats", "tcp"];

/// What there is to say of one trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The boundaries that it crosses, in the order of [`CROSSINGS`].
    pub crossings: Vec<&'static str>,
    /// Spans without a parent.
    pub roots: usize,
    /// Spans whose parent did not arrive.
    pub orphans: usize,
}

impl Checked {
    /// One root, no orphan, all crossings.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.roots == 1 && self.orphans == 0 && self.crossings == CROSSINGS
    }
}

/// Looks at the spans of one trace.
#[must_use]
pub fn check(spans: &[Span]) -> Checked {
    let summary = analyse(spans);
    let crossed = |name: &&str| {
        spans
            .iter()
            .any(|span| arrives_by(span, spans) == Some(name))
    };
    Checked {
        crossings: CROSSINGS.into_iter().filter(crossed).collect(),
        roots: summary.roots,
        orphans: summary.orphans,
    }
}

/// The boundary over which the work of `span` came into its process.
fn arrives_by(span: &Span, spans: &[Span]) -> Option<&'static str> {
    let receives = matches!(span.kind, SpanKind::Server | SpanKind::Consumer);
    let caused_elsewhere = spans.iter().any(|cause| {
        cause.service() != span.service() && (span.is_child_of(cause) || span.is_linked_to(cause))
    });
    let from_outside = span.parent_span_id.is_none();
    let crossing = match span.scope.name.as_str() {
        "dynamo-trace-http" if from_outside => return receives.then_some("http"),
        "dynamo-trace-grpc" => "grpc",
        "dynamo-trace-nats" => "nats",
        "dynamo-trace-etcd" => "etcd",
        "dynamo-trace-frame" => "tcp",
        _ => return None,
    };
    (receives && caused_elsewhere).then_some(crossing)
}

/// The outcome of one request.
pub(super) struct Check {
    pub(super) spans: Vec<Span>,
    pub(super) complete: bool,
    pub(super) problem: Option<String>,
}

impl Check {
    /// Waits for the spans of an answer and looks at them.
    pub(super) async fn of(
        answer: anyhow::Result<Answer>,
        receiver: &Receiver,
        within: Duration,
    ) -> Self {
        let trace_id = match answer {
            Ok(answer) => answer.trace_id,
            Err(error) => {
                return Self {
                    spans: Vec::new(),
                    complete: false,
                    problem: Some(format!("a request failed: {error:#}")),
                };
            }
        };
        let complete = |spans: &[Span]| check(spans).is_complete();
        let arrived = receiver.wait_for_trace(trace_id, complete, within).await;
        let spans = receiver.trace(trace_id);
        let complete = arrived.is_ok() && check(&spans).is_complete();
        let problem = (!complete).then(|| {
            let Checked {
                crossings,
                roots,
                orphans,
            } = check(&spans);
            let missing = CROSSINGS
                .into_iter()
                .filter(|name| !crossings.contains(name));
            let missing = missing.collect::<Vec<_>>().join(", ");
            format!(
                "a trace is incomplete after {within:?}: {roots} roots, {orphans} orphans, \
                 not crossed: [{missing}]\n{}",
                Tree::new(&spans).render()
            )
        });
        Self {
            spans,
            complete,
            problem,
        }
    }
}
