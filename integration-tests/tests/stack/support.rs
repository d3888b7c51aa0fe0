use demo::drive::Client;
use demo::stack::{Config, Stack};
use dynamo_trace_testkit::Receiver;
use http::HeaderMap;
use std::time::Duration;

/// How long what is waited for may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A stack that exports to a receiver.
pub(crate) struct Setup {
    pub(crate) receiver: Receiver,
    pub(crate) stack: Stack,
    pub(crate) client: Client,
}

impl Setup {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let receiver = Receiver::start().await.unwrap();
        let executable = env!("CARGO_BIN_EXE_stack-role").into();
        let mut config = Config::new(executable, &receiver.endpoint());
        change(&mut config);
        let stack = Stack::start(&config).await.unwrap();
        let client = Client::new(stack.frontend());
        Self {
            receiver,
            stack,
            client,
        }
    }

    /// Waits for a line in the log of a role that has all of these.
    pub(crate) async fn until_logged(&mut self, role: &str, parts: &[&str]) -> String {
        let process = self.stack.role(role).unwrap();
        let log = process.log_path().to_owned();
        let find = || {
            let log = std::fs::read_to_string(&log).unwrap();
            let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
            std::future::ready(log.lines().find(has_all).map(str::to_owned))
        };
        process.until(find).await.unwrap()
    }
}

/// Headers of a traced caller.
pub(crate) fn headers<const N: usize>(fields: [(&'static str, &str); N]) -> HeaderMap {
    let fields = fields.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    HeaderMap::from_iter(fields)
}
