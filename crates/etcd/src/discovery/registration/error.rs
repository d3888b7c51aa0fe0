use dynamo_trace_core::Ending;
use dynamo_trace_grpc::status;
use std::time::Duration;
use tonic::Code;

/// Why an instance is not registered, or cannot be updated or taken out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else has the key: see [`exclusive`](super::Registration::exclusive).
    #[error("the key is there already, with another lease")]
    Taken,
    /// The lease has expired, or was revoked.
    #[error("the lease is gone")]
    LeaseGone,
    /// The server did not answer for so long.
    #[error("no answer within {0:?}")]
    Unanswered(Duration),
    /// The runtime has shut down the task of the registration.
    #[error("the registration has ended")]
    Ended,
    /// What etcd or the way to it says.
    #[error(transparent)]
    Etcd(#[from] etcd_client::Error),
}

impl Error {
    /// Whether it says that there is no such lease.
    pub(super) fn is_lease_gone(&self) -> bool {
        match self {
            Self::LeaseGone => true,
            Self::Etcd(etcd_client::Error::GRpcStatus(status)) => status.code() == Code::NotFound,
            _ => false,
        }
    }

    /// How a span ends with it. Without one, complete.
    pub(super) fn ending(error: Option<&Self>) -> Ending {
        match error {
            None => Ending::Complete,
            Some(Self::Etcd(etcd_client::Error::GRpcStatus(status))) => {
                Ending::failed(status::name(status.code()))
            }
            Some(Self::Taken) => Ending::failed("taken"),
            Some(other) => Ending::failed_with(other),
        }
    }
}
