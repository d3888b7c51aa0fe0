//! The HTTP semantic conventions.

pub(crate) mod capture;
mod client;
mod forwarded;
mod method;
mod options;
pub(crate) mod respond;
mod scheme;
mod server;

pub(crate) use options::Options;

use crate::attributes::{
    HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_RESPONSE_BODY_SIZE,
    HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, MAX_LEN, NETWORK_PROTOCOL_VERSION, URL_SCHEME, cut,
};
use crate::engine::{Head, Measures, Record, RequestHead, Semantics, Settings, StreamSummary};
use crate::framework::{Framework, Route, Tower};
use dynamo_trace_core::span::span_name;
use dynamo_trace_core::{Detail, Ending};
use http::{Extensions, HeaderMap, HeaderValue, Request, Response, Version};
use method::OTHER;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::marker::PhantomData;

/// How many attributes a span of a plain request has at most, to the end.
const ATTRIBUTES: usize = 14;

/// The HTTP semantic conventions, for services of a [`Framework`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Http<F = Tower> {
    pub(crate) options: Options,
    framework: PhantomData<F>,
}

/// What is remembered of one call.
#[derive(Debug, Default)]
pub struct HttpCall {
    /// The method as it stands in the name, as long as the route is not known.
    without_route: Option<&'static str>,
    /// The user gave the name.
    is_named: bool,
    request_id: Option<HeaderValue>,
}

/// What stands for the method in a span's name.
const fn operation(known: Option<&'static str>) -> &'static str {
    match known {
        Some(method) => method,
        None => "HTTP",
    }
}

impl<F: Framework> Http<F> {
    /// `http.route` of a server, `url.template` of a client: what the span is named after.
    fn target<'r, B>(&self, kind: &SpanKind, request: &'r Request<B>) -> Option<&'r str> {
        let extensions = request.extensions();
        if *kind != SpanKind::Server {
            return extensions.get().map(Route::as_str);
        }
        match &self.options.route {
            Some(route) => route(RequestHead::of(request)),
            None => route_in::<F>(extensions),
        }
    }

    fn method<B>(&self, request: &Request<B>) -> Option<&'static str> {
        method::known(&self.options, request.method())
    }

    /// The route was found by what is inside.
    fn find_route(record: &mut Record<HttpCall>, extensions: &Extensions) {
        if let Some(operation) = record.call.without_route
            && let Some(route) = route_in::<F>(extensions)
        {
            let (name, route) = span_name(operation, route);
            if !record.call.is_named {
                record.rename(name);
            }
            record.set_measured(KeyValue::new(HTTP_ROUTE, route));
        }
    }
}

fn route_in<F: Framework>(extensions: &Extensions) -> Option<&str> {
    F::route(extensions).or_else(|| extensions.get().map(Route::as_str))
}

impl<F: Framework> Semantics for Http<F> {
    const SCOPE: (&'static str, &'static str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));

    type Call = HttpCall;
    type Bodies = F::Bodies;

    fn defaults() -> &'static Settings<Self> {
        F::defaults()
    }

    fn calls_lazily<S: 'static>() -> bool {
        F::calls_lazily::<S>()
    }

    fn acts(&self) -> bool {
        self.options.request_id || self.options.traceresponse
    }

    fn start<B>(
        &self,
        kind: &SpanKind,
        request: &Request<B>,
        detail: Detail,
        call: &mut HttpCall,
    ) -> SpanBuilder {
        let method = self.method(request);
        // `{method} {target}`, else `{method}`; `HTTP` stands for an unknown method. Never the
        // path.
        let (name, target) = match self.target(kind, request) {
            Some(target) => {
                let (name, target) = span_name(operation(method), target);
                (name, Some(target))
            }
            None => {
                let operation = operation(method);
                call.without_route = (*kind == SpanKind::Server).then_some(operation);
                (operation.into(), None)
            }
        };
        let named = self.options.name.as_ref();
        let named = named.and_then(|name| name(RequestHead::of(request)));
        call.is_named = named.is_some();
        let name = named.unwrap_or(name);
        let builder = SpanBuilder::from_name(name);
        if detail == Detail::Name {
            return builder;
        }
        let captured = &self.options.request_headers;
        let mut attributes = Vec::with_capacity(ATTRIBUTES + captured.len());
        attributes.push(KeyValue::new(HTTP_REQUEST_METHOD, method.unwrap_or(OTHER)));
        if method.is_none() {
            let original = request.method().as_str();
            attributes.push(capped(HTTP_REQUEST_METHOD_ORIGINAL, original));
        }
        match kind {
            SpanKind::Server => server::push(self, &mut attributes, request, target),
            _ => client::push(&mut attributes, request, target, self.options.body_sizes),
        }
        attributes.extend(capture::attributes(captured, request.headers()));
        builder.with_attributes(attributes)
    }

    fn remember<B: 'static>(&self, _: &SpanKind, request: &mut Request<B>, call: &mut HttpCall) {
        if self.options.request_id {
            call.request_id = request.headers().get(&respond::REQUEST_ID).cloned();
        }
    }

    fn measures<B>(&self, kind: &SpanKind, request: &Request<B>) -> Measures {
        let method = KeyValue::new(HTTP_REQUEST_METHOD, self.method(request).unwrap_or(OTHER));
        if *kind != SpanKind::Server {
            let mut attributes = vec![method];
            attributes.extend(client::server(request).into_iter().flatten());
            return Measures {
                duration: "http.client.request.duration",
                active: None,
                attributes,
            };
        }
        let scheme = KeyValue::new(URL_SCHEME, server::scheme(self, request));
        let active = vec![method.clone(), scheme.clone()];
        let target = self.target(kind, request);
        let route = target.map(|route| KeyValue::new(HTTP_ROUTE, span_name("", route).1));
        let mut attributes = vec![method, scheme];
        attributes.extend(route);
        attributes.extend(protocol_version(request.version()));
        Measures {
            duration: "http.server.request.duration",
            active: Some(("http.server.active_requests", active)),
            attributes,
        }
    }

    fn on_head<B>(&self, record: &mut Record<HttpCall>, response: &mut Response<B>) -> Head {
        let is_server = *record.kind() == SpanKind::Server;
        let status = response.status();
        let code = i64::from(status.as_u16());
        record.set_measured(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, code));
        Self::find_route(record, response.extensions());
        if self.options.traceresponse {
            respond::name_trace(record.context(), response.headers_mut());
        }
        let captured = &self.options.response_headers;
        if !captured.is_empty() {
            record.set(capture::attributes(captured, response.headers()));
        }
        // The request's own is recorded already.
        if self.options.request_id {
            respond::echo(record.call.request_id.take(), response.headers_mut());
        }
        if !is_server {
            if let Some(version) = protocol_version(response.version()) {
                record.set_measured(version);
            }
            record.set(connection(response.extensions()).into_iter().flatten());
        }
        let failed = status.is_server_error() || (!is_server && status.is_client_error());
        let failure = failed.then(|| Ending::failed(status.as_str().to_owned()));
        if self.spans_body(record.kind(), response) {
            failure.map_or(Head::Streams(Ending::Complete), Head::Decided)
        } else {
            Head::Ends(failure.unwrap_or(Ending::Complete))
        }
    }

    fn spans_body<B>(&self, kind: &SpanKind, _: &Response<B>) -> bool {
        *kind == SpanKind::Server || self.options.client_body
    }

    fn on_trailers(&self, _: &mut Record<HttpCall>, _: &HeaderMap) -> Option<Ending> {
        None
    }

    fn on_body_end(&self, record: &mut Record<HttpCall>, summary: &StreamSummary) {
        if self.options.body_sizes {
            let size = i64::try_from(summary.bytes).unwrap_or(i64::MAX);
            record.set([KeyValue::new(HTTP_RESPONSE_BODY_SIZE, size)]);
        }
        if summary.chunks > 1 {
            record.set(summary.attributes());
        }
    }
}

/// The other end of the connection that a client used, where hyper-util's connector tells it.
#[cfg(feature = "hyper-util")]
fn connection(extensions: &Extensions) -> Option<[KeyValue; 2]> {
    use crate::attributes::{NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT};
    let info: &hyper_util::client::legacy::connect::HttpInfo = extensions.get()?;
    let peer = info.remote_addr();
    let address = dynamo_trace_core::span::SharedText::value_of(&peer.ip().to_string());
    Some([
        KeyValue::new(NETWORK_PEER_ADDRESS, address),
        KeyValue::new(NETWORK_PEER_PORT, i64::from(peer.port())),
    ])
}

#[cfg(not(feature = "hyper-util"))]
const fn connection(_: &Extensions) -> Option<[KeyValue; 2]> {
    None
}

/// What the other side chooses, of a bounded length.
fn capped(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, cut(value, MAX_LEN).to_owned())
}

fn protocol_version(version: Version) -> Option<KeyValue> {
    let version = match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    };
    Some(KeyValue::new(NETWORK_PROTOCOL_VERSION, version))
}
