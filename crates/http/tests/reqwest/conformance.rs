//! The conformance suite: axum, and reqwest's client.

use crate::{Server, plain, traced, url};
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use dynamo_trace_http::{ClientLayer, ServerLayer};
use dynamo_trace_testkit::conformance::{Handles, Harness, RawError, Traits, Work};
use http::{HeaderName, HeaderValue, StatusCode};
use reqwest_middleware::ClientWithMiddleware;

struct Reqwest {
    server: Server,
    client: ClientWithMiddleware,
}

impl Harness for Reqwest {
    const TRAITS: Traits = Traits {
        replies: true,
        // `HeaderName`s are lowercase.
        case_insensitive: false,
        ..Traits::DEFAULT
    };

    async fn start(handles: Handles, work: Work) -> Self {
        let server = ServerLayer::new()
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation.clone());
        let app = Router::new()
            .route("/work", post(run))
            .with_state(work)
            .layer(server);
        let client = ClientLayer::new()
            .with_tracer_provider(&handles.provider)
            .with_propagation(handles.propagation);
        Self {
            server: Server::start(app).await,
            client: traced(client),
        }
    }

    async fn send(&self, payload: Bytes) -> Result<(), String> {
        let request = self.client.post(url(&self.server, "/work"));
        let response = request.body(payload.clone()).send().await;
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status();
        let reply = response.bytes().await.map_err(|e| e.to_string())?;
        match (status, reply) {
            (StatusCode::OK, reply) if reply == payload => Ok(()),
            (status, reply) => Err(format!("{status}: {reply:?}")),
        }
    }

    async fn send_raw(
        &self,
        fields: Vec<(String, Vec<u8>)>,
        payload: Bytes,
    ) -> Result<(), RawError> {
        let mut request = plain().post(url(&self.server, "/work")).body(payload);
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_bytes(&value).map_err(|_| RawError::Unrepresentable)?;
            request = request.header(name, value);
        }
        let response = request.send().await;
        match response.map(|response| response.status()) {
            Ok(StatusCode::OK) => Ok(()),
            Ok(status) => Err(RawError::Failed(status.to_string())),
            Err(error) => Err(RawError::Failed(error.to_string())),
        }
    }

    async fn stop(self) {}
}

async fn run(State(work): State<Work>, payload: Bytes) -> impl IntoResponse {
    match work.run(payload).await {
        Ok(reply) => reply.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

dynamo_trace_testkit::conformance_tests!(Reqwest);
