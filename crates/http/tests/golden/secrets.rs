//! What must never leave the process.

use crate::{Telemetry, soon};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::post;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use std::future::ready;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

/// Where secrets stand in a URL: userinfo, and values of keys in each of their spellings.
const IN_URL: [&str; 16] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "X%2DAmz%2DSignature",
    "X-Amz%2dCredential",
    "%58-Amz-Security-Token",
    "AWSAccessKey%49d",
    "%53ignature",
    "s%69g",
    "%73%69%67",
    "X-Goog-Signatur%65",
    "%41WSAccessKeyId",
];

const IN_REQUEST: [&str; 22] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "x-access-token",
    "x-csrf-token",
    "x-amz-security-token",
    "x-goog-iam-authorization-token",
    "x-vault-token",
    "private-token",
    "dpop",
    "referer",
    "from",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-client-cert",
    "x-real-ip",
    "x-original-url",
];

const IN_RESPONSE: [&str; 7] = [
    "set-cookie",
    "www-authenticate",
    "proxy-authenticate",
    "authentication-info",
    "location",
    "content-location",
    "x-auth-token",
];

/// Gives out secrets, and remembers them.
#[derive(Clone, Default)]
struct Secrets(Arc<Mutex<Vec<String>>>);

impl Secrets {
    fn next(&self) -> String {
        let mut secrets = self.0.lock().unwrap();
        let secret = format!("s3cret{:03}", secrets.len());
        secrets.push(secret.clone());
        secret
    }

    fn headers(&self, names: &[&'static str]) -> HeaderMap {
        let header = |name: &&'static str| {
            let value = self.next().parse().unwrap();
            (HeaderName::from_static(name), value)
        };
        names.iter().map(header).collect()
    }

    fn request(&self) -> Request<Body> {
        let (user, password) = (self.next(), self.next());
        let mut uri = format!("http://{user}:{password}@example.com/visible/path?visible=query");
        for (number, key) in IN_URL.into_iter().enumerate() {
            let separator = if number % 2 == 0 { '&' } else { ';' };
            uri += &format!("{separator}{key}={}", self.next());
        }
        let mut request = Request::post(uri).body(Body::from(self.next())).unwrap();
        *request.headers_mut() = self.headers(&IN_REQUEST);
        let baggage = format!("user={}", self.next()).parse().unwrap();
        request.headers_mut().insert("baggage", baggage);
        let tenant = "visible-tenant".parse().unwrap();
        request.headers_mut().insert("x-tenant", tenant);
        request
    }

    fn response(&self, ok: bool) -> Response<Body> {
        let mut trailers = HeaderMap::new();
        let trailer = self.next().parse().unwrap();
        trailers.insert("x-checksum", trailer);
        let last = match ok {
            true => Ok(Frame::trailers(trailers)),
            false => Err(axum::Error::new(std::io::Error::other(self.next()))),
        };
        let chunks = [
            Ok(Frame::data(self.next().into())),
            Ok(Frame::data(self.next().into())),
            last,
        ];
        let body = Body::new(StreamBody::new(futures_util::stream::iter(chunks)));
        let mut response = Response::new(body);
        *response.headers_mut() = self.headers(&IN_RESPONSE);
        response
    }
}

/// What an exporter would send of these spans.
fn exported(spans: Vec<SpanData>) -> Vec<u8> {
    let resource = ResourceAttributesWithSchema::default();
    let resource_spans = group_spans_by_resource_and_scope(spans, &resource);
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn occurs(text: &str, bytes: &[u8]) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn no_secret_is_exported() {
    let (telemetry, secrets) = (Telemetry::new(), Secrets::default());
    let listed = || [HeaderName::from_static("x-tenant")];
    let handler = {
        let secrets = secrets.clone();
        async move |Path(_): Path<String>, body: String| {
            assert!(body.starts_with("s3cret"));
            secrets.response(true)
        }
    };
    let app = Router::new()
        .route("/visible/{part}", post(handler))
        .layer(telemetry.axum().with_request_headers(listed()));
    let client = telemetry
        .client()
        .with_request_headers(listed())
        .with_body();
    let response = soon(client.layer(app).oneshot(secrets.request()))
        .await
        .unwrap();
    soon(response.into_body().collect()).await.unwrap();

    // A body that fails, and a call that does: errors have texts.
    let fails = {
        let secrets = secrets.clone();
        service_fn(move |_: Request<Body>| ready(Ok::<_, axum::BoxError>(secrets.response(false))))
    };
    let service = telemetry.server().layer(fails);
    let client = telemetry.client().with_body();
    let response = soon(client.layer(service).oneshot(secrets.request()))
        .await
        .unwrap();
    assert!(soon(response.into_body().collect()).await.is_err());
    let message = secrets.next();
    let fails = service_fn(move |_: Request<Body>| {
        ready(Err::<Response<Body>, axum::BoxError>(
            message.clone().into(),
        ))
    });
    let service = telemetry.client().layer(telemetry.server().layer(fails));
    assert!(soon(service.oneshot(secrets.request())).await.is_err());

    let bytes = exported(telemetry.ended::<6>().await.to_vec());
    for visible in [
        "visible-tenant",
        "/visible/path",
        "visible=query",
        "example.com",
    ] {
        assert!(occurs(visible, &bytes), "{visible}");
    }
    let secrets = secrets.0.lock().unwrap().clone();
    assert!(secrets.len() > 40, "{}", secrets.len());
    let leaked: Vec<_> = secrets
        .iter()
        .filter(|secret| occurs(secret, &bytes))
        .collect();
    assert!(
        leaked.is_empty(),
        "{leaked:?}: {}",
        String::from_utf8_lossy(&bytes)
    );
}
