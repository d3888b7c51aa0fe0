use super::attempt::{Attempt, Kind};
use super::restore::is_known;
use super::rewrite::Rewriter;
use super::unary::MAX_LEN;
use super::write::Rpc;
use super::{Companions, read};
use crate::aside::{Aside, Coverage};
use crate::carrier;
use crate::counts::Loss;
use crate::envelope::{Opener, Sealer, compared_values};
use crate::places::Place;
use bytes::Bytes;
use http::request;
use opentelemetry::Context;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tonic::Code;

/// The metadata that etcd takes a user's token from.
const TOKENS: [&str; 2] = ["token", "authorization"];

/// How a call is made: as the first of these attempts that the server does not refuse.
pub(super) struct Plan {
    pub(super) attempts: Vec<Attempt>,
    rpc: Rpc,
    aside: Option<Arc<Aside>>,
}

impl Plan {
    /// The response to the call; `None` for what is not the response to the attempt.
    pub(super) fn restore(
        &self,
        at: usize,
        response: Bytes,
        companions: &Companions,
    ) -> Option<Bytes> {
        let attempt = self.attempts.get(at)?;
        let response = attempt.restore(response, self.aside.as_deref())?;
        if self.aside.is_some() && self.rpc == Rpc::Txn && !is_known(&response) {
            return None;
        }
        if !companions.places.have_envelopes() {
            return Some(response);
        }
        let opener = Opener {
            places: &companions.places,
            aside: self.aside.as_deref(),
        };
        let opened = match self.rpc {
            Rpc::Put => opener.put(&response),
            Rpc::DeleteRange => opener.delete_range(&response),
            Rpc::Txn => opener.txn(&response),
            Rpc::Range => opener.range(&response),
        };
        Some(opened.unwrap_or(response))
    }

    /// The longest response that is read, in bytes.
    pub(super) fn max_len(&self) -> usize {
        let aside = self.aside.as_ref();
        aside.map_or(MAX_LEN, |aside| aside.max_len().min(MAX_LEN))
    }

    /// The companions were not read.
    pub(super) fn cannot_read(&self, code: Code) {
        if let Some(aside) = &self.aside {
            aside.set_coverage(Coverage::Lost(match code {
                Code::PermissionDenied => Loss::Denied,
                Code::OutOfRange => Loss::TooLarge,
                _ => Loss::Failed,
            }));
        }
    }
}

impl Companions {
    /// `None` where the call is to be made as it is, and nothing is to be done about the response.
    pub(super) fn plan(&self, rpc: Rpc, head: &request::Parts, message: &Bytes) -> Option<Plan> {
        let aside = Aside::current();
        let is_ours = aside.is_some();
        if rpc == Rpc::Range
            && let Some(aside) = &aside
        {
            aside.set_revision(read::revision(message));
        }
        let attempts = match rpc {
            Rpc::Range => self.reads(message, aside.as_deref())?,
            Rpc::Put | Rpc::DeleteRange | Rpc::Txn => self.writes(rpc, head, message, is_ours)?,
        };
        Some(Plan {
            attempts,
            rpc,
            aside,
        })
    }

    fn reads(&self, message: &Bytes, aside: Option<&Aside>) -> Option<Vec<Attempt>> {
        let mut attempts = Vec::with_capacity(2);
        if let Some(aside) = aside.filter(|aside| aside.wants_companions())
            && let Some(prefix) = self.places.companions()
            && let Some(txn) = read::with_companions(message, &self.places, prefix)
        {
            if self.read_refusals.admits(Instant::now()) {
                attempts.push(Attempt::read(&txn, prefix.clone()));
            } else {
                aside.set_coverage(Coverage::Lost(Loss::Denied));
            }
        }
        if attempts.is_empty() && !read::may_have(message, &self.places, Place::Envelope) {
            return None;
        }
        attempts.push(Attempt::own(Rpc::Range, message.clone(), Kind::Plain));
        Some(attempts)
    }

    fn writes(
        &self,
        rpc: Rpc,
        head: &request::Parts,
        message: &Bytes,
        is_ours: bool,
    ) -> Option<Vec<Attempt>> {
        let cx = Context::current();
        let block = carrier::write(self.instrumentation.propagation(), &cx, SystemTime::now());
        let sealed = self.seal(rpc, message, block.as_deref());
        let own = sealed.as_ref().unwrap_or(message);
        let txn = rpc.to_txn(own.clone())?;
        super::describe(&txn, &cx);
        if rpc == Rpc::Txn && self.places.have_envelopes() {
            let compared = compared_values(message, &self.places);
            self.counts.compared(compared);
        }
        let mut attempts = Vec::new();
        if let Some(prefix) = self.places.companions() {
            let rewriter = Rewriter {
                prefix,
                places: &self.places,
                companion: block.as_ref(),
                rpc,
                authenticated: TOKENS.iter().any(|name| head.headers.contains_key(*name)),
                leaves_notes: false,
            };
            attempts = self.accompany(rewriter, txn).unwrap_or_default();
        }
        if attempts.is_empty() && !is_ours && !self.places.have_envelopes() {
            return None;
        }
        let plain = match block {
            Some(_) => self.seal(rpc, message, None),
            None => sealed.clone(),
        };
        let plain = plain.unwrap_or_else(|| message.clone());
        if let Some(sealed) = sealed.filter(|sealed| *sealed != plain) {
            attempts.push(Attempt::own(rpc, sealed, Kind::Sealed));
        }
        attempts.push(Attempt::own(rpc, plain, Kind::Plain));
        Some(attempts)
    }

    fn seal(&self, rpc: Rpc, message: &[u8], block: Option<&[u8]>) -> Option<Bytes> {
        if !self.places.have_envelopes() {
            return None;
        }
        let places = &self.places;
        let sealer = Sealer { places, block };
        match rpc {
            Rpc::Put => sealer.put(message),
            Rpc::Txn => sealer.txn(message),
            Rpc::DeleteRange | Rpc::Range => None,
        }
    }
}
