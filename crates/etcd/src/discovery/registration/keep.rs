use super::place::{Lease, in_time};
use super::{Error, State};
use crate::Client;
use crate::backoff::Backoff;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Keeps a lease alive, and tells how that goes.
pub(super) struct Keeper<'r> {
    pub(super) etcd: &'r Client,
    pub(super) lease: Lease,
    pub(super) count: i64,
    pub(super) states: &'r watch::Sender<State>,
    /// When the server last said that the lease is there.
    pub(super) confirmed: Instant,
}

impl Keeper<'_> {
    /// Ends when the lease is gone.
    pub(super) async fn keep(mut self) {
        let mut backoff = Backoff::new(self.lease.ttl / 3);
        loop {
            let Err(error) = self.renew().await;
            if error.is_lease_gone() {
                return;
            }
            self.failed(error);
            backoff.pause().await;
        }
    }

    /// Renews it at a third of its time to live, on one stream, until that fails.
    async fn renew(&mut self) -> Result<Infallible, Error> {
        let third = self.lease.ttl / 3;
        let open = async { Ok(self.etcd.lease_keep_alive(self.lease.id).await?) };
        let (mut keeper, mut answers) = in_time(third, open).await.map_err(at_opening)?;
        self.confirm();
        loop {
            sleep(third).await;
            let exchange = async {
                keeper.keep_alive().await?;
                Ok(answers.message().await?)
            };
            match in_time(third, exchange).await? {
                Some(answer) if answer.ttl() > 0 => self.confirm(),
                Some(_) => return Err(Error::LeaseGone),
                None => {
                    let closed = "the server closed the stream".to_owned();
                    return Err(etcd_client::Error::LeaseKeepAliveError(closed).into());
                }
            }
        }
    }

    fn confirm(&mut self) {
        self.confirmed = Instant::now();
        self.states.send_if_modified(|state| {
            let back = !state.is_registered();
            if back {
                *state = State::Registered {
                    lease: self.lease.id,
                    count: self.count,
                };
            }
            back
        });
    }

    fn failed(&self, error: Error) {
        tracing::debug!(target: "dynamo_trace", %error, "a lease could not be kept alive");
        let error = Arc::new(error);
        let run_out = self.confirmed.elapsed() >= self.lease.ttl;
        self.states.send_replace(match run_out {
            true => State::Lost { error },
            false => State::Unconfirmed { error },
        });
    }
}

/// There etcd-client says of a lease that is gone what it says of any other failure, but for the
/// kind.
fn at_opening(error: Error) -> Error {
    match error {
        Error::Etcd(etcd_client::Error::LeaseKeepAliveError(_)) => Error::LeaseGone,
        other => other,
    }
}
