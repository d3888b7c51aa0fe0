use super::trim_ows;

/// A validated `tracestate`, kept as it will be sent: members joined by `,`, without white space
/// around them and without empty members.
///
/// At most 32 members; a key has up to 256 characters, a value too.
///
/// [Level 2, 3.3](https://www.w3.org/TR/trace-context-2/#tracestate-header)
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceState(String);

/// A `tracestate` that is dropped as a whole, or a member that cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTraceState {
    /// A member is not `key=value` as Level 2, 3.3.1.3 has it.
    #[error("a member is not a valid key and value")]
    Member,
    /// More than 32 members were received.
    #[error("more than {} members", TraceState::MAX_MEMBERS)]
    TooMany,
}

impl TraceState {
    /// How many members may be received and sent.
    pub const MAX_MEMBERS: usize = 32;

    /// How many bytes propagation passes on; 3.3.1.5 demands 512. A longer value loses whole
    /// members, so that what a caller sends cannot make the next hop refuse the headers.
    pub const MAX_BYTES: usize = 4096;

    /// Reads all header values, in carrier order. Allocates nothing where there is no member.
    ///
    /// # Errors
    ///
    /// One invalid member, or a 33rd, spoils all of it (3.3.1.1: a receiver discards what it
    /// cannot parse); the traceparent stands.
    pub fn parse<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, InvalidTraceState> {
        let mut out = String::new();
        let mut count = 0;
        for value in values {
            for member in value.split(|byte| *byte == b',').map(trim_ows) {
                // Empty members are allowed and do not count: 3.3.1.3.1.
                if member.is_empty() {
                    continue;
                }
                let (key, value) = split_member(member).ok_or(InvalidTraceState::Member)?;
                count += 1;
                if count > Self::MAX_MEMBERS {
                    return Err(InvalidTraceState::TooMany);
                }
                if out.capacity() == 0 {
                    out.reserve(512.max(member.len()));
                }
                push_member(&mut out, key, value);
            }
        }
        Ok(Self(out))
    }

    /// Builds a value of the valid members among `members`, in order, up to 32.
    #[must_use]
    pub fn from_members<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut out = String::new();
        members
            .into_iter()
            .filter(|(key, value)| valid_key(key.as_bytes()) && valid_value(value.as_bytes()))
            .take(Self::MAX_MEMBERS)
            .for_each(|(key, value)| push_member(&mut out, key, value));
        Self(out)
    }

    /// The header value; empty when there is no member, and then it must not be sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members from the left, as key and value.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split(',')
            .filter_map(|member| member.split_once('='))
    }

    /// The value of the left-most member with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members()
            .find_map(|(k, value)| (k == key).then_some(value))
    }

    /// Sets a member and moves it to the left (3.5); a 33rd drops the right-most.
    ///
    /// # Errors
    ///
    /// [`InvalidTraceState::Member`] where key or value is not allowed; nothing changes then.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), InvalidTraceState> {
        if !(valid_key(key.as_bytes()) && valid_value(value.as_bytes())) {
            return Err(InvalidTraceState::Member);
        }
        let others = self.members().filter(|(k, _)| *k != key);
        *self = Self::from_members(std::iter::once((key, value)).chain(others));
        Ok(())
    }

    /// Removes every member with this key.
    pub fn remove(&mut self, key: &str) {
        *self = Self::from_members(self.members().filter(|(k, _)| *k != key));
    }

    /// Shortens the value to `max` bytes by whole members: those of over 128 characters go
    /// first, then from the right (3.3.1.5).
    pub fn truncate(&mut self, max: usize) {
        const LONG: usize = 128;
        if self.0.len() > max {
            let short = self.0.split(',').filter(|member| member.len() <= LONG);
            self.0 = short.collect::<Vec<_>>().join(",");
        }
        while self.0.len() > max {
            let end = self.0.rfind(',').unwrap_or(0);
            self.0.truncate(end);
        }
    }
}

fn push_member(out: &mut String, key: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(key);
    out.push('=');
    out.push_str(value);
}

fn split_member(member: &[u8]) -> Option<(&str, &str)> {
    const LONGEST: usize = 256 + 1 + 256;
    let member = Some(member).filter(|member| member.len() <= LONGEST)?;
    let (key, value) = std::str::from_utf8(member).ok()?.split_once('=')?;
    (valid_key(key.as_bytes()) && valid_value(value.as_bytes())).then_some((key, value))
}

/// 3.3.1.3.1: a lowercase letter or digit, then up to 255 of those and `_ - * / @`.
fn valid_key(key: &[u8]) -> bool {
    let head = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let tail = |byte: &u8| head(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    match key {
        [first, rest @ ..] => head(first) && rest.len() < 256 && rest.iter().all(tail),
        [] => false,
    }
}

/// 3.3.1.3.2: up to 256 printable characters without `,` and `=`, the last no space.
fn valid_value(value: &[u8]) -> bool {
    value.len() <= 256
        && value
            .iter()
            .all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b',' | b'='))
        && value.last().is_some_and(|last| *last != b' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(value: &str) -> TraceState {
        TraceState::parse([value.as_bytes()]).unwrap()
    }

    fn numbered(count: usize) -> TraceState {
        let members: Vec<String> = (0..count).map(|n| format!("k{n}=v")).collect();
        parse(&members.join(","))
    }

    #[test]
    fn a_changed_member_moves_to_the_left() {
        let mut state = parse("a=1,b=2,c=3");
        state.insert("c", "4").unwrap();
        assert_eq!(state.as_str(), "c=4,a=1,b=2");
    }

    #[test]
    fn a_33rd_member_drops_the_right_most() {
        let mut state = numbered(32);
        state.insert("new", "1").unwrap();
        assert_eq!(state.members().count(), 32);
        assert_eq!(state.members().next(), Some(("new", "1")));
        assert_eq!(state.get("k31"), None);
    }

    #[test]
    fn an_invalid_member_changes_nothing() {
        let mut state = parse("a=1");
        for (key, value) in [("A", "1"), ("", "1"), ("b", ""), ("b", "x "), ("b", "é")] {
            assert_eq!(state.insert(key, value), Err(InvalidTraceState::Member));
        }
        assert_eq!(state.as_str(), "a=1");
    }

    #[test]
    fn truncation_takes_long_members_first_and_then_the_right() {
        let long = format!("long={}", "x".repeat(130));
        let mut state = parse(&format!("a=1,{long},b=2,c=3"));
        state.truncate(11);
        assert_eq!(state.as_str(), "a=1,b=2,c=3");
        state.truncate(10);
        assert_eq!(state.as_str(), "a=1,b=2");
        state.truncate(2);
        assert_eq!(state.as_str(), "");
    }

    #[test]
    fn removes_a_member() {
        let mut state = parse("a=1,b=2");
        state.remove("a");
        assert_eq!(state.as_str(), "b=2");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(values: Vec<Vec<u8>>) {
            if let Ok(read) = TraceState::parse(values.iter().map(Vec::as_slice)) {
                prop_assert_eq!(TraceState::parse([read.as_str().as_bytes()]), Ok(read));
            }
        }
    }
}
