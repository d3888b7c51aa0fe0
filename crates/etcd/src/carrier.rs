//! Where the context lives: the value of a companion key, or the head of an envelope.

use crate::counts::Loss;
use bytes::Bytes;
use dynamo_trace_core::carrier::BlockError;
use dynamo_trace_core::{
    Carrier, CarrierMut, ContextBlock, ContextBlockBuf, Field, Propagation, Remote, Trust,
};
use opentelemetry::Context;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When the value was sent: milliseconds since the Unix epoch, in decimal digits.
const SENT_AT: Field<'static> = Field::Other("t");

/// What rests with a value that `cx` writes at `now`; `None` where there is nothing to carry.
pub(crate) fn write(propagation: &Propagation, cx: &Context, now: SystemTime) -> Option<Bytes> {
    let mut block = AtRest(ContextBlockBuf::default());
    propagation.inject(cx, &mut block);
    let AtRest(mut block) = block;
    if block.is_empty() {
        return None;
    }
    if let Ok(since) = now.duration_since(UNIX_EPOCH) {
        block.append(SENT_AT, since.as_millis().to_string().as_bytes());
    }
    Some(Bytes::copy_from_slice(block.as_bytes()))
}

/// The context and the send time that rest in `block`.
///
/// # Errors
///
/// Why there is none.
pub(crate) fn read(
    propagation: &Propagation,
    trust: &Trust,
    block: &[u8],
) -> Result<(Remote, Option<SystemTime>), Loss> {
    let block = ContextBlock::parse(block).map_err(|error| match error {
        BlockError::TooLong(_) => Loss::TooLarge,
        _ => Loss::Invalid,
    })?;
    let sent_at = block.values_of(SENT_AT).next().and_then(time);
    let block = AtRest(block);
    let remote = propagation.remote(&block, trust);
    // What is not trusted is not there; what is not valid is not there for anybody.
    if remote.is_empty() && propagation.remote(&block, &Trust::trusted()).is_empty() {
        return Err(Loss::Invalid);
    }
    Ok((remote, sent_at))
}

fn time(millis: &[u8]) -> Option<SystemTime> {
    // `u64::from_str` takes a sign.
    if !millis.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let millis = std::str::from_utf8(millis).ok()?.parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

/// The fields that may rest in a store, of whatever a carrier holds or a propagation sets:
/// `traceparent` and `tracestate`. Baggage is the caller's data and must not stay there.
struct AtRest<C>(C);

impl<C> AtRest<C> {
    fn admits(field: Field<'_>) -> bool {
        matches!(field, Field::TraceParent | Field::TraceState)
    }
}

impl<C: Carrier> Carrier for AtRest<C> {
    fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
        Self::admits(field)
            .then(|| self.0.values_of(field))
            .into_iter()
            .flatten()
    }

    fn field_names(&self) -> impl Iterator<Item = &str> {
        self.0
            .field_names()
            .filter(|name| Self::admits(Field::named(name)))
    }
}

impl<C: CarrierMut> CarrierMut for AtRest<C> {
    fn set_field(&mut self, field: Field<'_>, value: &str) {
        if Self::admits(field) {
            self.0.set_field(field, value);
        }
    }

    fn remove_field(&mut self, field: Field<'_>) {
        if Self::admits(field) {
            self.0.remove_field(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::baggage::BaggageExt;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    fn context() -> Context {
        let fields = BTreeMap::from([
            ("traceparent".to_owned(), PARENT.to_owned()),
            ("tracestate".to_owned(), "a=1".to_owned()),
            ("baggage".to_owned(), "user=alice".to_owned()),
        ]);
        Propagation::w3c().extract(&Context::new(), &fields)
    }

    #[test]
    fn the_trace_and_the_time_rest_there_and_baggage_does_not() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        assert!(!context().baggage().is_empty());
        let bytes = write(&Propagation::w3c(), &context(), now).unwrap();
        let block = ContextBlock::parse(&bytes).unwrap();
        let names: Vec<_> = block.field_names().collect();
        assert_eq!(names, ["traceparent", "tracestate", "t"]);
        let (remote, sent_at) = read(&Propagation::w3c(), &Trust::trusted(), &bytes).unwrap();
        assert_eq!(sent_at, Some(now));
        let mut out = BTreeMap::new();
        Propagation::w3c().inject(&remote.attach_to(&Context::new()), &mut out);
        assert_eq!(out["traceparent"], PARENT);
        assert_eq!(out["tracestate"], "a=1");
    }

    #[test]
    fn baggage_that_somebody_else_left_there_is_not_let_in() {
        let mut block = ContextBlockBuf::default();
        block.set_field(Field::TraceParent, PARENT);
        block.set_field(Field::Baggage, "admin=yes");
        let read = read(&Propagation::w3c(), &Trust::trusted(), block.as_bytes());
        let (remote, sent_at) = read.unwrap();
        assert!(remote.span_context().is_some());
        assert!(remote.attach_to(&Context::new()).baggage().is_empty());
        assert_eq!(sent_at, None);
    }

    #[test]
    fn without_a_span_there_is_nothing_to_carry() {
        let cx = Context::new().with_baggage([opentelemetry::KeyValue::new("k", "v")]);
        assert_eq!(write(&Propagation::w3c(), &cx, SystemTime::now()), None);
    }

    #[test]
    fn what_is_not_trusted_is_not_lost() {
        let bytes = write(&Propagation::w3c(), &context(), UNIX_EPOCH).unwrap();
        let (remote, _) = read(&Propagation::w3c(), &Trust::ignored(), &bytes).unwrap();
        assert!(remote.is_empty());
    }

    #[test]
    fn what_is_not_valid_is_not_there() {
        let long = vec![1; ContextBlock::MAX_LEN + 1];
        let mut times = ContextBlockBuf::default();
        times.append(SENT_AT, u64::MAX.to_string().as_bytes());
        let mut broken = ContextBlockBuf::default();
        broken.append(Field::TraceParent, &PARENT.as_bytes()[1..]);
        for (found, loss) in [
            (&b"garbage"[..], Loss::Invalid),
            (&long, Loss::TooLarge),
            (b"", Loss::Invalid),
            (times.as_bytes(), Loss::Invalid),
            (broken.as_bytes(), Loss::Invalid),
        ] {
            let read = read(&Propagation::w3c(), &Trust::trusted(), found);
            assert_eq!(read.err(), Some(loss));
        }
        for not_digits in [&b""[..], b"-1", b"+1", b" 1", b"1_0", b"soon"] {
            assert_eq!(time(not_digits), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = read(&Propagation::w3c(), &Trust::trusted(), &bytes);
        }
    }
}
