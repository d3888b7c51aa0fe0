use super::{Error, Registration};
use crate::Client;
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use std::time::Duration;
use tokio::time::timeout;

/// The longest that one try may take.
const ATTEMPT: Duration = Duration::from_secs(30);

/// A key, and the lease that it has.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) etcd: Client,
    key: Vec<u8>,
    /// In seconds, as it is asked for.
    ttl: i64,
    exclusive: bool,
    pub(super) lease: Option<Lease>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) id: i64,
    /// As the server granted it.
    pub(super) ttl: Duration,
}

impl Place {
    pub(super) fn new(registration: &Registration) -> Self {
        Self {
            etcd: registration.etcd.clone(),
            key: registration.key.clone(),
            ttl: whole_seconds(registration.ttl),
            exclusive: registration.exclusive,
            lease: None,
        }
    }

    /// Puts the value with the lease, which is granted first where there is none.
    pub(super) async fn claim(&mut self, value: &[u8]) -> Result<(), Error> {
        let lease = match self.lease {
            Some(lease) => lease,
            None => *self.lease.insert(self.grant().await?),
        };
        let put = self.put(value, lease.id).await;
        if put.as_ref().is_err_and(Error::is_lease_gone) {
            self.lease = None;
        }
        put
    }

    /// As [`claim`](Self::claim), for as long as one try may take.
    pub(super) async fn try_claim(&mut self, value: &[u8]) -> Result<(), Error> {
        in_time(ATTEMPT, self.claim(value)).await
    }

    async fn grant(&self) -> Result<Lease, Error> {
        let granted = self.etcd.lease_grant(self.ttl, None).await?;
        let seconds = u64::try_from(granted.ttl()).unwrap_or(0).max(1);
        Ok(Lease {
            id: granted.id(),
            ttl: Duration::from_secs(seconds),
        })
    }

    pub(super) async fn put(&self, value: &[u8], lease: i64) -> Result<(), Error> {
        let (key, options) = (self.key.clone(), PutOptions::new().with_lease(lease));
        if !self.exclusive {
            self.etcd.put(key, value, Some(options)).await?;
            return Ok(());
        }
        let is_free = Compare::version(key.clone(), CompareOp::Equal, 0);
        // It is there after a put whose answer was lost, and for updates.
        let is_own = Compare::lease(key.clone(), CompareOp::Equal, lease);
        let put = TxnOp::put(key, value, Some(options));
        let over = Txn::new().when([is_own]).and_then([put.clone()]);
        let put = Txn::new()
            .when([is_free])
            .and_then([put])
            .or_else([TxnOp::txn(over)]);
        let response = self.etcd.txn(put).await?;
        let put = response.succeeded() || nested_succeeded(&response);
        put.then_some(()).ok_or(Error::Taken)
    }

    /// Revokes the lease, and the key goes with it if it has that lease.
    pub(super) async fn leave(&mut self) -> Result<(), Error> {
        let Some(lease) = self.lease.take() else {
            return Ok(());
        };
        let revoke = async { Ok(self.etcd.lease_revoke(lease.id).await?) };
        match in_time(lease.ttl, revoke).await {
            Err(error) if error.is_lease_gone() => Ok(()),
            revoked => revoked.map(|_| ()),
        }
    }
}

/// Waits for a server that may be silent, `ATTEMPT` at most.
pub(super) async fn in_time<T>(
    most: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let most = most.min(ATTEMPT);
    let answered = timeout(most, call).await;
    answered.unwrap_or(Err(Error::Unanswered(most)))
}

fn nested_succeeded(response: &etcd_client::TxnResponse) -> bool {
    use etcd_client::TxnOpResponse::Txn;
    matches!(response.op_responses().first(), Some(Txn(nested)) if nested.succeeded())
}

fn whole_seconds(ttl: Duration) -> i64 {
    let rounded_up =
        ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0).min(u64::MAX - ttl.as_secs());
    i64::try_from(rounded_up).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_live_is_whole_seconds_and_never_none() {
        for (ttl, seconds) in [
            (Duration::ZERO, 1),
            (Duration::from_millis(1), 1),
            (Duration::from_millis(1001), 2),
            (Duration::from_secs(60), 60),
            (Duration::MAX, i64::MAX),
        ] {
            assert_eq!(whole_seconds(ttl), seconds, "{ttl:?}");
        }
    }
}
