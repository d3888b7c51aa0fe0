use crate::telemetry::Mode;
use anyhow::Context as _;
use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;
use dynamo_trace_nats::{Client, Headers, Propagation, Subscriber};
use futures_util::StreamExt;
use opentelemetry::Context;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::sync::Mutex;

const PAYLOAD: Bytes = Bytes::from_static(&[b'x'; 128]);
static NAME: HeaderName = HeaderName::from_static("traceparent");

/// One of those that are compared. It has connections of its own: to send by, to receive by, and
/// to answer its requests by.
#[derive(Debug)]
pub(crate) struct Side {
    subjects: &'static Subjects,
    /// Of the caller, if that is traced.
    pub(crate) mode: Option<Mode>,
    nats: Nats,
}

#[derive(Debug)]
pub(crate) struct Subjects {
    /// Where nobody listens.
    pub(crate) nobody: &'static str,
    pub(crate) events: &'static str,
    pub(crate) work: &'static str,
}

#[derive(Debug)]
enum Nats {
    /// async-nats alone, with a header of the same length.
    Plain(async_nats::Client, Mutex<async_nats::Subscriber>),
    Traced(Client, Mutex<Subscriber>),
}

impl Side {
    pub(crate) async fn plain(url: &str, subjects: &'static Subjects) -> anyhow::Result<Self> {
        let connect = || async_nats::connect(url);
        let (nats, receiver, responder) = (connect().await?, connect().await?, connect().await?);
        let events = receiver.subscribe(subjects.events).await?;
        receiver.flush().await?;
        let mut work = responder.subscribe(subjects.work).await?;
        responder.flush().await?;
        tokio::spawn(async move {
            while let Some(request) = work.next().await {
                let reply = request.reply.context("no request")?;
                let sent = responder.publish_with_headers(reply, header(), request.payload);
                sent.await?;
            }
            anyhow::Ok(())
        });
        Ok(Self {
            subjects,
            mode: None,
            nats: Nats::Plain(nats, Mutex::new(events)),
        })
    }

    pub(crate) async fn traced(
        url: &str,
        subjects: &'static Subjects,
        mode: Mode,
    ) -> anyhow::Result<Self> {
        let provider = mode.provider();
        let connect = || connect(url, &provider);
        let (nats, receiver, responder) = (connect().await?, connect().await?, connect().await?);
        let events = receiver.subscribe(subjects.events).await?;
        receiver.flush().await?;
        let mut work = responder.subscribe(subjects.work).await?;
        responder.flush().await?;
        tokio::spawn(async move {
            while let Some(received) = work.next().await {
                let responder = &responder;
                let work = received.process(async move |request| {
                    responder.reply(&request, request.payload.clone()).await
                });
                work.await?;
            }
            anyhow::Ok(())
        });
        Ok(Self {
            subjects,
            mode: Some(mode),
            nats: Nats::Traced(nats, Mutex::new(events)),
        })
    }

    /// Whose child each span is.
    pub(crate) fn caller(&self) -> Context {
        let mut headers = HeaderMap::new();
        if let Some(mode) = self.mode {
            headers.append(NAME.clone(), mode.traceparent().as_str());
        }
        Propagation::w3c().extract(&Context::new(), &Headers(&headers))
    }

    pub(crate) const fn subjects(&self) -> &'static Subjects {
        self.subjects
    }

    pub(crate) async fn publish(&self, subject: &'static str) -> anyhow::Result<()> {
        match &self.nats {
            Nats::Plain(nats, _) => {
                nats.publish_with_headers(subject, header(), PAYLOAD)
                    .await?;
            }
            Nats::Traced(nats, _) => nats.publish(subject, PAYLOAD).await?,
        }
        Ok(())
    }

    /// Waits until the server has all that was published.
    pub(crate) async fn flush(&self) -> anyhow::Result<()> {
        match &self.nats {
            Nats::Plain(nats, _) => nats.flush().await?,
            Nats::Traced(nats, _) => nats.flush().await?,
        }
        Ok(())
    }

    /// Takes so many of the events; ours processes each.
    pub(crate) async fn take(&self, count: usize) -> anyhow::Result<()> {
        match &self.nats {
            Nats::Plain(_, events) => {
                let mut events = events.lock().await;
                for _ in 0..count {
                    events.next().await.context("no more events")?;
                }
            }
            Nats::Traced(_, events) => {
                let mut events = events.lock().await;
                for _ in 0..count {
                    let received = events.next().await.context("no more events")?;
                    received.process(async |message| drop(message)).await;
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn request(&self) -> anyhow::Result<()> {
        let subject = self.subjects.work;
        match &self.nats {
            Nats::Plain(nats, _) => {
                let request = nats.request_with_headers(subject, header(), PAYLOAD);
                request.await?;
            }
            Nats::Traced(nats, _) => {
                nats.request(subject, PAYLOAD).await?;
            }
        }
        Ok(())
    }
}

async fn connect(url: &str, provider: &SdkTracerProvider) -> anyhow::Result<Client> {
    let nats = Client::new(async_nats::connect(url).await?);
    Ok(nats.with_tracer_provider(provider))
}

fn header() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append(
        NAME.clone(),
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    );
    headers
}
