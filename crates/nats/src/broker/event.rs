//! What a server tells of one message that it handled: JSON, on the destination of traces.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The longest event that is read, in bytes: thousands of deliveries.
const MAX_BYTES: usize = 1024 * 1024;

/// What one server did with one message.
#[derive(Debug, Deserialize)]
pub(super) struct Hop {
    #[serde(default)]
    pub(super) server: Server,
    pub(super) request: Request,
    /// The ingress, then the others in the order of time.
    events: Vec<Point>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Server {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) host: String,
    #[serde(default)]
    pub(super) cluster: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    header: BTreeMap<String, Vec<String>>,
    /// Headers and payload, in bytes.
    #[serde(default, rename = "msgsize")]
    pub(super) size: i64,
}

/// Something that happened, and when.
#[derive(Debug, Deserialize)]
pub(super) struct Point {
    #[serde(rename = "ts", deserialize_with = "time")]
    pub(super) at: SystemTime,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum What {
    #[serde(rename = "in")]
    Ingress(Ingress),
    #[serde(rename = "sm")]
    SubjectMapping { to: String },
    #[serde(rename = "se")]
    StreamExport {
        #[serde(rename = "acc")]
        account: String,
        to: String,
    },
    #[serde(rename = "si")]
    ServiceImport {
        #[serde(rename = "acc")]
        account: String,
        to: String,
    },
    #[serde(rename = "js")]
    Store(Store),
    #[serde(rename = "eg")]
    Egress(Egress),
    /// Of a newer server.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ingress {
    pub(super) kind: i64,
    /// What the other side calls itself.
    #[serde(default)]
    pub(super) name: String,
    #[serde(rename = "acc")]
    pub(super) account: String,
    #[serde(rename = "subj")]
    pub(super) subject: String,
    pub(super) error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Store {
    pub(super) stream: String,
    #[serde(default)]
    pub(super) subject: String,
    /// Nobody would have read it, so that it is not kept.
    #[serde(default, rename = "nointerest")]
    pub(super) no_interest: bool,
    pub(super) error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Egress {
    pub(super) kind: i64,
    #[serde(default)]
    pub(super) name: String,
    /// The hop that the other server is for the message.
    #[serde(default)]
    pub(super) hop: String,
    /// Where it is not that of the ingress.
    #[serde(default, rename = "acc")]
    pub(super) account: String,
    #[serde(default, rename = "sub")]
    pub(super) subscription: String,
    #[serde(default)]
    pub(super) queue: String,
    pub(super) error: Option<String>,
}

impl Hop {
    /// Reads it; nothing if it is none, or compressed, or too long.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        if payload.len() > MAX_BYTES {
            return None;
        }
        let mut hop: Self = serde_json::from_slice(payload).ok()?;
        hop.ingress()?;
        // A stream stores while the server delivers.
        if let Some(later) = hop.events.get_mut(1..) {
            later.sort_by_key(|point| point.at);
        }
        Some(hop)
    }

    /// How the message came, which is always the first that a server tells.
    pub(super) fn ingress(&self) -> Option<(SystemTime, &Ingress)> {
        match self.events.first()? {
            Point {
                at,
                what: What::Ingress(ingress),
            } => Some((*at, ingress)),
            _ => None,
        }
    }

    /// What happened then, in the order of time.
    pub(super) fn points(&self) -> &[Point] {
        self.events.get(1..).unwrap_or_default()
    }

    /// The latest time that it tells.
    pub(super) fn end(&self) -> SystemTime {
        let times = self.events.iter().map(|point| point.at);
        times.max().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The message's headers as they came to this server.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.request.header {
            let Ok(name) = name.parse::<HeaderName>() else {
                continue;
            };
            let values = values.iter().filter_map(|value| value.parse().ok());
            values.for_each(|value: HeaderValue| headers.append(name.clone(), value));
        }
        headers
    }
}

/// A time that fits the nanoseconds since 1970 in which spans are exported.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(D::Error::custom)?;
    let nanos = u64::try_from(time.unix_timestamp_nanos()).map_err(D::Error::custom)?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn event(points: &str) -> String {
        format!(r#"{{"server":{{"name":"n"}},"request":{{}},"events":[{points}]}}"#)
    }

    const INGRESS: &str =
        r#"{"type":"in","ts":"1970-01-01T00:00:09Z","kind":0,"cid":1,"acc":"A","subj":"s"}"#;

    #[test]
    fn points_are_in_the_order_of_time_and_unknown_ones_among_them() {
        let store = r#"{"type":"js","ts":"1970-01-01T01:00:03+01:00","stream":"S"}"#;
        let mapping = r#"{"type":"sm","ts":"1970-01-01T00:00:02.5Z","to":"t"}"#;
        let newer = r#"{"type":"zz","ts":"1970-01-01T00:00:01Z","kind":"text","to":[{}]}"#;
        let text = event(&[INGRESS, store, mapping, newer].join(","));
        let hop = Hop::read(text.as_bytes()).unwrap();
        assert_eq!(hop.ingress().unwrap().0, at(9));
        let [newer, mapping, store] = hop.points() else {
            panic!("{hop:?}")
        };
        assert!(matches!(newer.what, What::Unknown));
        assert!(matches!(mapping.what, What::SubjectMapping { .. }));
        assert_eq!(mapping.at, at(2) + Duration::from_millis(500));
        assert!(matches!(store.what, What::Store(_)));
        assert_eq!(store.at, at(3));
        // It never ends before it starts.
        assert_eq!(hop.end(), at(9));
    }

    #[test]
    fn what_is_no_event_is_not_read() {
        let with_time = |time: &str| event(&INGRESS.replace("1970-01-01T00:00:09Z", time));
        assert!(Hop::read(event(INGRESS).as_bytes()).is_some());
        let long = INGRESS.replace("\"s\"", &format!("\"{}\"", "s".repeat(MAX_BYTES)));
        for text in [
            String::new(),
            "null".to_owned(),
            "[".repeat(100_000),
            r#"{"a":"#.repeat(100_000),
            event(""),
            event("null"),
            event(&"[".repeat(100_000)),
            event(r#"{"type":"sm","ts":"1970-01-01T00:00:09Z","to":"t"}"#),
            event(&INGRESS.replace("\"kind\":0", "\"kind\":1e300")),
            event(&INGRESS.replace("\"s\"", "7")),
            event(&long),
            with_time(""),
            with_time("yesterday"),
            with_time("0001-01-01T00:00:00Z"),
            with_time("9999-12-31T23:59:59Z"),
            with_time("1969-12-31T23:59:59Z"),
        ] {
            let start: String = text.chars().take(200).collect();
            assert!(Hop::read(text.as_bytes()).is_none(), "{start}");
        }
        assert!(Hop::read(b"\x1f\x8b\x08\0\xff").is_none());
    }

    #[test]
    fn headers_that_nats_does_not_allow_are_left_out() {
        let header = r#"{"a":["1","2"],"b c":["1"],"d":["x\r\ny"],"e":[]}"#;
        let text = event(INGRESS).replace(
            r#""request":{}"#,
            &format!(r#""request":{{"header":{header}}}"#),
        );
        let headers = Hop::read(text.as_bytes()).unwrap().headers();
        let mut expected = HeaderMap::new();
        expected.append("a", "1");
        expected.append("a", "2");
        assert_eq!(headers, expected);
    }
}
