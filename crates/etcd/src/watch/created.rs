use etcd_client::{Error, ResponseHeader, WatchResponse, WatchStream};

/// A watch that the server has created.
pub(super) struct Created {
    pub(super) stream: WatchStream,
    pub(super) response: WatchResponse,
}

impl Created {
    /// The revision of the store at that time.
    pub(super) fn revision(&self) -> i64 {
        self.response.header().map_or(0, ResponseHeader::revision)
    }
}

/// Waits until the server has created the watch.
pub(super) async fn create(mut stream: WatchStream) -> Result<Created, Error> {
    let response = loop {
        match stream.message().await? {
            Some(response) if response.created() => break response,
            Some(_) => {}
            None => return Err(Error::WatchError("closed before it was created".into())),
        }
    };
    if response.canceled() {
        return Err(Error::WatchError(reason(&response)));
    }
    Ok(Created { stream, response })
}

/// Why the server cancelled a watch.
pub(super) fn reason(response: &WatchResponse) -> String {
    match (response.cancel_reason(), response.compact_revision()) {
        ("", 0) => "cancelled by the server".to_owned(),
        ("", revision) => format!("the revision is compacted; the oldest is {revision}"),
        (reason, _) => reason.to_owned(),
    }
}
