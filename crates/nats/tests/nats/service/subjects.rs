//! How groups, names, patterns and queue groups stand on spans, and in what the service tells.

use super::*;
use dynamo_trace_nats::service::Config;

/// The name of the last span and the attributes that say where it was.
fn place(spans: &Spans) -> [String; 5] {
    let mut spans = spans.all().into_iter();
    let span = spans
        .rfind(|span| span.name.starts_with("process"))
        .unwrap();
    let of = |key| attribute(&span, key).map_or("-".to_owned(), |value| value.to_string());
    [
        span.name.to_string(),
        of("messaging.destination.name"),
        of("messaging.destination.template"),
        of("messaging.consumer.group.name"),
        of("messaging.nats.service.endpoint"),
    ]
}

/// What the service tells of its endpoint, in the same order.
async fn told(nats: &Client, service: &Service, endpoint: &str) -> (String, String, String) {
    let id = service.info().await.id;
    let request = nats.clone().into_inner();
    let info = request.request(format!("$SRV.INFO.prices.{id}"), "".into());
    let info = info.await.unwrap();
    let info: dynamo_trace_nats::service::Info = serde_json::from_slice(&info.payload).unwrap();
    let mut endpoints = info.endpoints.into_iter();
    let told = endpoints.find(|info| info.name == endpoint).unwrap();
    (told.subject, told.queue_group, told.name)
}

#[tokio::test]
async fn spans_say_what_the_service_tells() {
    let Setup { nats, spans, .. } = &setup().await;
    let grouped = nats.service_builder().queue_group("mine");
    let config = Config {
        name: "prices".into(),
        version: "1.0.0".into(),
        description: None,
        stats_handler: None,
        metadata: None,
        queue_group: Some("configured".into()),
    };
    let unconfigured = Config {
        queue_group: None,
        metadata: None,
        stats_handler: None,
        name: "prices".into(),
        description: None,
        version: "1.0.0".into(),
    };
    let builder = nats.service_builder();
    for (service, queue) in [
        (builder.start("prices", "1.0.0").await.unwrap(), "q"),
        (grouped.start("prices", "1.0.0").await.unwrap(), "mine"),
        (nats.add_service(config).await.unwrap(), "configured"),
        (nats.add_service(unconfigured).await.unwrap(), "q"),
    ] {
        let v1 = service.group("v1");
        let stocks = v1.group_with_queue_group("stocks", "stockists");
        let apart = service.group_with_queue_group("a", "apart");
        let named = service.endpoint_builder().name("all").queue_group("own");
        let cases = [
            (
                service.endpoint("plain").await,
                "plain",
                "plain",
                queue,
                "plain",
            ),
            (
                v1.endpoint("quotes").await,
                "v1.quotes",
                "v1.quotes",
                queue,
                "v1-quotes",
            ),
            (
                stocks.group("us").endpoint("quotes").await,
                "v1.stocks.us.quotes",
                "v1.stocks.us.quotes",
                "stockists",
                "v1-stocks-us-quotes",
            ),
            (
                apart.endpoint_builder().name("b").add("*.c").await,
                "a.7.c",
                "a.*.c",
                "apart",
                "b",
            ),
            (named.add("all.>").await, "all.of.it", "all.>", "own", "all"),
        ];
        for (endpoint, subject, registered, queue, name) in cases {
            let mut endpoint = endpoint.unwrap();
            settle(nats).await;
            let asked = ask(nats, subject);
            let work = take(&mut endpoint).await;
            work.process(async |request| request.respond(Ok("".into())).await.unwrap())
                .await;
            reply(asked).await;
            let template = if subject == registered {
                "-"
            } else {
                registered
            };
            let expected = [
                &*format!("process {registered}"),
                subject,
                template,
                queue,
                name,
            ];
            assert_eq!(place(spans), expected);
            let told = told(nats, &service, name).await;
            assert_eq!(told, (registered.into(), queue.into(), name.into()));
        }
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_registered_template_says_more_than_the_pattern() {
    let Setup { nats, spans, .. } = &setup().await;
    let nats = nats.clone().with_subject_templates(["orders.*.paid"]);
    let (_service, mut endpoint) = serve(&nats, "orders.>").await;
    let asked = ask(&nats, "orders.7.paid");
    let work = take(&mut endpoint).await;
    work.process(async |request| request.respond(Ok("".into())).await.unwrap())
        .await;
    reply(asked).await;
    let place = place(spans);
    assert_eq!(
        place[..3],
        ["process orders.*.paid", "orders.7.paid", "orders.*.paid"]
    );
    spans.one("request orders.*.paid");
}

#[tokio::test]
async fn each_request_goes_to_one_instance() {
    let Setup { nats, spans, .. } = &setup().await;
    let (one, mut a) = serve(nats, "quotes").await;
    let (two, mut b) = serve(nats, "quotes").await;
    for _ in 0..20 {
        let asked = ask(nats, "quotes");
        let received = tokio::select! {
            received = a.next() => received,
            received = b.next() => received,
        };
        let work = received.unwrap();
        work.process(async |request| request.respond(Ok("".into())).await.unwrap())
            .await;
        reply(asked).await;
    }
    let counted = one.stats().await["quotes"].requests + two.stats().await["quotes"].requests;
    assert_eq!(counted, 20);
    let names = spans.names();
    assert_eq!(
        names
            .iter()
            .filter(|name| *name == "process quotes")
            .count(),
        20
    );
}

#[tokio::test]
async fn what_cannot_be_served_is_async_nats_own_error() {
    let Setup { nats, .. } = &setup().await;
    let start = async |name, version| {
        let started = nats.service_builder().start(name, version).await;
        started.map(drop).unwrap_err().to_string()
    };
    let error = start("a name", "1.0.0").await;
    assert!(
        error.contains("service name is not a valid string"),
        "{error}"
    );
    let error = start("prices", "1").await;
    assert!(error.contains("not a valid semver"), "{error}");
    let (service, _endpoint) = serve(nats, "quotes").await;
    assert!(service.endpoint("a b").await.is_err());
    let builder = service.endpoint_builder().queue_group("a b");
    assert!(builder.add("quotes").await.is_err());
}
