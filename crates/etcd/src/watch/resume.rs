use super::created::{Created, create};
use super::position::Position;
use crate::aside::Aside;
use crate::backoff::Backoff;
use etcd_client::{
    Error, Event, GetOptions, KeyValue, KvClient, ResponseHeader, WatchClient, WatchOptions,
    WatchResponse,
};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;
use tonic::Code;

/// How etcd says that a user may not watch: it cancels the watch, with a text.
const DENIED: [&str; 4] = [
    "permission denied",
    "invalid auth token",
    "revision of auth store is old",
    "user name is empty",
];

/// A watch that is being created once more.
pub(super) type Resuming = Pin<Box<dyn Future<Output = Result<Created, Error>> + Send>>;

/// Creates a watch once more, from where it was.
pub(super) struct Resume {
    watch: WatchClient,
    kv: KvClient,
    key: Vec<u8>,
    options: WatchOptions,
    aside: Arc<Aside>,
    position: Position,
    backoff: Arc<Mutex<Backoff>>,
    /// How many times in all.
    pub(super) times: u64,
}

impl Resume {
    pub(super) fn new(
        (watch, kv): (WatchClient, KvClient),
        (key, options): (Vec<u8>, WatchOptions),
        aside: Arc<Aside>,
        position: Position,
    ) -> Self {
        Self {
            watch,
            kv,
            key,
            options,
            aside,
            position,
            backoff: Arc::new(Mutex::new(Backoff::new(Backoff::MOST))),
            times: 0,
        }
    }

    /// Takes in a response, and tells how many of its events have been there before.
    pub(super) fn accept(&mut self, response: &WatchResponse, is_fragment: bool) -> usize {
        let revision = |event: &Event| event.kv().map_or(0, KeyValue::mod_revision);
        let revisions: Vec<_> = response.events().iter().map(revision).collect();
        if response.canceled() || response.created() {
            return 0;
        }
        if revisions.is_empty() {
            let revision = response.header().map_or(0, ResponseHeader::revision);
            self.position.progress(revision);
        }
        self.position.accept(&revisions, is_fragment)
    }

    /// Tries until the server takes it, or says that it never will.
    pub(super) fn start(&mut self) -> Resuming {
        let next = self.position.resume();
        let mut attempt = Attempt {
            watch: self.watch.clone(),
            kv: self.kv.clone(),
            key: self.key.clone(),
            options: self.options.clone().with_start_revision(next),
            aside: Arc::clone(&self.aside),
            may_be_stale: true,
        };
        self.times = self.times.saturating_add(1);
        let backoff = Arc::clone(&self.backoff);
        Box::pin(async move {
            // One watch is created at a time.
            let mut backoff = backoff.lock().await;
            loop {
                backoff.pause().await;
                match attempt.create().await {
                    Err(error) if attempt.is_final(&error).await => return Err(error),
                    Err(_) => {}
                    Ok(created) => return Ok(created),
                }
            }
        })
    }
}

struct Attempt {
    watch: WatchClient,
    kv: KvClient,
    key: Vec<u8>,
    options: WatchOptions,
    aside: Arc<Aside>,
    /// A refusal may be due to a token that the server no longer knows.
    may_be_stale: bool,
}

impl Attempt {
    async fn create(&mut self) -> Result<Created, Error> {
        let options = Some(self.options.clone());
        let created = self.watch.watch(self.key.clone(), options);
        create(self.aside.during(created).await?).await
    }

    async fn is_final(&mut self, error: &Error) -> bool {
        if !is_denied(error) {
            self.may_be_stale = true;
            return is_final(error);
        }
        // It may be the token only: etcd 3.4 says so no otherwise than of a right that is missing,
        // and etcd-client renews the token in other calls alone.
        let is_final = !self.may_be_stale || self.read().await.is_err_and(|error| is_final(&error));
        self.may_be_stale = false;
        is_final
    }

    async fn read(&mut self) -> Result<(), Error> {
        let options = GetOptions::new().with_count_only();
        self.kv.get(self.key.clone(), Some(options)).await.map(drop)
    }
}

/// Whether the server has said that this watch may not be.
pub(super) fn is_denied(error: &Error) -> bool {
    match error {
        Error::WatchError(why) => DENIED.iter().any(|denied| why.contains(denied)),
        Error::GRpcStatus(status) => {
            matches!(
                status.code(),
                Code::PermissionDenied | Code::Unauthenticated
            )
        }
        _ => false,
    }
}

/// Whether another try has no better chance.
pub(super) fn is_final(error: &Error) -> bool {
    match error {
        Error::GRpcStatus(status) => matches!(
            status.code(),
            Code::InvalidArgument
                | Code::NotFound
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::Unimplemented
        ),
        Error::WatchError(_) | Error::TransportError(_) | Error::IoError(_) => false,
        _ => true,
    }
}
