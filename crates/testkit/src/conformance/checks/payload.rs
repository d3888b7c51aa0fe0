use crate::conformance::bench::Bench;
use crate::conformance::caller::Caller;
use crate::conformance::harness::Harness;
use bytes::Bytes;

/// Payloads arrive as they were sent: empty ones, any bytes, and 64 KiB; with context and
/// without.
///
/// # Panics
///
/// If the adapter does not.
pub async fn payload_is_untouched<H: Harness>() {
    let all_bytes: Vec<u8> = (0..=u8::MAX).collect();
    let large: Vec<u8> = all_bytes.iter().copied().cycle().take(64 * 1024).collect();
    let payloads = [Vec::new(), all_bytes, large].map(Bytes::from);
    let bench = Bench::<H>::with_sdk().await;
    let full = Caller::new(0, 1)
        .with("tracestate", "foo=1")
        .with("baggage", "k=v");
    let mut expected = Vec::new();
    for context in [full.context(), opentelemetry::Context::new()] {
        for payload in &payloads {
            let sent = bench.send(context.clone(), payload.clone()).await;
            assert_eq!(sent, Ok(()), "{} bytes", payload.len());
            expected.push(payload.clone());
            let arrivals = bench.all_returned(expected.len()).await;
            let arrived: Vec<_> = arrivals.into_iter().map(|a| a.payload).collect();
            assert!(
                arrived == expected,
                "a payload of {} bytes came as {:?}",
                payload.len(),
                arrived.last()
            );
        }
    }
    bench.stop().await;
}
