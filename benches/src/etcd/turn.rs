/// What is measured of either client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A put: of ours a transaction, with the companion.
    Put,
    /// By etcd-client alone, a put on one side and a transaction of two puts on the other: what a
    /// second key costs in etcd, whoever writes it.
    PutOfTwo,
    /// A get of one key.
    Get,
    /// From a put to its change at a watch: of ours with the context, which is read.
    Change,
    /// The same, where the watch covers the companions: nothing is read.
    ChangeBesideCompanions,
}

impl Turn {
    pub(crate) const ALL: [Self; 5] = [
        Self::Put,
        Self::PutOfTwo,
        Self::Get,
        Self::Change,
        Self::ChangeBesideCompanions,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::PutOfTwo => "put of one key, and of two, by etcd-client alone",
            Self::Get => "get",
            Self::Change => "put and its change at a watch",
            Self::ChangeBesideCompanions => "put and its change at a watch over the companions too",
        }
    }
}
