use super::trim_ows;
use std::fmt;

/// The trace flags that Level 2 defines; every other bit is cleared when read.
///
/// [Level 2, 3.2.2.5](https://www.w3.org/TR/trace-context-2/#trace-flags)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// The caller may have recorded the trace.
    pub const SAMPLED: Self = Self(0x01);
    /// At least the right-most 7 bytes of the trace-id are random.
    pub const RANDOM: Self = Self(0x02);

    /// Keeps the defined bits of `bits`.
    #[must_use]
    pub const fn new(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED.0 | Self::RANDOM.0))
    }

    /// The flags as they are sent.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A valid `traceparent`: 55 bytes on the wire, `00-{trace-id}-{parent-id}-{flags}`, lowercase
/// hex.
///
/// [Level 2, 3.2](https://www.w3.org/TR/trace-context-2/#traceparent-header)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: Flags,
}

/// A `traceparent` that restarts the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("not a valid traceparent")]
pub struct InvalidTraceParent;

impl TraceParent {
    /// The length of version 00, in bytes.
    pub const LEN: usize = 55;

    /// A traceparent of these ids, or `None` where one of them is all zero.
    #[must_use]
    pub fn new(trace_id: [u8; 16], parent_id: [u8; 8], flags: Flags) -> Option<Self> {
        // All-zero ids are invalid: Level 2, 3.2.2.3 and 3.2.2.4.
        (trace_id != [0; 16] && parent_id != [0; 8]).then_some(Self {
            trace_id,
            parent_id,
            flags,
        })
    }

    /// Reads a header value. Allocates nothing.
    ///
    /// White space around the value is stripped. A version above 00 is read by position and may
    /// be followed by `-` and anything.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceParent`] for everything that Level 2, 3.2 does not allow.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidTraceParent> {
        Self::read(trim_ows(value)).ok_or(InvalidTraceParent)
    }

    fn read(value: &[u8]) -> Option<Self> {
        let (written, rest) = value.split_first_chunk::<{ Self::LEN }>()?;
        let (ids, bad) = ids(written);
        let [version, flags] = [0, 53].map(|at| hex_byte(written, at));
        let dashes = [2, 35, 52].iter().all(|at| written.get(*at) == Some(&b'-'));
        // 3.2.2.1 forbids version ff; 3.2.4 says how to read a higher one.
        let length_allowed = match version? {
            0x00 => rest.is_empty(),
            0xff => false,
            _ => matches!(rest, [] | [b'-', ..]),
        };
        if bad || !dashes || !length_allowed {
            return None;
        }
        let [high, low, parent_id] = ids;
        let trace_id = u128::from(high) << 64 | u128::from(low);
        Self::new(
            trace_id.to_be_bytes(),
            parent_id.to_be_bytes(),
            Flags::new(flags?),
        )
    }

    /// The header value, as version 00. Allocates nothing.
    #[must_use]
    pub fn format(&self) -> [u8; Self::LEN] {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let (trace_id, _) = self.trace_id.as_chunks();
        let (parent_id, _) = self.parent_id.as_chunks();
        let ids = trace_id.iter().chain(parent_id);
        for (at, half) in ID_HALVES.into_iter().zip(ids) {
            if let Some(place) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *place = hex_digits(u32::from_be_bytes(*half));
            }
        }
        if let Some(last) = out.last_mut() {
            // There are no more than two of them.
            *last = b'0' | self.flags.0;
        }
        out
    }

    /// The trace-id.
    #[must_use]
    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The id of the span that sent this value.
    #[must_use]
    pub const fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// The flags, undefined bits cleared.
    #[must_use]
    pub const fn flags(&self) -> Flags {
        self.flags
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.format()).unwrap_or_default())
    }
}

/// Version 00 of a traceparent, as it is written. What is taken from it is checked when this is
/// compiled.
type Written = [u8; TraceParent::LEN];

/// Two hex digits.
#[inline(always)]
fn hex_byte(written: &Written, at: usize) -> Option<u8> {
    let [high, low] = written.get(at..)?.first_chunk()?;
    Some(hex_value(*high)? << 4 | hex_value(*low)?)
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Where eight digits each of the trace-id and the parent-id begin.
const ID_HALVES: [usize; 6] = [3, 11, 19, 27, 36, 44];

/// Both halves of the trace-id, and the parent-id; and whether they are no hex.
fn ids(written: &Written) -> ([u64; 3], bool) {
    let digits = |at: usize| match written.get(at..).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_be_bytes(*eight),
        None => 0,
    };
    let [a, b, c, d, e, f] = ID_HALVES.map(|at| hex_half(digits(at)));
    let join = |high: u64, low: u64| high << 32 | low;
    let ids = [join(a.0, b.0), join(c.0, d.0), join(e.0, f.0)];
    (ids, (a.1 | b.1 | c.1 | d.1 | e.1 | f.1) != 0)
}

/// Eight hex digits, all at once, each a byte of the word: their value, and not zero if they are
/// none.
const fn hex_half(digits: u64) -> (u64, u64) {
    // The low half of a digit, and 9 more for a letter: bit 6 is set in letters alone.
    let letter = digits >> 6 & ONES;
    let values = (digits & (ONES * 0x0f)) + (letter << 3) + letter;
    // Strictly lowercase hex is what the values are written as. No sum carries into its
    // neighbour: a value is at most 24.
    let bad = (written(values) ^ digits) | (values & (ONES * 0xf0));
    let bytes = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    ((pairs | pairs >> 16) & 0xffff_ffff, bad)
}

/// A 1 in each byte of a word.
const ONES: u64 = u64::from_be_bytes([1; 8]);

/// The digits of these values, all at once, each a byte of the word.
const fn written(values: u64) -> u64 {
    let letter = (values + ONES * (0x80 - 10)) >> 7 & ONES;
    values + ONES * 0x30 + (letter << 5) + (letter << 3) - letter
}

/// As eight hex digits.
const fn hex_digits(value: u32) -> [u8; 8] {
    let pairs = (value as u64 | (value as u64) << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let values = (bytes | bytes << 4) & (ONES * 0x0f);
    written(values).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

    #[test]
    fn formats_what_it_parsed() {
        let parsed = TraceParent::parse(VALID.as_bytes()).unwrap();
        assert_eq!(parsed.to_string(), VALID);
    }

    #[test]
    fn a_higher_version_is_sent_as_00() {
        let parsed = TraceParent::parse(VALID.replacen("00", "cc", 1).as_bytes()).unwrap();
        assert_eq!(parsed.to_string(), VALID);
    }

    #[test]
    fn a_digit_is_lowercase_hex_in_every_place() {
        for at in 0..8 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"0af76519";
                digits[at] = byte;
                let expected = std::str::from_utf8(&digits)
                    .ok()
                    .filter(|_| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                    .map(|digits| {
                        let value = |d: char| d.to_digit(16).unwrap();
                        digits
                            .chars()
                            .fold(0, |all, d| all << 4 | u64::from(value(d)))
                    });
                let (value, bad) = hex_half(u64::from_be_bytes(digits));
                let found = (bad == 0).then_some(value);
                assert_eq!(found, expected, "{byte:#x} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_ids_round_trip(trace_id: [u8; 16], parent_id: [u8; 8], flags: u8) {
            let flags = Flags::new(flags);
            if let Some(value) = TraceParent::new(trace_id, parent_id, flags) {
                prop_assert_eq!(TraceParent::parse(&value.format()), Ok(value));
                let hex = |bytes: &[u8]| -> String {
                    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
                };
                let (trace_id, parent_id) = (hex(&trace_id), hex(&parent_id));
                let expected = format!("00-{trace_id}-{parent_id}-{:02x}", flags.bits());
                prop_assert_eq!(value.to_string(), expected);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = TraceParent::parse(&bytes);
        }

        #[test]
        fn one_changed_byte_is_never_misread(at in 0..TraceParent::LEN, byte: u8) {
            let mut bytes = VALID.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(read) = TraceParent::parse(&bytes) {
                let sent = read.format();
                // Version and undefined flag bits may differ; ids may not.
                prop_assert_eq!(&sent[3..52], &bytes[3..52]);
            }
        }
    }
}
