//! The method that a call asks for: any path, as long as nobody has answered.

use crate::attributes::{RPC_METHOD, RPC_METHOD_ORIGINAL};
use dynamo_trace_core::SpanGuard;
use dynamo_trace_http::attributes::cut;
use http::Uri;
use http::uri::PathAndQuery;
use opentelemetry::KeyValue;
use opentelemetry::trace::TraceContextExt;

/// What stands for a method that is not known: callers must not choose the names of spans.
const OTHER: &str = "_OTHER";

/// The longest path that may name a method, in bytes. Of a longer one this much is recorded.
const MAX_LEN: usize = 256;

/// The path of one call to a server.
#[derive(Clone, Debug)]
pub(crate) struct Method(PathAndQuery);

impl Method {
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        uri.path_and_query().cloned().map(Self)
    }

    /// Sets the method, once it is seen whether the server knows it.
    pub(crate) fn record(&self, unknown: bool, span: &SpanGuard) {
        let path = self.0.path();
        if unknown {
            span.context().span().update_name(OTHER);
            span.set_attributes(other(path));
        } else {
            span.set_attributes(attributes(path));
        }
    }
}

/// `{package}.{Service}/{Method}`, or `_OTHER` where that is too long.
pub(crate) fn span_name(path: &str) -> String {
    known(path).unwrap_or(OTHER).to_owned()
}

/// The method, and what was asked for if that is not known.
pub(crate) fn attributes(path: &str) -> impl Iterator<Item = KeyValue> {
    let known =
        known(path).map(|method| [Some(KeyValue::new(RPC_METHOD, method.to_owned())), None]);
    let all = known.unwrap_or_else(|| other(path).map(Some));
    all.into_iter().flatten()
}

fn known(path: &str) -> Option<&str> {
    let method = path.strip_prefix('/').unwrap_or(path);
    (path.len() <= MAX_LEN).then_some(method)
}

fn other(path: &str) -> [KeyValue; 2] {
    let asked = path.strip_prefix('/').unwrap_or(path);
    [
        KeyValue::new(RPC_METHOD, OTHER),
        KeyValue::new(RPC_METHOD_ORIGINAL, cut(asked, MAX_LEN).to_owned()),
    ]
}
