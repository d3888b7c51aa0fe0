use super::created::{Created, reason};
use super::resume::{Resume, Resuming, is_final};
use crate::aside::Aside;
use etcd_client::{Error, WatchResponse};
use futures_core::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The responses of a watch, of which there may be several, one after the other.
pub(super) struct Responses {
    pub(super) created: Created,
    pub(super) aside: Option<Arc<Aside>>,
    resume: Option<Resume>,
    state: State,
    pub(super) compact_revision: Option<i64>,
}

/// Whether the stream has ended, and what is to be said of it.
enum State {
    Open,
    /// The user has asked for it.
    Cancelling,
    Resuming(Resuming),
    Failed(Error),
    Ended,
}

/// A response, and how many of the events at its front have been there before.
pub(super) struct Taken {
    pub(super) response: WatchResponse,
    pub(super) repeated: usize,
}

impl Responses {
    pub(super) fn new(created: Created, aside: Option<Arc<Aside>>, resume: Option<Resume>) -> Self {
        Self {
            created,
            aside,
            resume,
            state: State::Open,
            compact_revision: None,
        }
    }

    /// Expects the end, and tells whether there is a stream to ask for it.
    pub(super) fn cancel(&mut self) -> bool {
        match self.state {
            State::Open => self.state = State::Cancelling,
            State::Resuming(_) => {
                self.state = State::Ended;
                return false;
            }
            _ => {}
        }
        true
    }

    pub(super) fn times_resumed(&self) -> u64 {
        self.resume.as_ref().map_or(0, |resume| resume.times)
    }

    /// The next response; `None` at the end, of which [`end`](Self::end) tells.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Taken>> {
        loop {
            match &mut self.state {
                State::Open | State::Cancelling => {
                    match ready!(Pin::new(&mut self.created.stream).poll_next(cx)) {
                        Some(Ok(response)) => return Poll::Ready(Some(self.accept(response))),
                        Some(Err(error)) => self.lose(Some(error)),
                        None => self.lose(None),
                    }
                }
                State::Resuming(resuming) => match ready!(resuming.as_mut().poll(cx)) {
                    Ok(created) => {
                        self.created = created;
                        self.state = State::Open;
                    }
                    Err(error) => self.state = State::Failed(error),
                },
                State::Failed(_) | State::Ended => return Poll::Ready(None),
            }
        }
    }

    /// What is to be said when all was handed on; pending while there may be more.
    pub(super) fn end(&mut self) -> Poll<Option<Error>> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => Poll::Ready(None),
            State::Failed(error) => Poll::Ready(Some(error)),
            open => {
                self.state = open;
                Poll::Pending
            }
        }
    }

    fn accept(&mut self, response: WatchResponse) -> Taken {
        let mut repeated = 0;
        if let Some(resume) = &mut self.resume {
            let is_fragment = self
                .aside
                .as_ref()
                .is_some_and(|aside| aside.watched().is_fragment);
            repeated = resume.accept(&response, is_fragment);
        }
        if response.canceled() {
            let compacted = response.compact_revision();
            self.compact_revision = (compacted > 0).then_some(compacted);
            self.lose(Some(Error::WatchError(reason(&response))));
        }
        Taken { response, repeated }
    }

    /// The stream has ended, or is about to.
    fn lose(&mut self, error: Option<Error>) {
        let is_lost_for_good = self.compact_revision.is_some()
            || matches!(self.state, State::Cancelling)
            || error.as_ref().is_some_and(is_final);
        self.state = match (&mut self.resume, error) {
            (Some(resume), _) if !is_lost_for_good => State::Resuming(resume.start()),
            // The user has asked for it.
            (_, Some(Error::WatchError(_))) if matches!(self.state, State::Cancelling) => {
                State::Ended
            }
            (_, Some(error)) => State::Failed(error),
            (_, None) => State::Ended,
        };
    }
}
