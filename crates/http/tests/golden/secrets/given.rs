//! Requests and responses that are full of secrets.

use axum::body::Body;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use std::sync::{Arc, Mutex};

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
pub(super) struct Secrets(Arc<Mutex<Vec<String>>>);

impl Secrets {
    /// All that were given out.
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn next(&self) -> String {
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

    pub(super) fn request(&self) -> Request<Body> {
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

    pub(super) fn response(&self, ok: bool) -> Response<Body> {
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
