use etcd_client::Channel;
use http::{Request, Response};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::transport::{Channel as TonicChannel, Endpoint};
use tower::BoxError;
use tower::util::BoxCloneSyncService;
use tower_service::Service;

/// Sees every request that goes to etcd, and can keep one method from being answered.
#[derive(Clone, Default)]
pub(crate) struct Tap {
    seen: Arc<Mutex<Vec<Seen>>>,
    stuck: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) traceparent: Option<String>,
}

impl Tap {
    pub(crate) fn that_never_answers(method: &'static str) -> Self {
        Self {
            stuck: Some(method),
            ..Self::default()
        }
    }

    pub(crate) fn channel(&self, endpoint: &str) -> Channel {
        let endpoint: Endpoint = format!("http://{endpoint}").parse().unwrap();
        Channel::Custom(BoxCloneSyncService::new(Tapped {
            inner: endpoint.connect_lazy(),
            tap: self.clone(),
        }))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn methods(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.method).collect()
    }
}

#[derive(Clone)]
struct Tapped {
    inner: TonicChannel,
    tap: Tap,
}

impl Service<Request<Body>> for Tapped {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let traceparent = request.headers().get("traceparent");
        let traceparent = traceparent.map(|value| value.to_str().unwrap().to_owned());
        let stuck = self.tap.stuck == Some(&method);
        self.tap.seen.lock().unwrap().push(Seen {
            method,
            traceparent,
        });
        let response = self.inner.call(request);
        Box::pin(async move {
            if stuck {
                std::future::pending::<()>().await;
            }
            Ok(response.await?)
        })
    }
}
