//! The method that a call asks for: any path, as long as nobody has answered.

use crate::attributes::{RPC_METHOD, RPC_METHOD_ORIGINAL};
use crate::media::Media;
use dynamo_trace_core::span::{SharedText, shared_text};
use dynamo_trace_http::attributes::cut;
use dynamo_trace_http::engine::Record;
use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode, Uri};
use opentelemetry::{KeyValue, StringValue};
use std::borrow::Cow;
use tonic::Code;

/// What stands for a method that is not known: callers must not choose the names of spans.
const OTHER: &str = "_OTHER";

/// The longest path that may name a method, in bytes. Of a longer one this much is recorded.
const MAX_LEN: usize = 256;

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A text of few, and whether it was known as a method from the start.
    Shared(&'static SharedText, bool),
    /// One of too many.
    Path(PathAndQuery),
}

impl Asked {
    pub(crate) fn of(uri: &Uri) -> Self {
        match short(uri.path()).and_then(shared_text) {
            Some(text) => Self::Shared(text, text.is_confirmed()),
            None => Self::Path(
                uri.path_and_query()
                    .cloned()
                    .unwrap_or_else(|| PathAndQuery::from_static("/")),
            ),
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::Shared(text, _) => text.as_str(),
            Self::Path(path) => path.path(),
        }
    }

    fn value(&self) -> StringValue {
        self.name().into()
    }

    /// `{package}.{Service}/{Method}`, or `_OTHER` where that is too long or empty.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Shared(text, _) => text.as_str().into(),
            Self::Path(path) => short(path.path()).unwrap_or(OTHER).to_owned().into(),
        }
    }

    /// The method of a server, where it was answered before.
    pub(crate) fn known(&self) -> Option<KeyValue> {
        let is_known = matches!(self, Self::Shared(_, true));
        is_known.then(|| KeyValue::new(RPC_METHOD, self.value()))
    }

    /// The method of a client, and what is asked for if that is no method.
    pub(crate) fn own(&self) -> (KeyValue, Option<KeyValue>) {
        let original = short(self.path()).is_none().then(|| original(self.path()));
        (KeyValue::new(RPC_METHOD, self.value()), original)
    }

    /// Sets the method of a server, once it is seen whether that knows it.
    pub(crate) fn record<T>(&self, answer: impl FnOnce() -> Answer, record: &mut Record<T>) {
        if let Some(known) = self.known() {
            record.measure(&known);
            return;
        }
        let is_short = short(self.path()).is_some();
        match answer() {
            Answer::Known if is_short => {
                if let Self::Shared(text, _) = self {
                    text.confirm();
                }
                record.set_measured(KeyValue::new(RPC_METHOD, self.value()));
            }
            Answer::None if is_short => record.set([KeyValue::new(RPC_METHOD, self.value())]),
            _ => {
                record.rename(OTHER);
                record.set_measured(KeyValue::new(RPC_METHOD, OTHER));
                record.set([original(self.path())]);
            }
        }
    }
}

/// What the response says of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Known,
    Unknown,
    /// Nothing, or there is none.
    None,
}

impl Answer {
    /// What the head says with this code, if any, and this HTTP status, to a request of this type.
    pub(crate) fn of(
        code: Option<Code>,
        status: StatusCode,
        asked: Media,
        headers: &HeaderMap,
    ) -> Self {
        match (code, status) {
            // Of the methods that are known, some may be unimplemented: nothing tells them apart.
            (Some(Code::Unimplemented), _) | (None, StatusCode::NOT_FOUND) => Self::Unknown,
            // It names no method.
            _ if asked.is_plain() => Self::None,
            (Some(Code::Ok), _) => Self::Known,
            (None, StatusCode::OK) if !Media::of(headers).is_plain() => Self::Known,
            // Who refuses a call, an interceptor or a limit, need not know what is called.
            _ => Self::None,
        }
    }
}

/// The method, unless the path is too long for one, or names none.
fn short(path: &str) -> Option<&str> {
    let method = path.strip_prefix('/').unwrap_or(path);
    (path.len() <= MAX_LEN && !method.is_empty()).then_some(method)
}

fn original(path: &str) -> KeyValue {
    let asked = path.strip_prefix('/').unwrap_or(path);
    KeyValue::new(RPC_METHOD_ORIGINAL, cut(asked, MAX_LEN).to_owned())
}
