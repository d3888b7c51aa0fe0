use crate::{Bench, stream};
use dynamo_trace_testkit::span_log::SpanLog;
use http_body_util::BodyExt;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData};
use std::convert::Infallible;
use tonic::Code;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

/// As the semantic conventions advise.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

#[tokio::test]
async fn a_duration_is_that_of_the_span() {
    let log = SpanLog::default();
    let bench = Bench::new(&log.provider());
    bench.call("test.Durations/Same", Code::Ok).await;
    let series = bench.meter.series();
    let mut spans = log.ended::<2>().await;
    spans.sort_by_key(|span| span.span_kind != SpanKind::Client);
    let seconds = |span: &SpanData| {
        let duration = span.end_time.duration_since(span.start_time);
        duration.unwrap().as_secs_f64()
    };
    assert_eq!(series.len(), 2, "{series:#?}");
    for (series, span) in series.iter().zip(&spans) {
        assert_eq!(series.count, 1);
        assert_eq!(series.sum.to_bits(), seconds(span).to_bits(), "{series:?}");
        assert_eq!(series.bounds, BOUNDS);
    }
}

#[tokio::test]
async fn these_are_all_the_attributes() {
    let bench = Bench::new(&SpanLog::default().provider());
    for code in [Code::Ok, Code::NotFound, Code::Internal] {
        bench.call("test.Durations/Listed", code).await;
    }
    let rpc = "rpc.method=test.Durations/Listed";
    let failed = "dynamo_trace.ending=failed error.type";
    assert_eq!(
        bench.meter.texts(),
        [
            format!(
                "rpc.client.call.duration s {failed}=INTERNAL {rpc} rpc.response.status_code=INTERNAL \
                 rpc.system.name=grpc server.address=backend server.port=8080"
            ),
            format!(
                "rpc.client.call.duration s {failed}=NOT_FOUND {rpc} rpc.response.status_code=NOT_FOUND \
                 rpc.system.name=grpc server.address=backend server.port=8080"
            ),
            format!(
                "rpc.client.call.duration s {rpc} rpc.response.status_code=OK \
                 rpc.system.name=grpc server.address=backend server.port=8080"
            ),
            format!(
                "rpc.server.call.duration s {failed}=INTERNAL {rpc} rpc.response.status_code=INTERNAL \
                 rpc.system.name=grpc"
            ),
            format!(
                "rpc.server.call.duration s {rpc} rpc.response.status_code=NOT_FOUND \
                 rpc.system.name=grpc"
            ),
            format!(
                "rpc.server.call.duration s {rpc} rpc.response.status_code=OK rpc.system.name=grpc"
            ),
        ]
    );
}

#[tokio::test]
async fn what_is_not_sampled_is_measured_alike() {
    let sampled = Bench::new(&SpanLog::default().provider());
    sampled.call("test.Durations/Sampled", Code::Ok).await;
    let off = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOff)
        .build();
    let unsampled = Bench::new(&off);
    for _ in 0..2 {
        unsampled.call("test.Durations/Unsampled", Code::Ok).await;
    }
    let expected = sampled.meter.texts().into_iter();
    let expected: Vec<_> = expected
        .map(|text| text.replace("/Sampled", "/Unsampled"))
        .collect();
    assert_eq!(unsampled.meter.texts(), expected);
    let counts: Vec<_> = unsampled.meter.series().iter().map(|s| s.count).collect();
    assert_eq!(counts, [2, 2]);
}

#[tokio::test]
async fn a_call_that_is_given_up_is_measured_as_such() {
    let bench = Bench::new(&SpanLog::default().provider());
    bench.call("test.Durations/GivenUp", Code::Ok).await;
    let hang = service_fn(|_: http::Request<Body>| {
        std::future::pending::<Result<http::Response<Body>, Infallible>>()
    });
    let request = || {
        http::Request::post("http://backend:8080/test.Durations/GivenUp")
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .unwrap()
    };
    let calling = bench.server.clone().layer(hang).oneshot(request());
    assert!(futures_util::FutureExt::now_or_never(calling).is_none());
    let answer = service_fn(async |_: http::Request<Body>| Ok::<_, Infallible>(stream()));
    let response = bench.server.clone().layer(answer).oneshot(request()).await;
    let mut unread = response.unwrap().into_body();
    unread.frame().await.unwrap().unwrap();
    drop(unread);
    let cancelled = "rpc.server.call.duration s dynamo_trace.ending=cancelled \
        rpc.method=test.Durations/GivenUp rpc.system.name=grpc";
    let series = bench.meter.series();
    let cancelled = series.iter().find(|series| series.text == cancelled);
    assert_eq!(cancelled.map(|series| series.count), Some(2), "{series:#?}");
}

#[tokio::test]
async fn what_is_filtered_out_is_not_measured() {
    let mut bench = Bench::new(&SpanLog::default().provider());
    bench.server = bench
        .server
        .with_filter(|request| request.uri.path() != "/test.Durations/No");
    bench.call("test.Durations/No", Code::Ok).await;
    let texts = bench.meter.texts();
    assert!(
        texts.iter().all(|text| text.starts_with("rpc.client")),
        "{texts:#?}"
    );
    assert_eq!(texts.len(), 1);
}
