//! A cluster whose leader is stopped under load.

use crate::bench::{attribute, companion};
use dynamo_trace_etcd::attributes::DB_RESPONSE_STATUS_CODE;
use dynamo_trace_etcd::{Client, Error, Received, Watcher};
use dynamo_trace_grpc::status;
use dynamo_trace_testkit::servers::EtcdCluster;
use etcd_client::{ConnectOptions, Event, EventType, GetOptions, WatchOptions, WatchStream};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Code;

/// How often each client has to be answered before the leader is stopped, and after.
const ANSWERS: usize = 20;
/// How long a call may take.
const WITHIN: Duration = Duration::from_secs(15);

fn options() -> Option<ConnectOptions> {
    let options = ConnectOptions::new().with_timeout(WITHIN);
    Some(options.with_connect_timeout(Duration::from_secs(2)))
}

/// A traced client of these endpoints, and its spans.
struct Traced {
    etcd: Client,
    spans: InMemorySpanExporter,
}

impl Traced {
    async fn connect(endpoints: &[String]) -> Self {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        let builder = Client::builder().with_tracer_provider(&provider);
        Self {
            etcd: builder.connect(endpoints, options()).await.unwrap(),
            spans,
        }
    }
}

async fn plain(endpoints: &[String]) -> etcd_client::Client {
    let etcd = etcd_client::Client::connect(endpoints, options());
    etcd.await.unwrap()
}

/// Puts and gets, one after the other, until it is told to stop.
struct Load {
    answers: watch::Receiver<usize>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Vec<Result<(), Code>>>,
}

impl Load {
    fn start(mut etcd: etcd_client::Client, prefix: &'static str) -> Self {
        let (answered, answers) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for call in 0.. {
                if *stopped.borrow() {
                    break;
                }
                let key = format!("{prefix}{:06}", call / 2);
                let outcome = match call % 2 {
                    0 => etcd.put(key, "v", None).await.map(drop),
                    _ => etcd.get(key, None).await.map(drop),
                };
                let outcome = outcome.map_err(|error| code(&error));
                answered.send_modify(|answers| *answers += usize::from(outcome.is_ok()));
                outcomes.push(outcome);
            }
            outcomes
        });
        Self {
            answers,
            stop,
            task,
        }
    }

    /// Until so many more calls went well.
    async fn more(&mut self) {
        let goal = *self.answers.borrow() + ANSWERS;
        self.answers
            .wait_for(|answers| *answers >= goal)
            .await
            .unwrap();
    }

    async fn stop(self) -> Vec<Result<(), Code>> {
        self.stop.send_replace(true);
        self.task.await.unwrap()
    }
}

fn code(error: &Error) -> Code {
    match error {
        Error::GRpcStatus(status) => status.code(),
        other => panic!("no status: {other}"),
    }
}

/// What a span says became of its call.
fn outcome(span: &SpanData) -> Result<(), String> {
    match attribute(span, DB_RESPONSE_STATUS_CODE) {
        Some(code) => Err(code),
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_companions_survive_the_leader() {
    let mut servers = EtcdCluster::start().await.unwrap();
    let traced = Traced::connect(&servers.endpoints()).await;
    let mut loads = [
        Load::start(traced.etcd.clone().into_inner(), "traced/"),
        Load::start(plain(&servers.endpoints()).await, "plain/"),
    ];
    for load in &mut loads {
        load.more().await;
    }
    let leader = servers.leader().await.unwrap();
    servers.stop(leader);
    assert_ne!(servers.leader().await.unwrap(), leader);
    for load in &mut loads {
        load.more().await;
    }
    let [outcomes, as_plain] = loads.map(Load::stop);
    let (outcomes, as_plain) = (outcomes.await, as_plain.await);

    // Every call has its span, which says what the caller was told.
    let spans = traced.spans.get_finished_spans().unwrap();
    assert_eq!(spans.len(), outcomes.len());
    for (span, told) in spans.iter().zip(&outcomes) {
        let told = told.map_err(|code| status::name(code).to_owned());
        assert_eq!(outcome(span), told, "{span:#?}");
    }
    // With the original as without: the connections to the leader break, then nobody listens.
    for outcomes in [&outcomes, &as_plain] {
        let failed = |code| outcomes.contains(&Err(code));
        assert!(
            failed(Code::Unavailable) || failed(Code::Unknown),
            "{outcomes:?}"
        );
    }
    assert_eq!(traced.etcd.companions_left_out(), 0);
    assert_accompanied(&servers, leader, &outcomes).await;
}

/// What was put is there, each with its companion, and nothing else.
async fn assert_accompanied(servers: &EtcdCluster, gone: usize, outcomes: &[Result<(), Code>]) {
    let endpoints = servers.endpoints();
    let left = endpoints
        .iter()
        .enumerate()
        .find(|(index, _)| *index != gone);
    let mut etcd = plain(&[left.unwrap().1.clone()]).await;
    let mut revisions = async |prefix: String| {
        let options = GetOptions::new().with_prefix();
        let found = etcd.get(prefix.clone(), Some(options)).await.unwrap();
        let pairs = found.kvs().iter().map(|kv| {
            let key = kv.key_str().unwrap().strip_prefix(&prefix).unwrap();
            (key.to_owned(), kv.mod_revision())
        });
        pairs.collect::<BTreeMap<_, _>>()
    };
    let keys = revisions("traced/".to_owned()).await;
    assert_eq!(keys, revisions(companion("traced/")).await);
    assert!(revisions(companion("plain/")).await.is_empty());
    for (put, outcome) in outcomes.iter().step_by(2).enumerate() {
        // One that failed may have been carried out.
        let there = keys.contains_key(&format!("{put:06}"));
        assert!(there || outcome.is_err(), "{put}");
    }
}

/// A watch and a keep-alive over one member, of both clients.
struct Streams {
    traced: Traced,
    changes: Watcher,
    plain_changes: WatchStream,
    alive: (etcd_client::LeaseKeeper, etcd_client::LeaseKeepAliveStream),
}

impl Streams {
    async fn open(endpoint: &str, lease: i64) -> Self {
        let endpoint = [endpoint.to_owned()];
        let traced = Traced::connect(&endpoint).await;
        let options = || Some(WatchOptions::new().with_prefix());
        let mut plain = plain(&endpoint).await;
        let mut plain_changes = plain.watch("k", options()).await.unwrap();
        assert!(plain_changes.message().await.unwrap().unwrap().created());
        Self {
            changes: traced.etcd.watch("k", options()).await.unwrap(),
            plain_changes,
            alive: traced.etcd.lease_keep_alive(lease).await.unwrap(),
            traced,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_over_other_members_go_on_and_those_over_the_leader_end() {
    const PUTS: usize = 10;
    let mut servers = EtcdCluster::start().await.unwrap();
    let (leader, endpoints) = (servers.leader().await.unwrap(), servers.endpoints());
    let follower = (leader + 1) % endpoints.len();
    let writer = Traced::connect(&endpoints[follower..=follower]).await;
    let lease = writer.etcd.lease_grant(600, None).await.unwrap().id();
    let mut over_leader = Streams::open(&endpoints[leader], lease).await;
    let mut over_follower = Streams::open(&endpoints[follower], lease).await;
    servers.stop(leader);
    assert_ne!(servers.leader().await.unwrap(), leader);
    let mut written = 0;
    while written < PUTS {
        let put = writer.etcd.put(format!("k{written}"), "v", None).await;
        written += usize::from(put.is_ok());
    }

    // Each change once and in order, as with the original, and each with its context.
    for put in 0..PUTS {
        let key = format!("k{put}");
        let change = next(&mut over_follower.changes).await.unwrap();
        assert_eq!(change.kv().unwrap().key_str().unwrap(), key);
        assert!(change.remote().span_context().is_some());
        let plain = over_follower.plain_changes.message().await.unwrap();
        let plain = plain.unwrap();
        let [event] = plain.events() else {
            panic!("not one event: {plain:?}");
        };
        assert_eq!(event.event_type(), EventType::Put);
        assert_eq!(event.kv().unwrap().key_str().unwrap(), key);
    }
    let (keeper, answers) = &mut over_follower.alive;
    keeper.keep_alive().await.unwrap();
    assert!(answers.message().await.unwrap().unwrap().ttl() > 0);
    let failures = over_follower.traced.etcd.keep_alive_failures();
    assert_eq!((failures.gone, failures.broken), (0, 0));

    let ended = next(&mut over_leader.changes).await.unwrap_err();
    let plain = over_leader.plain_changes.message().await.unwrap_err();
    assert_eq!(code(&ended), code(&plain));
    assert!(over_leader.changes.next().await.is_none());
    over_leader.alive.1.message().await.unwrap_err();
    let failures = over_leader.traced.etcd.keep_alive_failures();
    assert_eq!((failures.gone, failures.broken), (0, 1));
    // The spans were of the opening.
    for streams in [over_leader, over_follower] {
        let spans = streams.traced.spans.get_finished_spans().unwrap();
        let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
        assert_eq!(names, ["Watch", "LeaseKeepAlive"]);
        assert!(spans.iter().all(|span| outcome(span).is_ok()));
    }
}

async fn next(changes: &mut Watcher) -> Result<Received<Event>, Error> {
    let next = tokio::time::timeout(WITHIN, changes.next());
    next.await.unwrap().unwrap()
}
