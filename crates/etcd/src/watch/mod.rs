//! Watches: changes, and the context of what made them.
//!
//! - a response arrives ([`responses`]): its events queue up in order; companions among them are
//!   taken out and serve those beside them ([`sources`]).
//! - for the others, companions and notes are read, several at a time, by their own revision
//!   ([`lookup`]), unless that takes too long ([`patience`]).
//! - an event at the front whose cause is known is handed on, as [`Received`].
//! - the stream breaks: a watch that [`resume`]s is created once more, from its [`position`].
//!
//! [`Received`]: dynamo_trace_core::Received

mod cause;
mod change;
mod consumer;
mod created;
mod deletion;
mod lookup;
mod patience;
mod position;
mod queue;
mod responses;
mod resume;
mod sources;
mod watcher;

pub(crate) use cause::Cause;
pub(crate) use consumer::Changes;
pub use watcher::Watcher;

use crate::aside::Aside;
use crate::client::Shared;
use created::create;
use etcd_client::{Client, Error, WatchOptions};
use position::Position;
use responses::Responses;
use resume::Resume;
use std::sync::Arc;

/// Watches, and waits until the server has created the watch.
pub(crate) async fn watch(
    client: &Client,
    shared: &Shared,
    key: Vec<u8>,
    options: Option<WatchOptions>,
) -> Result<Watcher, Error> {
    let has_envelopes = shared.companions.places().have_envelopes();
    let aside = has_envelopes.then(|| Arc::new(Aside::default()));
    let mut watch = client.watch_client();
    let stream = match &aside {
        Some(aside) => aside.during(watch.watch(key, options)).await?,
        None => watch.watch(key, options).await?,
    };
    let responses = Responses::new(create(stream).await?, aside, None);
    Ok(Watcher::new(responses, client.kv_client(), shared))
}

/// Likewise, for a watch that is created once more where it breaks.
pub(crate) async fn watch_resuming(
    client: &Client,
    shared: &Shared,
    key: Vec<u8>,
    options: Option<WatchOptions>,
) -> Result<Watcher, Error> {
    let options = options.unwrap_or_default().with_progress_notify();
    let aside = Arc::new(Aside::default());
    let mut watch = client.watch_client();
    let stream = watch.watch(key.clone(), Some(options.clone()));
    let created = create(aside.during(stream).await?).await?;
    let next = match aside.watched().start_revision {
        0 => created.revision().saturating_add(1),
        start => start,
    };
    let clients = (watch, client.kv_client());
    let position = Position::new(next);
    let resume = Resume::new(clients, (key, options), Arc::clone(&aside), position);
    let responses = Responses::new(created, Some(aside), Some(resume));
    Ok(Watcher::new(responses, client.kv_client(), shared))
}
