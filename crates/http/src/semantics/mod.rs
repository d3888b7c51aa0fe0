//! The HTTP semantic conventions.

pub(crate) mod capture;
mod client;
mod forwarded;
mod method;
mod options;
pub(crate) mod respond;
mod route;
mod scheme;
mod server;

pub(crate) use options::Options;

use crate::attributes::{
    HTTP_REQUEST_BODY_SIZE, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL,
    HTTP_RESPONSE_BODY_SIZE, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, MAX_LEN,
    NETWORK_PROTOCOL_VERSION, URL_SCHEME, cut,
};
use crate::engine::{Head, Measures, Record, RequestHead, Semantics, Settings, StreamSummary};
use crate::framework::{Framework, Route, Tower};
use dynamo_trace_core::span::span_name;
use dynamo_trace_core::{Detail, Ending};
use http::header::CONTENT_LENGTH;
use http::{Extensions, HeaderMap, HeaderValue, Request, Response, Version};
use method::OTHER;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use route::{RouteOf, route_in};
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
    route: RouteOf,
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
        if let RouteOf::Missing(operation) = record.call.route
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
                call.route = RouteOf::Known;
                (name, Some(target))
            }
            None => {
                let operation = operation(method);
                call.route = RouteOf::missing(kind, operation);
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

    fn remember<B: 'static>(&self, kind: &SpanKind, request: &mut Request<B>, call: &mut HttpCall) {
        // What is measured has a route without an SDK as well.
        if matches!(call.route, RouteOf::Unasked) && self.target(kind, request).is_none() {
            call.route = RouteOf::missing(kind, operation(self.method(request)));
        }
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
        // What the service said; what is put on its response here, it did not say.
        let captured = &self.options.response_headers;
        if !captured.is_empty() {
            record.set(capture::attributes(captured, response.headers()));
        }
        if let Some(id) = record.call.request_id.take() {
            respond::echo(id, response.headers_mut());
        }
        if self.options.traceresponse {
            respond::name_trace(record.context(), response.headers_mut());
        }
        if !is_server {
            if let Some(version) = protocol_version(response.version()) {
                record.set_measured(version);
            }
            record.set(
                client::connection(response.extensions())
                    .into_iter()
                    .flatten(),
            );
        }
        // Codes beyond 599 are of no class, and taken for 5xx: RFC 9110, 15.
        let failed = code >= if is_server { 500 } else { 400 };
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
        if let Some(attributes) = summary.attributes() {
            record.set(attributes);
        }
    }
}

/// What the other side chooses, of a bounded length.
fn capped(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, cut(value, MAX_LEN).to_owned())
}

/// What `content-length` says, if it is a number: RFC 9110, 8.6.
fn request_body_size(headers: &HeaderMap) -> Option<KeyValue> {
    let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    // `parse` would take a sign.
    let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
    let length: i64 = length.parse().ok().filter(|_| is_number)?;
    Some(KeyValue::new(HTTP_REQUEST_BODY_SIZE, length))
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
