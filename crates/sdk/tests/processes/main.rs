//! Telemetry is global to a process, and its settings are the environment: every scenario runs in a
//! process of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod delivery;
mod logs;
mod outage;
mod start;
mod support;
#[cfg(feature = "tls")]
mod tls;

/// What a child runs.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn in_child() {
    let scenario = support::variable(support::SCENARIO);
    match scenario.split_once('/') {
        Some(("delivery", scenario)) => delivery::child_main(scenario),
        Some(("logs", scenario)) => logs::child_main(scenario),
        Some(("outage", scenario)) => outage::child_main(scenario),
        Some(("start", scenario)) => start::child_main(scenario),
        _ => panic!("{scenario}"),
    }
}
