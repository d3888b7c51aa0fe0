/// How far a watch has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// The revision to go on from.
    next: i64,
    /// The last revision of which there were events, and how many.
    revision: i64,
    seen: usize,
    /// How many of them come once more.
    repeated: usize,
}

impl Position {
    /// Of a watch from this revision on.
    pub(super) fn new(next: i64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// The revision to go on from.
    pub(super) const fn resume(&mut self) -> i64 {
        self.repeated = if self.next == self.revision {
            self.seen
        } else {
            0
        };
        self.next
    }

    /// Takes in the revisions of the events of a response, and tells how many at its front have
    /// been there before. Of a fragment, more events of the last revision may be under way.
    pub(super) fn accept(&mut self, revisions: &[i64], is_fragment: bool) -> usize {
        let again = revisions.iter().take(self.repeated);
        let again = again.take_while(|revision| **revision == self.revision);
        let again = again.count();
        self.repeated = if again == revisions.len() {
            self.repeated - again
        } else {
            0
        };
        for revision in revisions.iter().skip(again) {
            if *revision != self.revision {
                self.revision = *revision;
                self.seen = 0;
            }
            self.seen += 1;
        }
        if !revisions.is_empty() && self.repeated == 0 {
            self.next = self.revision.saturating_add(i64::from(!is_fragment));
        }
        again
    }

    /// All up to this revision has been there.
    pub(super) fn progress(&mut self, revision: i64) {
        self.next = self.next.max(revision.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_goes_on_behind_what_is_complete() {
        let mut position = Position::new(5);
        assert_eq!(position.resume(), 5);
        assert_eq!(position.accept(&[6, 6, 8], false), 0);
        assert_eq!(position.resume(), 9);
        position.progress(20);
        assert_eq!(position.resume(), 21);
        position.progress(3);
        assert_eq!(position.resume(), 21);
    }

    #[test]
    fn of_a_fragment_only_what_is_missing_comes() {
        let mut position = Position::new(5);
        position.accept(&[6, 7, 7], true);
        assert_eq!(position.resume(), 7);
        assert_eq!(position.accept(&[7], true), 1);
        // Lost again, before anything new came.
        assert_eq!(position.resume(), 7);
        assert_eq!(position.accept(&[7, 7, 7], true), 2);
        assert_eq!(position.accept(&[7, 8], false), 0);
        assert_eq!(position.resume(), 9);
    }

    proptest! {
        /// A store of events, sent in pieces, cut anywhere any number of times.
        #[test]
        fn nothing_is_lost_and_nothing_repeated(
            steps in proptest::collection::vec(0..2i64, 1..30),
            cuts in proptest::collection::vec((1..5usize, 0..4usize), 0..12),
        ) {
            let revisions: Vec<_> = steps
                .iter()
                .scan(2, |revision, step| { *revision += step; Some(*revision) })
                .collect();
            let mut position = Position::new(1);
            let mut received = Vec::new();
            let all = (30usize, 30usize);
            for (size, pieces) in cuts.into_iter().chain([all]) {
                let next = position.resume();
                let at = revisions.partition_point(|revision| *revision < next);
                let sent: Vec<_> = (at..revisions.len()).collect();
                for piece in sent.chunks(size).take(pieces) {
                    let events: Vec<_> = piece.iter().map(|at| revisions[*at]).collect();
                    // As if any piece could be a part of more.
                    let last = piece[piece.len() - 1];
                    let is_fragment = revisions.get(last + 1) == Some(&revisions[last]);
                    let again = position.accept(&events, is_fragment);
                    received.extend_from_slice(&piece[again..]);
                }
            }
            let expected: Vec<_> = (0..revisions.len()).collect();
            prop_assert_eq!(received, expected);
        }
    }
}
