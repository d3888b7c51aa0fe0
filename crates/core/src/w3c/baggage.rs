//! The `baggage` header: `key=value;property,..`, values percent-encoded.
//!
//! [W3C Baggage, 3](https://www.w3.org/TR/baggage/#baggage-http-header-format)

use super::trim_ows;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};
use std::borrow::Cow;

/// How many members are carried (3.3.2).
pub const MAX_MEMBERS: usize = 64;
/// How many bytes are carried, over all members (3.3.2).
pub const MAX_BYTES: usize = 8192;

/// What may not stand in a value: all but `baggage-octet`, and the percent sign itself. A plus sign
/// may, but opentelemetry-python decodes values as HTML forms do, and reads it as a space.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b',')
    .add(b';')
    .add(b'\\')
    .add(b'%')
    .add(b'+');

/// One member as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key: an RFC 9110 token.
    pub key: &'a str,
    /// The value, percent-decoded; an invalid UTF-8 sequence became U+FFFD.
    pub value: Cow<'a, str>,
    /// The properties as they stand, `;` between them; empty when there are none, or one that
    /// the grammar does not allow.
    pub properties: &'a str,
    encoded: Option<&'a str>,
}

impl Member<'_> {
    /// Appends the member as it will be sent: the received text where the grammar allows it,
    /// else encoded anew.
    pub fn write(&self, out: &mut String) {
        let encoded = self.encoded.map(Cow::Borrowed);
        let encoded = encoded.unwrap_or_else(|| encode(&self.value));
        push_member(out, self.key, &encoded, self.properties);
    }
}

/// Reads all header values, in carrier order; members that the grammar does not allow are
/// skipped. Allocates only for values that are percent-encoded.
pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = Member<'a>> {
    values
        .into_iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .filter_map(parse_member)
}

fn parse_member(member: &[u8]) -> Option<Member<'_>> {
    let mut parts = member.splitn(2, |byte| *byte == b';');
    let mut pair = parts.next()?.splitn(2, |byte| *byte == b'=');
    let key = trim_ows(pair.next()?);
    if key.is_empty() || !key.iter().all(is_token) {
        return None;
    }
    let value = trim_ows(pair.next()?);
    let properties = parts.next().map(trim_ows).filter(|p| are_properties(p));
    Some(Member {
        key: std::str::from_utf8(key).ok()?,
        value: percent_decode(value).decode_utf8_lossy(),
        properties: properties
            .and_then(|p| std::str::from_utf8(p).ok())
            .unwrap_or_default(),
        encoded: value
            .iter()
            .all(is_octet)
            .then(|| std::str::from_utf8(value).ok())
            .flatten(),
    })
}

/// Appends a member, its value encoded, if the header stays within [`MAX_BYTES`] and the key is
/// a token; tells whether it did.
pub fn push(out: &mut String, key: &str, value: &str, properties: &str) -> bool {
    let before = out.len();
    if key.is_empty() || !key.bytes().all(|byte| is_token(&byte)) {
        return false;
    }
    let properties = Some(properties).filter(|p| are_properties(p.as_bytes()));
    push_member(out, key, &encode(value), properties.unwrap_or_default());
    if out.len() > MAX_BYTES {
        out.truncate(before);
        return false;
    }
    true
}

fn encode(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, ENCODED).into()
}

fn push_member(out: &mut String, key: &str, encoded: &str, properties: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(key);
    out.push('=');
    out.push_str(encoded);
    if !properties.is_empty() {
        out.push(';');
        out.push_str(properties);
    }
}

/// RFC 9110, 5.6.2.
fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// 3.3.1.3: printable US-ASCII without white space, `"`, `,`, `;` and `\`.
fn is_octet(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// 3.3.1.4: `token` or `token=value`, separated by `;`, with white space around each part.
fn are_properties(text: &[u8]) -> bool {
    text.split(|byte| *byte == b';').all(|property| {
        let mut parts = property.splitn(2, |byte| *byte == b'=').map(trim_ows);
        let key = parts.next().unwrap_or_default();
        let value = parts.next().unwrap_or_default();
        !key.is_empty() && key.iter().all(is_token) && value.iter().all(is_octet)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resend(value: &str) -> String {
        let mut out = String::new();
        parse([value.as_bytes()]).for_each(|member| member.write(&mut out));
        out
    }

    #[test]
    fn allowed_text_is_sent_as_it_came() {
        for text in ["k=v", "k=a%20b%2Cc;p=1;q,z=a=b", "k=%FF", "k="] {
            assert_eq!(resend(text), text);
        }
    }

    #[test]
    fn text_outside_the_grammar_is_encoded_on_the_way_out() {
        assert_eq!(resend("k=a b"), "k=a%20b");
        assert_eq!(resend("k=\u{e9}"), "k=%C3%A9");
    }

    #[test]
    fn a_plus_sign_is_encoded_unless_it_came_so() {
        let mut out = String::new();
        assert!(push(&mut out, "k", "1+1 = 2", ""));
        assert_eq!(out, "k=1%2B1%20=%202");
        assert_eq!(resend("k=1+1"), "k=1+1");
    }

    #[test]
    fn a_value_over_the_limit_is_left_out() {
        let mut out = String::from("a=1");
        assert!(!push(&mut out, "k", &"v".repeat(MAX_BYTES), ""));
        assert_eq!(out, "a=1");
        assert!(!push(&mut out, "no token", "v", ""));
        assert!(push(&mut out, "k", "a,b", "p"));
        assert_eq!(out, "a=1,k=a%2Cb;p");
    }

    #[test]
    fn properties_outside_the_grammar_are_left_out() {
        for text in [
            "k=v;a b",
            "k=v;;",
            "k=v;=",
            "k=v;p=a b",
            "k=v;p=\"",
            "k=v;\\",
        ] {
            assert_eq!(resend(text), "k=v", "{text}");
        }
        assert_eq!(resend("k=v;p = 1 ; q"), "k=v;p = 1 ; q");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_resent_alike(values: Vec<Vec<u8>>) {
            let read: Vec<_> = parse(values.iter().map(Vec::as_slice)).collect();
            let mut sent = String::new();
            read.iter().for_each(|member| member.write(&mut sent));
            let again: Vec<_> = parse([sent.as_bytes()]).collect();
            let pairs = |all: &[Member<'_>]| -> Vec<(String, String)> {
                all.iter().map(|m| (m.key.to_owned(), m.value.to_string())).collect()
            };
            prop_assert_eq!(pairs(&again), pairs(&read));
        }

        #[test]
        fn any_text_survives_encoding(value in ".*") {
            let mut out = String::new();
            if push(&mut out, "k", &value, "") {
                let read: Vec<_> = parse([out.as_bytes()]).collect();
                prop_assert_eq!(read[0].value.as_ref(), value.as_str());
            }
        }
    }
}
