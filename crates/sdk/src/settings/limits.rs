//! `OTEL_SPAN_*_COUNT_LIMIT` and `OTEL_BSP_*`. The SDK reads these too, but passes over what it
//! does not understand.

use std::ops::RangeInclusive;
use std::time::Duration;

use opentelemetry_sdk::trace::{BatchConfig, BatchConfigBuilder, SpanLimits};

use super::environment::Environment;
use crate::InitError;

/// The SDK allocates room for that many spans at start: a larger number would abort the process.
const SPANS: RangeInclusive<usize> = 1..=1_000_000;

/// How much one span may hold.
pub(super) fn span(environment: &Environment) -> Result<SpanLimits, InitError> {
    let mut limits = SpanLimits::default();
    for (variable, limit) in [
        (
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            &mut limits.max_attributes_per_span,
        ),
        (
            "OTEL_SPAN_EVENT_COUNT_LIMIT",
            &mut limits.max_events_per_span,
        ),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", &mut limits.max_links_per_span),
        (
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            &mut limits.max_attributes_per_event,
        ),
        (
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
            &mut limits.max_attributes_per_link,
        ),
    ] {
        if let Some(number) = environment.number(variable, 0)? {
            *limit = number;
        }
    }
    Ok(limits)
}

/// How spans are collected into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batching {
    /// Ended spans that may wait for export; more are dropped, and counted.
    queue: usize,
    /// Spans in one request.
    batch: usize,
    /// How long a span waits at most before it is sent.
    delay: Duration,
}

impl Batching {
    pub(super) fn from_environment(environment: &Environment) -> Result<Self, InitError> {
        let queue = environment
            .number_in("OTEL_BSP_MAX_QUEUE_SIZE", &SPANS)?
            .unwrap_or(2_048);
        let batch = environment
            .number_in("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &SPANS)?
            .unwrap_or(512);
        let delay = environment
            .number("OTEL_BSP_SCHEDULE_DELAY", 1)?
            .unwrap_or(5_000);
        Ok(Self {
            queue,
            batch: batch.min(queue),
            delay: Duration::from_millis(delay),
        })
    }

    pub(crate) fn config(self) -> BatchConfig {
        BatchConfigBuilder::default()
            .with_max_queue_size(self.queue)
            .with_max_export_batch_size(self.batch)
            .with_scheduled_delay(self.delay)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let limits = span(&Environment::of([
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "7"),
            ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0"),
        ]))
        .unwrap();
        assert_eq!(limits.max_attributes_per_span, 7);
        assert_eq!(limits.max_attributes_per_link, 0);
        assert_eq!(
            limits.max_events_per_span,
            SpanLimits::default().max_events_per_span
        );
    }

    #[test]
    fn a_batch_is_no_larger_than_the_queue() {
        let batching = Batching::from_environment(&Environment::of([
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "250"),
        ]));
        let expected = Batching {
            queue: 100,
            batch: 100,
            delay: Duration::from_millis(250),
        };
        assert_eq!(batching.unwrap(), expected);
    }

    #[test]
    fn queues_and_batches_that_cannot_be_are_refused() {
        for variable in ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] {
            for value in ["0", "1000001", "18446744073709551615"] {
                let error = Batching::from_environment(&Environment::of([(variable, value)]));
                assert_eq!(
                    error.unwrap_err().to_string(),
                    format!("{variable} is `{value}`: must be a whole number from 1 to 1000000")
                );
            }
        }
        let largest = Environment::of([("OTEL_BSP_MAX_QUEUE_SIZE", "1000000")]);
        assert!(Batching::from_environment(&largest).is_ok());
    }
}
