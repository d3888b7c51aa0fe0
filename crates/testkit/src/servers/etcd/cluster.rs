use super::member::Member;
use crate::servers::{Process, ServerError, on_free_port};
use std::array;

/// How many members a cluster has: it works while two of them do.
const MEMBERS: usize = 3;

/// An etcd of three members, each a process of its own.
///
/// ```no_run
/// use dynamo_trace_testkit::servers::EtcdCluster;
///
/// # async fn example() -> Result<(), dynamo_trace_testkit::servers::ServerError> {
/// let mut etcd = EtcdCluster::start().await?;
/// let leader = etcd.leader().await?;
/// etcd.stop(leader);
/// // The other two elect one of them.
/// assert_ne!(etcd.leader().await?, leader);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EtcdCluster {
    // Dropped before the folders that they write to.
    processes: [Process; MEMBERS],
    members: [Member; MEMBERS],
}

impl EtcdCluster {
    /// Starts the members, and waits until each of them has a leader: the program is that of
    /// [`EtcdServer::start`](super::EtcdServer::start).
    ///
    /// # Errors
    ///
    /// Those of [`EtcdServer::start`](super::EtcdServer::start).
    pub async fn start() -> Result<Self, ServerError> {
        on_free_port(async |_| {
            let member = |name| Member::new(name, crate::servers::free_port()?, &[]);
            let members = [member("a")?, member("b")?, member("c")?];
            let peers = peers(&members);
            // None of them is well without another one.
            let [a, b, c] = members.each_ref().map(|member| member.spawn(&peers));
            let mut cluster = Self {
                processes: [a?, b?, c?],
                members,
            };
            for (member, process) in cluster.members.iter().zip(&mut cluster.processes) {
                member.until_healthy(process).await?;
            }
            Ok(cluster)
        })
        .await
    }

    /// What clients connect to, of each member: `127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoints(&self) -> [String; MEMBERS] {
        array::from_fn(|index| {
            let member = self.members.get(index);
            member.map(Member::endpoint).unwrap_or_default()
        })
    }

    /// Which member leads; waits until one does.
    ///
    /// # Errors
    ///
    /// [`ServerError::Failed`] after 30 seconds without a leader.
    pub async fn leader(&mut self) -> Result<usize, ServerError> {
        let members = &self.members;
        let leader = || async move {
            for (index, member) in members.iter().enumerate() {
                if member.leads().await == Some(true) {
                    return Some(index);
                }
            }
            None
        };
        let mut running = self.processes.iter_mut();
        let Some(running) =
            running.find_map(|process| process.ended().is_none().then_some(process))
        else {
            return Err(ServerError::Io(std::io::Error::other("no member runs")));
        };
        running.until(leader).await
    }

    /// Kills a member, as a crash would. Nothing happens where it was stopped before, or is none.
    pub fn stop(&mut self, index: usize) {
        if let Some(process) = self.processes.get_mut(index) {
            process.kill();
        }
    }

    /// Kills a member, and starts it again: on the same ports, with what it had stored.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub async fn restart(&mut self, index: usize) -> Result<(), ServerError> {
        let peers = peers(&self.members);
        let (Some(member), Some(process)) =
            (self.members.get(index), self.processes.get_mut(index))
        else {
            return Ok(());
        };
        process.kill();
        *process = member.spawn(&peers)?;
        member.until_healthy(process).await
    }
}

fn peers(members: &[Member]) -> String {
    let peers: Vec<_> = members.iter().map(Member::peer).collect();
    peers.join(",")
}
