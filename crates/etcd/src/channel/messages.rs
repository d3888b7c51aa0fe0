//! The messages of a stream, however its chunks are cut (gRPC over HTTP/2,
//! "Length-Prefixed-Message").

/// Compressed flag and length.
const PREFIX: usize = 5;
/// The longest message that is looked at, in bytes; longer ones are skipped.
const MAX: usize = 1024;

/// Cuts messages out of chunks. Holds one message at most.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The prefix and the message so far.
    begun: Vec<u8>,
    /// What is left of a message that is not looked at.
    skip: usize,
}

impl Messages {
    /// Hands on every message that ends with this chunk.
    pub(super) fn read(&mut self, chunk: &[u8], mut message: impl FnMut(&[u8])) {
        let mut chunk = chunk;
        while !chunk.is_empty() {
            let skipped = self.skip.min(chunk.len());
            self.skip -= skipped;
            let missing = self.wanted().saturating_sub(self.begun.len());
            let left = chunk.get(skipped..).unwrap_or_default();
            let (taken, rest) = left.split_at_checked(missing).unwrap_or((left, &[]));
            self.begun.extend_from_slice(taken);
            chunk = rest;
            self.finish(&mut message);
        }
    }

    /// How long the prefix is, or the prefix and the message.
    fn wanted(&self) -> usize {
        let length = self.begun.first_chunk::<PREFIX>().map(length);
        PREFIX.saturating_add(length.unwrap_or(0))
    }

    fn finish(&mut self, message: &mut impl FnMut(&[u8])) {
        let Some((prefix, whole)) = self.begun.split_first_chunk::<PREFIX>() else {
            return;
        };
        let (length, compressed) = (length(prefix), prefix[0] != 0);
        if compressed || length > MAX {
            self.skip = length;
        } else if whole.len() == length {
            message(whole);
        } else {
            return;
        }
        self.begun.clear();
    }
}

fn length([_, length @ ..]: &[u8; PREFIX]) -> usize {
    usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag], &length[..], message].concat()
    }

    fn read<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Vec<Vec<u8>> {
        let (mut messages, mut found) = (Messages::default(), Vec::new());
        for chunk in chunks {
            messages.read(chunk, |message| found.push(message.to_vec()));
            assert!(messages.begun.len() <= PREFIX + MAX);
        }
        found
    }

    #[test]
    fn every_message_is_found_however_the_chunks_are_cut() {
        let stream = [
            framed(0, b"first"),
            framed(0, b""),
            framed(1, b"compressed"),
            framed(0, &[7; MAX]),
            framed(0, &[8; MAX + 1]),
            framed(0, b"last"),
        ]
        .concat();
        let expected = [
            b"first".to_vec(),
            Vec::new(),
            vec![7; MAX],
            b"last".to_vec(),
        ];
        for size in 1..stream.len() + 1 {
            assert_eq!(read(stream.chunks(size)), expected, "{size}");
        }
    }

    #[test]
    fn a_length_that_lies_holds_no_memory() {
        let announced = [0, 0xff, 0xff, 0xff, 0xff];
        let endless = std::iter::repeat_n(&[0; 4096][..], 100);
        assert!(read(std::iter::once(&announced[..]).chain(endless)).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(chunks: Vec<Vec<u8>>) {
            read(chunks.iter().map(Vec::as_slice));
        }
    }
}
