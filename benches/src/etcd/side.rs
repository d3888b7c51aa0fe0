use super::turn::Turn;
use crate::telemetry::Mode;
use anyhow::{Context as _, ensure};
use dynamo_trace_core::Propagation;
use dynamo_trace_etcd::etcd_client::{self, Txn, TxnOp, WatchOptions, WatchStream};
use dynamo_trace_etcd::{Client, Watcher};
use opentelemetry::Context;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

/// How many keys are put in turn.
const KEYS: usize = 1_000;
const VALUE: [u8; 100] = [7; 100];

/// One of the two clients. Each watches what it puts itself.
pub(crate) struct Side {
    etcd: etcd_client::Client,
    turn: Turn,
    caller: Context,
    /// Of its keys; no other side's are between ours and the companions.
    prefix: &'static str,
    changes: Changes,
    calls: usize,
}

enum Changes {
    None,
    Plain(Box<WatchStream>),
    Traced(Box<Watcher>),
}

impl Side {
    /// etcd-client alone, and ours.
    pub(crate) async fn both(endpoint: &str, turn: Turn) -> anyhow::Result<[Self; 2]> {
        Ok([
            Self::plain(endpoint, turn).await?,
            Self::traced(endpoint, turn).await?,
        ])
    }

    async fn plain(endpoint: &str, turn: Turn) -> anyhow::Result<Self> {
        let prefix = "plain/";
        let mut etcd = etcd_client::Client::connect([endpoint], None).await?;
        let changes = match turn {
            Turn::Put | Turn::PutOfTwo | Turn::Get => Changes::None,
            Turn::Change | Turn::ChangeBesideCompanions => {
                let options = WatchOptions::new().with_prefix();
                Changes::Plain(Box::new(etcd.watch(prefix, Some(options)).await?))
            }
        };
        Ok(Self {
            etcd,
            turn,
            caller: Context::new(),
            prefix,
            changes,
            calls: 0,
        })
    }

    async fn traced(endpoint: &str, turn: Turn) -> anyhow::Result<Self> {
        let prefix = "a/";
        let etcd = Client::builder()
            .with_tracer_provider(&Mode::Sampled.provider())
            .with_propagation(Propagation::w3c())
            .connect([endpoint], None)
            .await?;
        let options = WatchOptions::new();
        let watch = match turn {
            Turn::Put | Turn::PutOfTwo | Turn::Get => None,
            Turn::Change => Some((prefix, options.with_prefix())),
            Turn::ChangeBesideCompanions => {
                Some((Client::DEFAULT_COMPANION_PREFIX, options.with_range("a0")))
            }
        };
        let changes = match watch {
            Some((key, options)) => {
                Changes::Traced(Box::new(etcd.watch(key, Some(options)).await?))
            }
            None => Changes::None,
        };
        let fields = BTreeMap::from([("traceparent".to_owned(), Mode::Sampled.traceparent())]);
        Ok(Self {
            etcd: match turn {
                Turn::PutOfTwo => etcd_client::Client::connect([endpoint], None).await?,
                _ => etcd.into_inner(),
            },
            turn,
            caller: Propagation::w3c().extract(&Context::new(), &fields),
            prefix,
            changes,
            calls: 0,
        })
    }

    /// Makes one call, and says how long it took.
    pub(crate) async fn take(&mut self) -> anyhow::Result<Duration> {
        let caller = self.caller.clone();
        let mut call = pin!(self.call());
        let start = Instant::now();
        poll_fn(|cx| {
            let _current = caller.clone().attach();
            call.as_mut().poll(cx)
        })
        .await?;
        Ok(start.elapsed())
    }

    async fn call(&mut self) -> anyhow::Result<()> {
        self.calls += 1;
        let key = format!("{}{:04}", self.prefix, self.calls % KEYS);
        match self.turn {
            Turn::PutOfTwo if self.prefix == "a/" => {
                let second = TxnOp::put(format!("b/{key}"), VALUE, None);
                let both = [TxnOp::put(key, VALUE, None), second];
                self.etcd.txn(Txn::new().and_then(both)).await?;
            }
            Turn::Put | Turn::PutOfTwo => {
                self.etcd.put(key, VALUE, None).await?;
            }
            Turn::Get => {
                self.etcd.get(key, None).await?;
            }
            Turn::Change | Turn::ChangeBesideCompanions => {
                let put = self.etcd.put(key, VALUE, None).await?;
                let revision = put.header().context("no header")?.revision();
                self.changes.until(revision).await?;
            }
        }
        Ok(())
    }
}

impl Changes {
    /// Until the change that made this revision.
    async fn until(&mut self, revision: i64) -> anyhow::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Plain(changes) => loop {
                let response = changes.message().await?.context("the watch ended")?;
                let mut events = response.events().iter().filter_map(|event| event.kv());
                if events.any(|kv| kv.mod_revision() == revision) {
                    return Ok(());
                }
            },
            Self::Traced(changes) => loop {
                let change = changes.next().await.context("the watch ended")??;
                if change.kv().is_some_and(|kv| kv.mod_revision() == revision) {
                    ensure!(change.remote().span_context().is_some(), "no context");
                    return Ok(());
                }
            },
        }
    }
}
