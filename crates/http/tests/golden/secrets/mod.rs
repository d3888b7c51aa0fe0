//! What must never leave the process.

mod given;

use crate::{Telemetry, soon};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::post;
use given::Secrets;
use http::{HeaderName, Request, Response};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use std::future::ready;
use tower::{Layer, ServiceExt, service_fn};

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
    let secrets = secrets.all();
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
