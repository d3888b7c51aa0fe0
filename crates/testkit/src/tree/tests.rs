use std::sync::Arc;

use super::*;
use crate::{
    span::{Link, Resource, SpanKind, Status, StatusCode},
    value::Value,
};

const MILLISECOND: u64 = 1_000_000;

/// A span of trace 1 that starts `id` milliseconds after the epoch and takes 1.5 ms.
fn span(id: u64, parent: u64, kind: SpanKind, name: &str, service: &str) -> Span {
    Span {
        trace_id: [1; 16],
        span_id: id.to_be_bytes(),
        parent_span_id: (parent != 0).then(|| parent.to_be_bytes()),
        kind,
        name: name.to_owned(),
        start_unix_nanos: id * MILLISECOND,
        end_unix_nanos: id * MILLISECOND + 3 * MILLISECOND / 2,
        resource: Arc::new(Resource {
            attributes: [("service.name", service)].into_iter().collect(),
            ..Resource::default()
        }),
        ..Span::default()
    }
}

fn failed(mut span: Span, error_type: Option<&str>) -> Span {
    span.status.code = StatusCode::Error;
    span.attributes = error_type
        .map(|text| ("error.type", text))
        .into_iter()
        .collect();
    span
}

fn linked(mut span: Span, to: &Span) -> Span {
    span.links.push(Link {
        trace_id: to.trace_id,
        span_id: to.span_id,
        ..Link::default()
    });
    span
}

fn in_trace(mut span: Span, trace: u8) -> Span {
    span.trace_id = [trace; 16];
    span
}

fn request() -> Vec<Span> {
    use SpanKind::{Client, Consumer, Producer, Server};
    let publish = span(4, 1, Producer, "publish work", "frontend");
    let unknown = span(99, 0, Producer, "not exported", "frontend");
    let process = span(5, 0, Consumer, "process work", "indexer");
    vec![
        linked(linked(in_trace(process, 2), &publish), &unknown),
        failed(span(3, 2, Server, "generate", "worker"), Some("timeout")),
        publish,
        failed(span(2, 1, Client, "generate", "frontend"), None),
        span(1, 0, Server, "POST /v1/chat/completions", "frontend"),
    ]
}

#[test]
fn a_request_reads_as_it_happened() {
    let expected = "\
SERVER POST /v1/chat/completions  frontend
  CLIENT generate  frontend  !ERROR
    SERVER generate  worker  !timeout
  PRODUCER publish work  frontend

CONSUMER process work  indexer
  ~ link: PRODUCER publish work  frontend
  ~ link: unknown span
";
    let spans = request();
    assert_eq!(Tree::new(&spans).render(), expected);
    assert_eq!(Tree::new(&spans).to_string(), expected);
}

#[test]
fn links_stand_before_children() {
    let root = span(1, 0, SpanKind::Internal, "root", "");
    let child = span(2, 1, SpanKind::Internal, "child", "");
    let spans = [linked(root.clone(), &root), linked(child, &root)];
    let expected = "\
INTERNAL root
  ~ link: INTERNAL root
  INTERNAL child
    ~ link: INTERNAL root
";
    assert_eq!(Tree::new(&spans).render(), expected);
}

#[test]
fn siblings_stand_in_the_order_of_start_then_name_then_id() {
    let at_once = |id, name| Span {
        start_unix_nanos: 7,
        ..span(id, 1, SpanKind::Client, name, "")
    };
    let late = span(2, 1, SpanKind::Client, "late", "");
    let root = span(1, 0, SpanKind::Server, "root", "");
    let first = failed(at_once(3, "same"), Some("first"));
    let second = failed(at_once(4, "same"), Some("second"));
    let spans = [second, late, first, at_once(5, "other"), root];
    let expected = "\
SERVER root
  CLIENT other
  CLIENT same  !first
  CLIENT same  !second
  CLIENT late
";
    assert_eq!(Tree::new(&spans).render(), expected);
}

/// The same trees with other ids, other times and another order of arrival.
fn shuffled(spans: &[Span], seed: u64) -> Vec<Span> {
    let mut state = seed;
    let mut random = move || {
        // Knuth's MMIX generator; the low bits are poor
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        state >> 33
    };
    let key = random() << 32 | random() | 1;
    let id = |id: [u8; 8]| (u64::from_be_bytes(id).wrapping_mul(key)).to_be_bytes();
    let trace = |id: [u8; 16]| id.map(|byte| byte.wrapping_mul(key.to_be_bytes()[7]));
    let mut spans: Vec<_> = spans
        .iter()
        .cloned()
        .map(|mut span| {
            span.trace_id = trace(span.trace_id);
            span.span_id = id(span.span_id);
            span.parent_span_id = span.parent_span_id.map(id);
            span.start_unix_nanos = random();
            for link in &mut span.links {
                link.trace_id = trace(link.trace_id);
                link.span_id = id(link.span_id);
            }
            (random(), span)
        })
        .collect();
    spans.sort_by_key(|(place, _)| *place);
    spans.into_iter().map(|(_, span)| span).collect()
}

#[test]
fn the_sorted_text_depends_on_neither_time_nor_ids() {
    use SpanKind::{Client, Server};
    let mut spans = request();
    // the same line three times, told apart only two levels below
    for (id, below) in [(10, "c"), (20, "a"), (30, "b")] {
        spans.push(span(id, 1, Client, "retry", "frontend"));
        spans.push(span(id + 1, id, Server, "attempt", "worker"));
        spans.push(span(id + 2, id + 1, Client, below, "worker"));
    }
    spans.push(in_trace(span(40, 41, Client, "lost", "worker"), 2));
    spans.push(in_trace(span(42, 0, Client, "alone", "worker"), 3));
    let expected = "\
CLIENT alone  worker

CONSUMER process work  indexer
  ~ link: PRODUCER publish work  frontend
  ~ link: unknown span
? orphan
  CLIENT lost  worker

SERVER POST /v1/chat/completions  frontend
  CLIENT generate  frontend  !ERROR
    SERVER generate  worker  !timeout
  CLIENT retry  frontend
    SERVER attempt  worker
      CLIENT a  worker
  CLIENT retry  frontend
    SERVER attempt  worker
      CLIENT b  worker
  CLIENT retry  frontend
    SERVER attempt  worker
      CLIENT c  worker
  PRODUCER publish work  frontend
";
    assert_eq!(Tree::new(&spans).render_sorted(), expected);
    for seed in 0..100 {
        assert_eq!(
            Tree::new(&shuffled(&spans, seed)).render_sorted(),
            expected,
            "{seed}"
        );
    }
}

#[test]
fn an_orphan_is_marked_unless_its_parent_is_external() {
    let spans = [
        span(3, 2, SpanKind::Client, "below", "a"),
        span(2, 9, SpanKind::Server, "lost", "a"),
        span(4, 0, SpanKind::Server, "root", "a"),
    ];
    let marked = "\
SERVER root  a
? orphan
  SERVER lost  a
    CLIENT below  a
";
    assert_eq!(Tree::new(&spans).render(), marked);
    let external = Tree::new(&spans).external_parent(9_u64.to_be_bytes());
    let unmarked = "\
SERVER lost  a
  CLIENT below  a
SERVER root  a
";
    assert_eq!(external.render(), unmarked);
    assert_eq!(
        (external.summary().roots, external.summary().orphans),
        (2, 0)
    );
}

#[test]
fn a_parent_of_another_trace_is_no_parent() {
    let spans = [
        span(1, 0, SpanKind::Server, "root", ""),
        in_trace(span(2, 1, SpanKind::Client, "lost", ""), 2),
    ];
    let expected = "\
SERVER root

? orphan
  CLIENT lost
";
    assert_eq!(Tree::new(&spans).render(), expected);
}

#[test]
fn a_span_that_arrived_twice_shows_twice() {
    let spans = [
        span(2, 1, SpanKind::Client, "twice", ""),
        span(1, 0, SpanKind::Server, "root", ""),
        span(2, 1, SpanKind::Client, "twice", ""),
        span(3, 2, SpanKind::Server, "below", ""),
    ];
    let expected = "\
SERVER root
  CLIENT twice
    SERVER below
  CLIENT twice
";
    assert_eq!(Tree::new(&spans).render(), expected);
}

#[test]
fn cycles_end() {
    let spans = [
        span(4, 3, SpanKind::Internal, "hanging on it", ""),
        span(2, 1, SpanKind::Internal, "b", ""),
        span(3, 2, SpanKind::Internal, "c", ""),
        span(1, 3, SpanKind::Internal, "a", ""),
        span(5, 5, SpanKind::Internal, "its own parent", ""),
        span(6, 0, SpanKind::Internal, "root", ""),
    ];
    let expected = "\
INTERNAL root
? cycle
  INTERNAL a
    INTERNAL b
      INTERNAL c
        INTERNAL hanging on it
? cycle
  INTERNAL its own parent
";
    assert_eq!(Tree::new(&spans).render(), expected);
    assert_eq!(Tree::new(&spans).render_sorted(), expected);
    let summary = analyse(&spans);
    assert_eq!((summary.roots, summary.orphans, summary.cycles), (1, 0, 2));
}

#[test]
fn a_deep_chain_neither_overflows_nor_explodes() {
    const DEPTH: u64 = 100_000;
    let mut spans: Vec<_> = (1..=DEPTH)
        .map(|id| span(id, id - 1, SpanKind::Internal, "level", ""))
        .collect();
    for text in [
        Tree::new(&spans).render(),
        Tree::new(&spans).render_sorted(),
    ] {
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 100_000);
        assert_eq!(lines[64], format!("{}INTERNAL level", "  ".repeat(64)));
        assert_eq!(lines[65], format!("{}(65) INTERNAL level", "  ".repeat(64)));
        assert_eq!(
            lines[99_999],
            format!("{}(99999) INTERNAL level", "  ".repeat(64))
        );
    }
    // the same as one big cycle
    spans[0].parent_span_id = Some(DEPTH.to_be_bytes());
    assert_eq!(Tree::new(&spans).render_sorted().lines().count(), 100_001);
}

#[test]
fn durations_form_a_column() {
    let mut spans = request();
    spans[1].end_unix_nanos = spans[1].start_unix_nanos + 850;
    spans[2].end_unix_nanos = 0;
    spans[3].end_unix_nanos = spans[3].start_unix_nanos + 12_345;
    spans[4].end_unix_nanos = spans[4].start_unix_nanos + 12_345_678_901;
    let expected = "\
SERVER POST /v1/chat/completions  frontend  12.35s
  CLIENT generate  frontend  !ERROR         12.3µs
    SERVER generate  worker  !timeout        850ns
  PRODUCER publish work  frontend              0ns

CONSUMER process work  indexer               1.5ms
  ~ link: PRODUCER publish work  frontend
  ~ link: unknown span
";
    assert_eq!(Tree::new(&spans).durations(true).render(), expected);
}

#[test]
fn chosen_attributes_show_where_they_are() {
    let mut spans = [
        span(1, 0, SpanKind::Server, "root", "a"),
        span(2, 1, SpanKind::Client, "child", "a"),
    ];
    spans[0].attributes = [
        ("tokens", Value::Int(7)),
        ("models", Value::Array(vec!["x".into(), "y".into()])),
        ("hidden", Value::Bool(true)),
    ]
    .into_iter()
    .collect();
    let expected = "\
SERVER root  a  {models=[x, y], tokens=7}
  CLIENT child  a
";
    let tree = Tree::new(&spans).attributes(&["models", "missing", "tokens"]);
    assert_eq!(tree.render(), expected);
}

#[test]
fn control_characters_cannot_break_a_line() {
    let mut span = span(1, 0, SpanKind::Server, "a\nb\u{1b}[31m", "\u{9b}é");
    span = failed(span, Some("x\ny"));
    let expected = "SERVER a\\nb\\u{1b}[31m  \\u{9b}é  !x\\ny\n";
    assert_eq!(Tree::new(&[span]).render(), expected);
}

#[test]
fn an_error_message_does_not_show() {
    let mut span = span(1, 0, SpanKind::Server, "root", "");
    span.status = Status {
        code: StatusCode::Error,
        message: "different in every run".to_owned(),
    };
    assert_eq!(Tree::new(&[span]).render(), "SERVER root  !ERROR\n");
}

#[test]
fn nothing_renders_as_nothing() {
    assert_eq!(Tree::new(&[]).render(), "");
    assert_eq!(Tree::new(&[]).durations(true).render_sorted(), "");
    assert_eq!(analyse(&[]), Summary::default());
}

#[test]
fn a_summary_counts() {
    let mut spans = request();
    spans.push(span(7, 8, SpanKind::Client, "lost", ""));
    let expected = Summary {
        traces: 2,
        spans: 6,
        roots: 2,
        orphans: 1,
        cycles: 0,
    };
    assert_eq!(analyse(&spans), expected);
}
