use super::*;
use crate::channel::Template;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use std::future::pending;
use tonic::body::Body;

fn templates() -> Templates {
    Templates::new(["a/*", "*"].map(str::to_owned).into_iter()).unwrap()
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

fn request(method: &str, body: Body) -> Request<Body> {
    let uri = format!("http://etcd/etcdserverpb.KV/{method}");
    Request::post(uri).body(body).unwrap()
}

/// The template of a request with this message, which then is still there.
async fn named(method: &str, message: &[u8]) -> Option<String> {
    let body = framed(message);
    let request = request(method, Body::new(Full::new(body.clone())));
    let named = name(&templates(), request);
    let template = named.extensions().get::<Template>().cloned();
    let sent = named.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(sent, body);
    template.map(|template| template.0.to_string())
}

/// A field with these bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    [&[number << 3 | 2, length], bytes].concat()
}

#[tokio::test]
async fn the_key_is_found_where_there_is_one() {
    let keyed = field(1, b"a/1");
    for method in ["Put", "Range", "DeleteRange", "Lock", "Campaign", "Observe"] {
        assert_eq!(
            named(method, &keyed).await.as_deref(),
            Some("a/*"),
            "{method}"
        );
    }
    let wrapped = field(1, &keyed);
    for method in ["Watch", "Proclaim", "Resign"] {
        assert_eq!(
            named(method, &wrapped).await.as_deref(),
            Some("a/*"),
            "{method}"
        );
    }
    let cancel = field(2, &[8, 1]);
    assert_eq!(named("Watch", &cancel).await, None);
    for method in ["Compact", "LeaseGrant", "Status", "UserAdd"] {
        assert_eq!(named(method, &keyed).await, None, "{method}");
    }
}

#[tokio::test]
async fn a_transaction_has_the_template_of_all_its_operations() {
    let keyed = |key: &[u8]| field(1, key);
    let op = |kind, key| field(kind, &keyed(key));
    let then = |kind, key| field(2, &op(kind, key));
    let otherwise = |kind, key| field(3, &op(kind, key));
    let nested = field(2, &field(4, &then(2, b"a/1")));
    for (txn, expected) in [
        (
            vec![then(2, b"a/1"), then(1, b"a/2"), otherwise(3, b"a/3")],
            Some("a/*"),
        ),
        (vec![field(1, b""), then(2, b"a/1")], Some("a/*")),
        (vec![then(2, b"a/1"), otherwise(2, b"b")], None),
        (vec![then(2, b"a/1"), nested], None),
        (vec![], None),
    ] {
        assert_eq!(named("Txn", &txn.concat()).await.as_deref(), expected);
    }
}

#[tokio::test]
async fn what_is_not_there_yet_or_no_message_has_no_template() {
    let late = Body::new(Full::<Bytes>::default().with_trailers(pending()));
    let named = name(&templates(), request("Put", late));
    assert!(named.extensions().get::<Template>().is_none());
    let message = framed(&field(1, b"a/1"));
    let mut compressed = message.to_vec();
    compressed[0] = 1;
    for body in [message.slice(..3), message.slice(..7), compressed.into()] {
        let sent = Body::new(Full::new(body.clone()));
        let named = name(&templates(), request("Put", sent));
        assert!(named.extensions().get::<Template>().is_none());
        let read = named.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read, body);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(message: Vec<u8>) {
        for method in ["Put", "Watch", "Txn"] {
            let read = Read::of(method).unwrap();
            let _ = read(&templates(), Bytes::from(message.clone()));
        }
    }
}
