//! What is compared: suites of contenders.

use crate::calls::{Batch, Exchange};
use crate::telemetry::{Mode, Needs};
use crate::{grpc, http};

/// A service within some library's layer, or bare.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) build: fn(Exchange) -> Box<dyn Batch>,
}

impl Contender {
    pub(crate) const fn new(
        name: &'static str,
        needs: Needs,
        build: fn(Exchange) -> Box<dyn Batch>,
    ) -> Self {
        Self { name, needs, build }
    }
}

/// Contenders that answer the same call; the first is bare, the second ours.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Of the numbers in its table.
    pub(crate) decimals: usize,
    pub(crate) contenders: &'static [Contender],
    pub(crate) exchange: fn(Mode) -> ::http::Result<Exchange>,
}

pub(crate) const SUITES: [&Suite; 3] = [&http::UNARY, &http::STREAM, &grpc::UNARY];
