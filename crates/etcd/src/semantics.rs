use crate::SCOPE;
use crate::attributes::{
    DB_OPERATION_NAME, DB_RESPONSE_STATUS_CODE, DB_SYSTEM_NAME, DEFAULT_PORT, ETCD, SERVER_ADDRESS,
    SERVER_PORT,
};
use dynamo_trace_core::{Detail, Ending};
use dynamo_trace_grpc::status;
use dynamo_trace_http::engine::{
    AnyBody, Head, Measures, Record, Semantics, Settings, StreamSummary,
};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use std::sync::{Arc, LazyLock, OnceLock};
use tonic::Code;

/// The database semantic conventions for etcd: what the engine of the HTTP and gRPC adapters
/// does with an etcd RPC. No key, no value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Etcd {
    server: Arc<OnceLock<Server>>,
}

#[derive(Debug)]
struct Server {
    host: String,
    port: Option<u16>,
}

impl Etcd {
    /// Says which endpoints the channel has. Spans name the server only if there is one: of
    /// several, the channel does not tell which one took the call.
    pub(crate) fn set_endpoints<'e>(&self, mut endpoints: impl Iterator<Item = &'e str>) {
        if let (Some(only), None) = (endpoints.next(), endpoints.next())
            && let Some(server) = Server::parse(only)
        {
            // A second endpoint list does not come: one builder makes one client.
            let _ = self.server.set(server);
        }
    }
}

impl Server {
    fn parse(endpoint: &str) -> Option<Self> {
        let uri: Uri = endpoint.parse().ok()?;
        let authority = uri.authority()?;
        let host = authority.host();
        let port = match (authority.port_u16(), uri.scheme_str()) {
            (Some(port), _) => port,
            (None, Some("https")) => 443,
            (None, _) => 80,
        };
        Some(Self {
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: (port != DEFAULT_PORT).then_some(port),
        })
    }
}

/// The method of `/{package}.{Service}/{Method}`; unique over etcd's services.
pub(crate) fn operation(uri: &Uri) -> &str {
    let path = uri.path();
    path.rsplit_once('/').map_or(path, |(_, method)| method)
}

/// On a response: it lasts as long as the caller wants, so the span covers its creation only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endless;

impl Endless {
    /// Whether the method's responses are endless.
    pub(crate) fn is(operation: &str) -> bool {
        matches!(operation, "Watch" | "LeaseKeepAlive" | "Observe")
    }
}

impl Semantics for Etcd {
    const SCOPE: (&'static str, &'static str) = SCOPE;

    const HAS_EVENT_STREAMS: bool = false;

    type Call = ();
    type Bodies = AnyBody;

    fn defaults() -> &'static Settings<Self> {
        static DEFAULTS: LazyLock<Settings<Etcd>> =
            LazyLock::new(|| Settings::new(Etcd::default()));
        &DEFAULTS
    }

    fn start<B>(
        &self,
        _: &SpanKind,
        request: &Request<B>,
        detail: Detail,
        _: &mut (),
    ) -> SpanBuilder {
        let operation = operation(request.uri()).to_owned();
        if detail == Detail::Name {
            return SpanBuilder::from_name(operation);
        }
        let mut attributes = Vec::with_capacity(6);
        attributes.extend(self.attributes(operation.clone()));
        SpanBuilder::from_name(operation).with_attributes(attributes)
    }

    fn remember<B: 'static>(&self, _: &SpanKind, _: &mut Request<B>, _: &mut ()) {}

    fn measures<B>(&self, _: &SpanKind, request: &Request<B>) -> Measures {
        let operation = operation(request.uri()).to_owned();
        Measures {
            duration: "db.client.operation.duration",
            active: None,
            attributes: self.attributes(operation).collect(),
        }
    }

    fn on_head<B>(&self, record: &mut Record<()>, response: &mut Response<B>) -> Head {
        // A status in the head means that no trailers follow.
        if let Some(code) = status::of(response.headers()) {
            return Head::Decided(ending(code, record));
        }
        match response.status() {
            StatusCode::OK if !self.spans_body(record.kind(), response) => {
                Head::Ends(Ending::Complete)
            }
            // What a stream without a status means: gRPC over HTTP/2, "Responses".
            StatusCode::OK => Head::Streams(Ending::failed(status::name(Code::Unknown))),
            status => Head::Decided(ending(status::of_http(status), record)),
        }
    }

    fn spans_body<B>(&self, _: &SpanKind, response: &Response<B>) -> bool {
        response.extensions().get::<Endless>().is_none()
    }

    fn on_trailers(&self, record: &mut Record<()>, trailers: &HeaderMap) -> Option<Ending> {
        status::of(trailers).map(|code| ending(code, record))
    }

    fn on_body_end(&self, _: &mut Record<()>, _: &StreamSummary) {}
}

impl Etcd {
    fn attributes(&self, operation: String) -> impl Iterator<Item = KeyValue> + use<> {
        let server = self.server.get();
        let address = server.map(|server| KeyValue::new(SERVER_ADDRESS, server.host.clone()));
        let port = server.and_then(|server| server.port);
        let port = port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port)));
        let operation = [
            KeyValue::new(DB_SYSTEM_NAME, ETCD),
            KeyValue::new(DB_OPERATION_NAME, operation),
        ];
        operation.into_iter().chain(address).chain(port)
    }
}

fn ending(code: Code, record: &mut Record<()>) -> Ending {
    if !status::is_client_error(code) {
        return Ending::Complete;
    }
    let name = status::name(code);
    record.set_measured(KeyValue::new(DB_RESPONSE_STATUS_CODE, name));
    Ending::failed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(endpoints: &[&str]) -> Option<(String, Option<u16>)> {
        let etcd = Etcd::default();
        etcd.set_endpoints(endpoints.iter().copied());
        etcd.server
            .get()
            .map(|server| (server.host.clone(), server.port))
    }

    #[test]
    fn only_a_single_endpoint_is_named() {
        let named = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(server(&["localhost:2379"]), named("localhost", None));
        assert_eq!(server(&["http://[::1]:2380"]), named("::1", Some(2380)));
        assert_eq!(
            server(&["https://etcd.example"]),
            named("etcd.example", Some(443))
        );
        assert_eq!(server(&["a:2379", "b:2379"]), None);
        assert_eq!(server(&["not an endpoint"]), None);
    }
}
