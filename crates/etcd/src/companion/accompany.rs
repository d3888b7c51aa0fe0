//! Writes with companions: which are tried, and what is learnt of how the server takes them.

use super::Companions;
use super::attempt::{Attempt, Kind};
use super::rewrite::{Rewriter, deletes};
use super::wire::TxnRequest;
use crate::counts::LeftOut;
use std::time::Instant;
use tonic::Code;

impl Companions {
    /// The attempts with companions. `None` where none are wanted, or none are written now.
    pub(super) fn accompany(
        &self,
        mut rewriter: Rewriter<'_>,
        txn: TxnRequest,
    ) -> Option<Vec<Attempt>> {
        let rpc = rewriter.rpc;
        let deletion = (rewriter.companion.is_some() && deletes(&txn)).then(|| txn.clone());
        let accompanied = rewriter.txn(txn)?;
        if !accompanied.branches.have_companions() {
            return None;
        }
        let now = Instant::now();
        if let Some(why) = accompanied.is_left_out(&self.refusals, now) {
            self.counts.left_out(LeftOut::Companions, why);
            return None;
        }
        rewriter.leaves_notes = true;
        let noted = deletion.and_then(|txn| rewriter.txn(txn));
        if noted.as_ref().is_some_and(|noted| noted.lacks_notes) {
            self.counts
                .left_out(LeftOut::Note, "of too many deletions, or deleted itself");
        }
        let mut attempts = Vec::with_capacity(4);
        if let Some(noted) = noted.filter(|noted| noted.has_notes) {
            match noted.is_left_out(&self.note_refusals, now) {
                Some(why) => self.counts.left_out(LeftOut::Note, why),
                None => attempts.push(Attempt::write(rpc, noted, Kind::Noted)),
            }
        }
        attempts.push(Attempt::write(rpc, accompanied, Kind::Accompanied));
        Some(attempts)
    }

    /// The server took an attempt of this kind, after it had refused others.
    pub(super) fn settle(&self, taken: Kind, refused: &[(Kind, Code)]) {
        let refusal = |kind| {
            let found = refused.iter().find(|(refused, _)| *refused == kind);
            found.map(|(_, code)| *code)
        };
        match (refusal(Kind::Read), taken) {
            (_, Kind::Read) => self.read_refusals.succeeded(),
            (Some(code), _) => self.read_refusals.denied(code),
            (None, _) => {}
        }
        let why = "refused by the server";
        match (refusal(Kind::Accompanied), taken) {
            (_, Kind::Noted | Kind::Accompanied) => self.refusals.succeeded(),
            (None, _) => {}
            (Some(code), _) => {
                self.counts.left_out(LeftOut::Companions, why);
                self.refusals.denied(code);
            }
        }
        match (refusal(Kind::Noted), taken) {
            (_, Kind::Noted) => self.note_refusals.succeeded(),
            (None, _) => {}
            (Some(code), _) => {
                self.counts.left_out(LeftOut::Note, why);
                self.note_refusals.denied(code);
            }
        }
        if refusal(Kind::Sealed).is_some() {
            self.counts.left_out(LeftOut::Envelopes, why);
        }
    }
}
