use super::side::Side;
use crate::telemetry::{Mode, ended};
use anyhow::ensure;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;

/// How many requests wait for their replies at the same time.
const IN_FLIGHT: usize = 16;

/// What is timed.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) name: &'static str,
    /// How many there are in a turn.
    pub(crate) count: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Publish,
    Deliver,
    Request,
}

impl Turn {
    pub(crate) const ALL: [Self; 3] = [
        Self {
            name: "publish",
            count: 20_000,
            what: What::Publish,
        },
        Self {
            name: "publish, receive and process",
            count: 20_000,
            what: What::Deliver,
        },
        Self {
            name: "request, process and reply",
            count: 4_000,
            what: What::Request,
        },
    ];

    /// The seconds that it takes.
    pub(crate) fn take(&self, runtime: &Runtime, side: &Arc<Side>) -> anyhow::Result<f64> {
        let _current = side.caller().attach();
        let [_, before] = ended();
        let start = Instant::now();
        runtime.block_on(self.run(side))?;
        let seconds = start.elapsed().as_secs_f64();
        let [_, after] = ended();
        let is_recorded = side.mode == Some(Mode::Sampled);
        let (spans, expected) = (after - before, if is_recorded { self.count } else { 0 });
        ensure!(
            spans == expected,
            "{spans} spans instead of {expected} below the caller's"
        );
        Ok(seconds)
    }

    async fn run(&self, side: &Arc<Side>) -> anyhow::Result<()> {
        let Self { count, what, .. } = *self;
        match what {
            What::Publish => publish(side, side.subjects().nobody, count).await,
            What::Deliver => {
                // A task of its own: the caller is not current there.
                let taker = side.clone();
                let taken = tokio::spawn(async move { taker.take(count).await });
                publish(side, side.subjects().events, count).await?;
                taken.await?
            }
            What::Request => {
                let requests = (0..count).map(|_| side.request());
                let requests = stream::iter(requests).buffer_unordered(IN_FLIGHT);
                requests.try_collect::<()>().await
            }
        }
    }
}

async fn publish(side: &Side, subject: &'static str, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        side.publish(subject).await?;
    }
    side.flush().await
}
