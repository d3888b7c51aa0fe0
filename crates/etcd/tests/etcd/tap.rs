use bytes::Bytes;
use etcd_client::Channel;
use http::{Request, Response};
use http_body::Frame;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{Channel as TonicChannel, Endpoint};
use tower::BoxError;
use tower::util::BoxCloneSyncService;
use tower_service::Service;

/// Sees every request that goes to etcd, can keep one method from being answered, hold one request
/// back, and cut a response off.
#[derive(Clone)]
pub(crate) struct Tap {
    seen: Arc<Mutex<Vec<Seen>>>,
    stuck: Option<&'static str>,
    held: Option<usize>,
    go_on: Arc<watch::Sender<bool>>,
    /// How many bytes of responses still come; then the next response is cut off.
    bytes_left: Arc<AtomicUsize>,
    bytes_read: Arc<AtomicUsize>,
}

impl Default for Tap {
    fn default() -> Self {
        Self {
            seen: Arc::default(),
            stuck: None,
            held: None,
            go_on: Arc::new(watch::Sender::new(false)),
            bytes_left: Arc::new(AtomicUsize::new(usize::MAX)),
            bytes_read: Arc::default(),
        }
    }
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

    /// Holds back the request of this number, the first of which is 0, until it may go on.
    pub(crate) fn that_holds(request: usize) -> Self {
        Self {
            held: Some(request),
            ..Self::default()
        }
    }

    /// Cuts off the response behind so many bytes, once.
    pub(crate) fn that_cuts(bytes: usize) -> Self {
        let tap = Self::default();
        tap.bytes_left.store(bytes, Ordering::SeqCst);
        tap
    }

    pub(crate) fn go_on(&self) {
        self.go_on.send_replace(true);
    }

    /// How many bytes of responses were read.
    pub(crate) fn bytes_read(&self) -> usize {
        self.bytes_read.load(Ordering::SeqCst)
    }

    pub(crate) fn was_cut(&self) -> bool {
        self.bytes_left.load(Ordering::SeqCst) == CUT
    }

    /// Until there were so many requests.
    pub(crate) async fn until(&self, requests: usize) {
        while self.seen().len() < requests {
            tokio::task::yield_now().await;
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
        let number = {
            let mut seen = self.tap.seen.lock().unwrap();
            seen.push(Seen {
                method,
                traceparent,
            });
            seen.len() - 1
        };
        let mut go_on = (self.tap.held == Some(number)).then(|| self.tap.go_on.subscribe());
        // Ready, as the clone is not.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let tap = self.tap.clone();
        Box::pin(async move {
            if let Some(go_on) = &mut go_on {
                go_on.wait_for(|go_on| *go_on).await.unwrap();
            }
            let response = inner.call(request).await?;
            if stuck {
                std::future::pending::<()>().await;
            }
            Ok(response.map(|inner| Body::new(Counted { inner, tap })))
        })
    }
}

/// In place of the bytes that are left, once a response was cut off.
const CUT: usize = usize::MAX - 1;

/// A response body, until it is cut off.
struct Counted {
    inner: Body,
    tap: Tap,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.tap.bytes_read.fetch_add(data.len(), Ordering::SeqCst);
            let left = self.tap.bytes_left.load(Ordering::SeqCst);
            if left < CUT && left < data.len() {
                self.tap.bytes_left.store(CUT, Ordering::SeqCst);
                return Poll::Ready(Some(Err(Status::unavailable("cut off"))));
            }
            if left < CUT {
                let left = left - data.len();
                self.tap.bytes_left.store(left, Ordering::SeqCst);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}
