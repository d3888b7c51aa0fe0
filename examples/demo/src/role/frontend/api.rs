//! OpenAI's chat completions.

use super::Frontend;
use super::generate::{Failed, Generation, Tokens};
use crate::role::log_context;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Deserialize)]
pub(super) struct ChatRequest {
    #[serde(default = "default_model")]
    model: String,
    messages: Vec<Message>,
    stream: Option<bool>,
    max_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: String,
}

fn default_model() -> String {
    "demo".to_owned()
}

const MAX_TOKENS: u32 = 16;

/// Answers a chat request.
pub(super) async fn chat(
    State(frontend): State<Arc<Frontend>>,
    request: Result<Json<ChatRequest>, JsonRejection>,
) -> Result<Response, Failed> {
    log_context();
    let Json(request) = request?;
    let completion = Completion::of(&request);
    let stream = request.stream.unwrap_or_default();
    let generation = Generation {
        request_id: frontend.responses.new_request_id(),
        prompt: request.messages.into_iter().map(|m| m.content).collect(),
        max_tokens: request.max_tokens.unwrap_or(MAX_TOKENS),
    };
    let tokens = frontend.generate(generation).await?;
    let worker = [("x-worker", tokens.worker().to_owned())];
    if stream {
        return Ok((worker, Sse::new(events(completion, tokens))).into_response());
    }
    let text = tokens.into_text().await?;
    Ok((worker, Json(completion.whole(&text))).into_response())
}

/// What every answer to one request says.
struct Completion {
    id: String,
    model: String,
    created: u64,
}

impl Completion {
    /// The id ends in the trace-id, so that a user can find the trace.
    fn of(request: &ChatRequest) -> Self {
        let created = SystemTime::now().duration_since(UNIX_EPOCH);
        Context::map_current(|cx| {
            let span = cx.span();
            span.set_attributes([
                KeyValue::new("gen_ai.operation.name", "chat"),
                KeyValue::new("gen_ai.request.model", request.model.clone()),
                KeyValue::new("gen_ai.request.stream", request.stream.unwrap_or_default()),
            ]);
            Self {
                id: format!("chatcmpl-{}", span.span_context().trace_id()),
                model: request.model.clone(),
                created: created.unwrap_or_default().as_secs(),
            }
        })
    }

    fn with_choice(&self, object: &str, choice: serde_json::Value) -> serde_json::Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": [choice],
        })
    }

    fn whole(&self, text: &str) -> serde_json::Value {
        let message = json!({ "role": "assistant", "content": text });
        let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
        self.with_choice("chat.completion", choice)
    }

    fn chunk(&self, delta: serde_json::Value, finish_reason: Option<&str>) -> Event {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        let chunk = self.with_choice("chat.completion.chunk", choice);
        Event::default().data(chunk.to_string())
    }
}

/// A chunk for every token, one with the reason of the end, and the end mark. After a failure the
/// error, and then the connection breaks off: nobody can take it for a complete answer.
fn events(completion: Completion, tokens: Tokens) -> impl Stream<Item = Result<Event, Failed>> {
    let events = tokens.into_stream().flat_map(move |token| {
        stream::iter(match token {
            Ok(Some(word)) => vec![Ok(completion.chunk(json!({ "content": word + " " }), None))],
            Ok(None) => {
                note_finish();
                vec![
                    Ok(completion.chunk(json!({}), Some("stop"))),
                    Ok(Event::default().data("[DONE]")),
                ]
            }
            Err(failed) => {
                let error = json!({ "error": { "message": failed.to_string() } });
                vec![Ok(Event::default().data(error.to_string())), Err(failed)]
            }
        })
    });
    events.then(async |event| {
        if event.is_err() {
            // The server sends what it has only while it waits.
            tokio::task::yield_now().await;
        }
        event
    })
}

/// The request's span is current to the last token.
fn note_finish() {
    let reasons = Value::Array(Array::from(vec![StringValue::from("stop")]));
    let reasons = KeyValue::new("gen_ai.response.finish_reasons", reasons);
    Context::map_current(|cx| cx.span().set_attribute(reasons));
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        tracing::warn!("request failed: {self}");
        let status = match &self {
            Self::BadRequest(rejection) => rejection.status(),
            Self::NoWorker(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Worker(_) => StatusCode::BAD_GATEWAY,
        };
        let error = json!({ "error": { "message": self.to_string() } });
        (status, Json(error)).into_response()
    }
}
