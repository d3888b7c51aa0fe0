//! What a frame without a context costs: in a binary of its own, for the counting allocator.

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use dynamo_trace_frame::{Codec, Frame};
use tokio_util::codec::{Decoder, Encoder};

#[test]
fn encoding_a_plain_frame_allocates_nothing() {
    let mut codec = Codec::new().destination("tokens");
    let mut out = BytesMut::with_capacity(64);
    let token = Bytes::from(vec![b't'; 8]);
    let info = measure(|| codec.encode(Frame::new(token), &mut out).unwrap());
    assert_eq!(info.count_total, 0);
    assert_eq!(out.len(), 7 + 8);
}

#[test]
fn decoding_plain_frames_allocates_once_for_the_whole_buffer() {
    let mut codec = Codec::new().destination("tokens");
    let mut bytes = BytesMut::with_capacity(1024);
    for _ in 0..20 {
        codec.encode(Frame::new("token"), &mut bytes).unwrap();
    }
    let mut received = Vec::with_capacity(20);
    let info = measure(|| {
        while let Some(frame) = codec.decode(&mut bytes).unwrap() {
            received.push(frame.into_inner());
        }
    });
    assert_eq!(received.len(), 20);
    // `BytesMut` begins to count its references; none of it is the codec's.
    assert!(info.count_total <= 1, "{}", info.count_total);
}

#[test]
fn a_payload_is_not_copied() {
    let mut codec = Codec::new();
    let mut bytes = BytesMut::with_capacity(1024);
    codec.encode(Frame::new("token"), &mut bytes).unwrap();
    let at = bytes[7..].as_ptr();
    let payload = codec.decode(&mut bytes).unwrap().unwrap().into_inner();
    assert_eq!(payload.as_ptr(), at);
}
