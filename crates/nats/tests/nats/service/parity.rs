//! One program, on async-nats and on this crate: nothing but the import differs, nor does what
//! services tell and count.

use super::*;
use serde_json::Value;

/// What a program saw: each answer, and what the service told.
type Seen = Vec<(String, Value)>;

macro_rules! program {
    ($name:ident, $client:path, $service:path) => {
        mod $name {
            use super::{Seen, seen};
            // It hides nothing: the methods of the client itself go before.
            #[allow(unused_imports, reason = "one of the two needs both, the other none")]
            use {async_nats::service::ServiceExt, futures_util::StreamExt};
            use $client as Client;
            use $service::{self as service, Service, endpoint::Endpoint, error::Error};
            use std::collections::HashMap;

            async fn start(nats: &Client) -> Service {
                let metadata = HashMap::from([("region".to_owned(), "eu".to_owned())]);
                let service = nats
                    .service_builder()
                    .description("what things cost")
                    .stats_handler(|endpoint, stats: service::endpoint::Stats| {
                        serde_json::json!({ "endpoint": endpoint, "seen": stats.requests })
                    })
                    .metadata(metadata)
                    .queue_group("mine")
                    .start("prices", "1.2.3-rc.1+b");
                service.await.unwrap()
            }

            async fn endpoints(service: &Service) -> [Endpoint; 3] {
                let v1 = service.group("v1").group_with_queue_group("stocks", "stockists");
                let metadata = HashMap::from([("unit".to_owned(), "cent".to_owned())]);
                let named = service.group("named").endpoint_builder();
                let named = named.name("all").metadata(metadata).queue_group("own");
                [
                    service.endpoint("plain").await.unwrap(),
                    v1.endpoint("quotes").await.unwrap(),
                    named.add("x.*").await.unwrap(),
                ]
            }

            /// Four requests of each endpoint, and what the requester and the service see.
            pub(super) async fn run(nats: &Client, requester: &async_nats::Client) -> Seen {
                let mut service = start(nats).await;
                let mut all = Seen::new();
                let mut endpoints = endpoints(&service).await;
                super::settle(nats).await;
                let subjects = ["plain", "v1.stocks.quotes", "named.x.7"];
                for (endpoint, subject) in endpoints.iter_mut().zip(subjects) {
                    for number in 0..4 {
                        let serve = async {
                            let request = endpoint.next().await.unwrap();
                            assert_eq!(request.message.subject.as_str(), subject);
                            assert_eq!(request.message.payload, "input");
                            let mut headers = async_nats::HeaderMap::new();
                            headers.append("own", "1");
                            let error = |code| Error { status: "no".into(), code };
                            match number {
                                0 => request.respond(Ok("42".into())).await,
                                1 => request.respond_with_headers(Ok("43".into()), headers).await,
                                2 => request.respond(Err(error(400))).await,
                                _ => request.respond_with_headers(Err(error(503)), headers).await,
                            }
                            .unwrap();
                        };
                        let (reply, ()) =
                            tokio::join!(requester.request(subject, "input".into()), serve);
                        all.push(seen::message(reply.unwrap()));
                    }
                    // One that is not answered.
                    requester.publish_with_reply(subject, "nowhere", "".into()).await.unwrap();
                    drop(endpoint.next().await.unwrap());
                }
                for verb in [service::Verb::Ping, service::Verb::Info, service::Verb::Stats] {
                    for subject in [format!("$SRV.{verb}"), format!("$SRV.{verb}.prices")] {
                        let told = requester.request(subject, "".into()).await.unwrap();
                        all.push(seen::told(&told.payload));
                    }
                }
                all.push(seen::value(service.info().await));
                all.push(seen::value(service.stats().await));
                service.reset().await;
                all.push(seen::value(service.stats().await));
                service.stop().await.unwrap();
                for mut endpoint in endpoints {
                    assert!(endpoint.next().await.is_none());
                }
                all
            }
        }
    };
}

program!(plain, async_nats::Client, async_nats::service);
program!(
    traced,
    dynamo_trace_nats::Client,
    dynamo_trace_nats::service
);

/// What is told, without what differs from run to run.
mod seen {
    use serde_json::Value;

    pub(super) fn message(message: async_nats::Message) -> (String, Value) {
        let headers = message.headers.map(|headers| {
            let text = |(name, values)| format!("{name:?}: {values:?}");
            let mut lines: Vec<_> = headers.iter().map(text).collect();
            lines.sort();
            lines
        });
        (format!("{headers:?} {:?}", message.payload), Value::Null)
    }

    pub(super) fn told(payload: &[u8]) -> (String, Value) {
        value(serde_json::from_slice::<Value>(payload).unwrap())
    }

    pub(super) fn value(told: impl serde::Serialize) -> (String, Value) {
        let mut told = serde_json::to_value(told).unwrap();
        normalise(&mut told);
        (String::new(), told)
    }

    fn normalise(told: &mut Value) {
        match told {
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    match name.as_str() {
                        "id" | "started" => *value = Value::Null,
                        // Zero after a reset, else any time at all.
                        "processing_time" | "average_processing_time" => {
                            *value = (value.as_u64() > Some(0)).into();
                        }
                        _ => normalise(value),
                    }
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(normalise);
                // A map of endpoints has no order.
                items.sort_by_key(ToString::to_string);
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn nothing_but_the_import_differs() {
    let Setup { nats, spans, .. } = &setup().await;
    let requester = nats.clone().into_inner();
    let plain = within(plain::run(&requester, &requester)).await;
    let traced = within(traced::run(nats, &requester)).await;
    assert_eq!(plain.len(), 3 * 4 + 6 + 3);
    assert_eq!(plain, traced);
    // The test sees what it is meant to see.
    let stats = plain[16].1.to_string();
    assert!(
        stats.contains(r#""num_requests":4"#) && stats.contains(r#""num_errors":2"#),
        "{stats}"
    );
    assert!(stats.contains(r#""last_error":"503:no""#), "{stats}");
    assert_eq!(spans.names(), [""; 0], "nobody asked for one");
}

#[tokio::test]
async fn monitoring_makes_no_spans_and_processing_changes_no_count() {
    let Setup {
        server,
        nats,
        spans,
        ..
    } = &setup().await;
    let (service, mut endpoint) = serve(nats, "quotes").await;
    let plain = server.connect().await;
    let mut headers = async_nats::HeaderMap::new();
    headers.append("traceparent", TRACEPARENT);
    let id = service.info().await.id;
    for subject in ["PING", "INFO", "STATS"].map(|verb| format!("$SRV.{verb}")) {
        for subject in [
            subject.clone(),
            format!("{subject}.prices"),
            format!("{subject}.prices.{id}"),
        ] {
            let told = plain.request_with_headers(subject, headers.clone(), "".into());
            assert_eq!(told.await.unwrap().headers, None);
        }
    }
    assert_eq!(spans.names(), [""; 0]);
    for number in 1..=3 {
        let asked = ask(nats, "quotes");
        let work = take(&mut endpoint).await;
        work.process(async |request| request.respond(Ok("".into())).await.unwrap())
            .await;
        reply(asked).await;
        let stats = &service.stats().await["quotes"];
        assert_eq!((stats.requests, stats.errors), (number, 0));
    }
}
