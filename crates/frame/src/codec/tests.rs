use super::Codec;
use super::header::Header;
use crate::error::CodecError;
use crate::frame::Frame;
use bytes::{BufMut, Bytes, BytesMut};
use dynamo_trace_core::{Carrier, ContextBlock, ContextBlockBuf, Field, Propagation, Received};
use futures_util::StreamExt;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder, FramedRead};

const TRACEPARENT: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn codec() -> Codec {
    Codec::new().with_propagation(Propagation::w3c())
}

fn sender_context() -> Context {
    Context::new().with_remote_span_context(SpanContext::new(
        TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
        SpanId::from(0xb7ad_6b71_6920_3331),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    ))
}

fn encode(codec: &mut Codec, frame: Frame) -> BytesMut {
    let mut out = BytesMut::new();
    codec.encode(frame, &mut out).unwrap();
    out
}

fn header(context: u16, payload: u32) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_u8(1);
    out.put_u16(context);
    out.put_u32(payload);
    out
}

fn summary(received: &Received<Bytes>) -> (Bytes, Option<SpanContext>) {
    let span = received.remote().span_context().cloned();
    (Bytes::clone(received), span)
}

fn frame() -> impl Strategy<Value = Frame> {
    let payload = proptest::collection::vec(any::<u8>(), 0..40);
    let values = proptest::collection::vec((0..4_usize, "[ -~]{0,9}"), 0..4);
    (payload, 0..3, values).prop_map(|(payload, kind, values)| match kind {
        0 => Frame::new(payload),
        1 => Frame::with_context(payload, &sender_context()),
        _ => {
            let mut block = ContextBlockBuf::default();
            for (field, value) in values {
                let fields = [&Field::W3C[..], &[Field::Other("b3")]].concat();
                block.append(fields[field], value.as_bytes());
            }
            Frame::with_block(payload, block)
        }
    })
}

#[test]
fn the_layout_is_the_documented_one() {
    let plain = encode(&mut codec(), Frame::new("abc"));
    assert_eq!(&plain[..], b"\x01\x00\x00\x00\x00\x00\x03abc");

    let traced = encode(&mut codec(), Frame::with_context("abc", &sender_context()));
    let expected = [
        &b"\x01\x00\x3b\x00\x00\x00\x03"[..],
        b"\x01\x01\x00\x37",
        TRACEPARENT,
        b"abc",
    ];
    assert_eq!(traced, expected.concat());
}

#[test]
fn a_context_that_says_nothing_is_not_sent() {
    let none = Context::new();
    assert!(!Frame::with_context("abc", &none).has_context());
    assert!(!Frame::traced("abc").has_context());
    assert!(!Frame::with_block("abc", ContextBlockBuf::default()).has_context());
    assert!(Frame::with_context("abc", &sender_context()).has_context());
}

#[test]
fn a_block_is_sent_as_it_is() {
    let mut block = ContextBlockBuf::default();
    block.append(Field::Other("TraceParent"), TRACEPARENT);
    block.append(Field::TraceState, b"a=1");
    block.append(Field::TraceState, b"b=2");
    let bytes = encode(&mut codec(), Frame::with_block("abc", block.clone()));
    let end = bytes.len() - 3;
    assert_eq!(&bytes[Header::LEN..end], block.as_bytes());
    let read = ContextBlock::parse(&bytes[Header::LEN..end]).unwrap();
    assert_eq!(read.values_of(Field::TraceState).count(), 2);
}

#[test]
fn malformed_values_are_no_error_and_no_sender() {
    let mut block = ContextBlockBuf::default();
    block.append(Field::TraceParent, b"00-short-01");
    let mut bytes = encode(&mut codec(), Frame::with_block("abc", block));
    let received = codec().decode(&mut bytes).unwrap().unwrap();
    assert_eq!(summary(&received), (Bytes::from("abc"), None));
}

#[test]
fn a_strange_version_is_told_at_its_first_byte() {
    let decoded = codec().decode(&mut BytesMut::from("G"));
    assert!(matches!(decoded, Err(CodecError::Version(b'G'))));
}

#[test]
fn limits_are_checked_before_anything_is_allocated() {
    let mut payload = header(0, 11);
    let mut small = codec().max_payload(10);
    let decoded = small.decode(&mut payload);
    let too_long = |result: Result<_, CodecError>| {
        matches!(
            result,
            Err(CodecError::PayloadTooLong {
                length: 11,
                max: 10
            })
        )
    };
    assert!(too_long(decoded.map(drop)));
    let mut out = BytesMut::new();
    assert!(too_long(
        small.encode(Frame::new([0; 11].as_slice()), &mut out)
    ));
    assert!(out.is_empty());
    small
        .encode(Frame::new([0; 10].as_slice()), &mut out)
        .unwrap();
    assert!(small.decode(&mut out).unwrap().is_some());

    let mut context = header(16_385, 0);
    let decoded = codec().decode(&mut context);
    assert!(matches!(decoded, Err(CodecError::ContextTooLong(16_385))));
}

#[test]
fn an_announced_length_alone_takes_little_memory() {
    let mut bytes = header(16_384, u32::MAX);
    let mut codec = codec().max_payload(usize::MAX);
    assert!(codec.decode(&mut bytes).unwrap().is_none());
    assert!(bytes.capacity() <= 128 * 1024, "{}", bytes.capacity());
}

#[tokio::test]
async fn a_broken_context_costs_neither_the_payload_nor_the_connection() {
    for block in [&b"\x02\x00"[..], b"\x01\x09", b"\x01\x01\x00"] {
        let mut bytes = header(u16::try_from(block.len()).unwrap(), 3);
        bytes.put_slice(block);
        bytes.put_slice(b"abc");
        bytes.put_slice(&encode(&mut codec(), Frame::new("next")));
        let frames = FramedRead::new(&bytes[..], codec());
        let received: Vec<_> = frames.map(|frame| summary(&frame.unwrap())).collect().await;
        let expected = ["abc", "next"].map(|payload| (Bytes::from(payload), None));
        assert_eq!(received, expected, "{block:?}");
    }
}

#[test]
fn the_end_of_the_stream_inside_a_frame_is_an_error() {
    let whole = encode(&mut codec(), Frame::with_context("abc", &sender_context()));
    for end in 1..whole.len() {
        let mut cut = BytesMut::from(&whole[..end]);
        let decoded = codec().decode_eof(&mut cut);
        assert!(matches!(decoded, Err(CodecError::Truncated(n)) if n == end));
    }
    assert!(codec().decode_eof(&mut BytesMut::new()).unwrap().is_none());
}

#[test]
fn a_context_larger_than_a_block_loses_what_does_not_fit() {
    let value = "v".repeat(256);
    let members = (0..32).map(|n| (format!("{n:a<256}"), value.clone()));
    let span = sender_context().span().span_context().clone();
    let large = SpanContext::new(
        span.trace_id(),
        span.span_id(),
        span.trace_flags(),
        true,
        TraceState::from_key_value(members).unwrap(),
    );
    let context = Context::new().with_remote_span_context(large);
    let mut bytes = encode(&mut codec(), Frame::with_context("abc", &context));
    assert_eq!(bytes.len(), 7 + 59 + 3);
    let received = codec().decode(&mut bytes).unwrap().unwrap();
    assert_eq!(summary(&received).1, Some(span));
}

proptest! {
    #[test]
    fn split_at_every_byte_frames_arrive_as_sent(frames in proptest::collection::vec(frame(), 1..4)) {
        let mut codec = codec();
        let mut whole = BytesMut::new();
        for frame in &frames {
            codec.encode(frame.clone(), &mut whole).unwrap();
        }
        let mut expected = Vec::new();
        let mut rest = whole.clone();
        while let Some(received) = codec.decode(&mut rest).unwrap() {
            expected.push(summary(&received));
        }
        let payloads: Vec<_> = expected.iter().map(|(payload, _)| payload).collect();
        let sent: Vec<_> = frames.iter().map(Frame::payload).collect();
        prop_assert_eq!(payloads, sent);

        for at in 0..=whole.len() {
            let mut bytes = BytesMut::from(&whole[..at]);
            let mut read = Vec::new();
            while let Some(received) = codec.decode(&mut bytes).unwrap() {
                read.push(summary(&received));
            }
            bytes.put_slice(&whole[at..]);
            while let Some(received) = codec.decode(&mut bytes).unwrap() {
                read.push(summary(&received));
            }
            prop_assert_eq!(&read, &expected);
        }

        let mut bytes = BytesMut::new();
        let mut read = Vec::new();
        for byte in &whole {
            bytes.put_u8(*byte);
            read.extend(codec.decode(&mut bytes).unwrap().map(|received| summary(&received)));
        }
        prop_assert_eq!(read, expected);
        prop_assert!(codec.decode_eof(&mut bytes).unwrap().is_none());
    }

    #[test]
    fn any_bytes_are_read_without_panic(mut bytes: Vec<u8>, as_frame: bool) {
        if as_frame && let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        let mut bytes = BytesMut::from(&bytes[..]);
        while bytes.len() >= Header::LEN {
            let before = bytes.len();
            if codec().decode_eof(&mut bytes).is_err() || bytes.len() == before {
                break;
            }
        }
    }

    #[test]
    fn any_context_block_is_read_without_panic(block in proptest::collection::vec(any::<u8>(), 0..99)) {
        let mut bytes = header(u16::try_from(block.len()).unwrap(), 3);
        bytes.put_slice(&block);
        bytes.put_slice(b"abc");
        let received = codec().decode(&mut bytes).unwrap();
        prop_assert_eq!(&**received.unwrap(), b"abc");
        prop_assert!(bytes.is_empty());
    }
}
