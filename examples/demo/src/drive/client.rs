use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// A plain client of the chat API: it knows nothing of tracing.
#[derive(Clone, Debug)]
pub struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    url: String,
}

/// A streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The trace, which the answer's id names.
    pub trace_id: [u8; 16],
    /// The text.
    pub text: String,
}

impl Client {
    /// A client of the frontend at this URL.
    #[must_use]
    pub fn new(frontend: &str) -> Self {
        Self {
            http: legacy::Client::builder(TokioExecutor::new()).build_http(),
            url: format!("{frontend}/v1/chat/completions"),
        }
    }

    /// Sends a request and reads the tokens to the end.
    ///
    /// # Errors
    ///
    /// If the answer is not a complete one.
    pub async fn chat(&self, prompt: &str) -> anyhow::Result<Answer> {
        self.chat_with(prompt, 16, HeaderMap::new()).await
    }

    /// Sends a request for so many tokens with these headers and reads them to the end.
    ///
    /// # Errors
    ///
    /// If the answer is not a complete one.
    pub async fn chat_with(
        &self,
        prompt: &str,
        max_tokens: u32,
        headers: HeaderMap,
    ) -> anyhow::Result<Answer> {
        let response = self.start(prompt, max_tokens, headers).await?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .context("the answer broke off")?;
        let body = String::from_utf8(body.to_bytes().into())?;
        anyhow::ensure!(status.is_success(), "{status}: {body}");
        read_events(&body)
    }

    /// Sends a request for so many tokens with these headers, and gives back the response as soon
    /// as its head is there.
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub async fn start(
        &self,
        prompt: &str,
        max_tokens: u32,
        headers: HeaderMap,
    ) -> anyhow::Result<Response<Incoming>> {
        let body = json!({
            "model": "demo",
            "messages": [{ "role": "user", "content": prompt }],
            "max_tokens": max_tokens,
            "stream": true,
        });
        let mut request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        request.headers_mut().extend(headers);
        Ok(self.http.request(request).await?)
    }
}

fn read_events(body: &str) -> anyhow::Result<Answer> {
    let mut text = String::new();
    let mut id = None;
    let mut done = false;
    for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if data == "[DONE]" {
            done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data)?;
        let at = |pointer| chunk.pointer(pointer).and_then(Value::as_str);
        anyhow::ensure!(
            chunk.get("error").is_none(),
            "the answer is an error: {data}"
        );
        text.push_str(at("/choices/0/delta/content").unwrap_or_default());
        id = at("/id").map(str::to_owned).or(id);
    }
    anyhow::ensure!(done, "the answer has no end mark");
    let id = id.context("the answer has no id")?;
    Ok(Answer {
        trace_id: trace_id(&id).context("the answer's id names no trace")?,
        text,
    })
}

fn trace_id(completion_id: &str) -> Option<[u8; 16]> {
    let hex = completion_id.strip_prefix("chatcmpl-")?;
    let traceparent = format!("00-{hex}-0000000000000001-00");
    let parsed = dynamo_trace::w3c::TraceParent::parse(traceparent.as_bytes()).ok()?;
    Some(parsed.trace_id())
}
