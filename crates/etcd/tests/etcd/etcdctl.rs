//! What whoever looks at the store with etcd's own tool sees.

use crate::bench::{Bench, companion};
use dynamo_trace_testkit::servers::find_program;
use etcd_client::{DeleteOptions, PutOptions, Txn, TxnOp};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

fn etcdctl(bench: &Bench, arguments: &[&str]) -> Command {
    let program = find_program("etcdctl").unwrap_or_else(|| {
        panic!("`etcdctl` is not on PATH; install it: apt-get install -y etcd-client")
    });
    let mut command = Command::new(program);
    command
        .env("ETCDCTL_API", "3")
        .args(["--endpoints", &bench.server.endpoint()])
        .args(arguments);
    command
}

fn output(bench: &Bench, arguments: &[&str]) -> String {
    let output = etcdctl(bench, arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// `etcdctl watch --prefix`, and what it prints.
struct Watch {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    /// It does not say when it watches: then it sees what is put meanwhile.
    async fn start(bench: &Bench, prefix: &str) -> Self {
        let mut command = etcdctl(bench, &["watch", "--prefix", prefix]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = tokio::task::spawn_blocking(move || {
            let mut lines = lines;
            let first = lines.next().unwrap().unwrap();
            (first, lines)
        });
        let mut kv = bench.plain.kv_client();
        while !first.is_finished() {
            kv.put(format!("{prefix}begin"), "-", None).await.unwrap();
        }
        kv.put(format!("{prefix}begun"), "-", None).await.unwrap();
        let (_, lines) = first.await.unwrap();
        let mut watch = Self { process, lines };
        watch.until(&format!("{prefix}begun"));
        assert_eq!(watch.lines.next().unwrap().unwrap(), "-");
        watch
    }

    /// The lines before this one.
    fn until(&mut self, line: &str) -> Vec<String> {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        lines.by_ref().take_while(|seen| seen != line).collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn nothing_of_ours_is_under_the_users_prefix() {
    let bench = Bench::start().await;
    let mut watch = Watch::start(&bench, "app/").await;
    let etcd = &bench.etcd;
    etcd.put("app/1", "one", None).await.unwrap();
    let lease = etcd.lease_grant(600, None).await.unwrap().id();
    let leased = Some(PutOptions::new().with_lease(lease));
    etcd.put("app/2", "two", leased).await.unwrap();
    let puts = [
        TxnOp::put("app/3", "three", None),
        TxnOp::put("app/4", "four", None),
    ];
    etcd.txn(Txn::new().and_then(puts)).await.unwrap();
    etcd.delete("app/1", None).await.unwrap();
    etcd.lease_revoke(lease).await.unwrap();
    let rest = Some(DeleteOptions::new().with_prefix());
    etcd.delete("app/b", rest).await.unwrap();
    etcd.put("app/end", "", None).await.unwrap();
    let expected = "\
PUT app/1 one
PUT app/2 two
PUT app/3 three
PUT app/4 four
DELETE app/1 
DELETE app/2 
DELETE app/begin 
DELETE app/begun 
PUT";
    let seen = watch.until("app/end").join(" ");
    assert_eq!(seen, expected.replace('\n', " "));

    let stored = output(&bench, &["get", "--prefix", "app/"]);
    assert_eq!(stored, "app/3\nthree\napp/4\nfour\napp/end\n\n");
    // Outside of it is what the documentation says.
    let keys = output(&bench, &["get", "--prefix", "", "--keys-only"]);
    let mut keys: Vec<_> = keys.lines().filter(|line| !line.is_empty()).collect();
    keys.retain(|key| !key.starts_with("app/"));
    let own = ["", "app/3", "app/4", "app/end"].map(companion);
    assert_eq!(keys, own);
}

#[tokio::test]
async fn what_the_tool_writes_is_read_as_before() {
    let bench = Bench::start().await;
    bench.etcd.put("app/1", "traced", None).await.unwrap();
    let mut changes = bench.etcd.watch("app/1", None).await.unwrap();
    assert_eq!(output(&bench, &["put", "app/1", "by hand"]), "OK\n");
    let change = changes.next().await.unwrap().unwrap();
    assert_eq!(change.kv().unwrap().value(), b"by hand");
    assert!(change.remote().is_empty());
    assert_eq!(output(&bench, &["del", "app/1"]), "1\n");
    let change = changes.next().await.unwrap().unwrap();
    assert!(change.remote().is_empty());
}
