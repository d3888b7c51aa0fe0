use super::Object;
use super::attributes::Operation;
use super::bucket::Bucket;
use super::error_type::{ErrorType, called};
use crate::attributes::body_size;
use crate::jetstream::Context;
use crate::jetstream::recording::Recording;
use async_nats::jetstream::object_store::{
    self, AddLinkError, AsObjectInfo, DeleteError, GetError, InfoError, List, ListError,
    ObjectInfo, ObjectMetadata, PutError, SealError, UpdateMetadata, UpdateMetadataError, Watch,
    WatchError,
};
use dynamo_trace_core::Ending;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use tokio::io::AsyncRead;

/// An [`async_nats::jetstream::object_store::ObjectStore`] whose calls are spans. Cheap to clone.
///
/// See the [module](super) for the spans; one that fails has the kind of async-nats' error as
/// `error.type`, such as `not_found` or `timeout`. Dropping a call's future before it completes
/// ends its span as cancelled; what the call changes may have been changed.
#[derive(Clone)]
#[must_use]
pub struct ObjectStore {
    inner: object_store::ObjectStore,
    bucket: Arc<Bucket>,
}

impl ObjectStore {
    /// Wraps `inner`, the store `bucket`, with what the context's client has been told.
    pub fn new(
        context: &Context,
        bucket: impl Into<String>,
        inner: object_store::ObjectStore,
    ) -> Self {
        Self {
            bucket: Arc::new(Bucket::new(context.settings.clone(), bucket.into())),
            inner,
        }
    }

    /// The store alone.
    #[must_use]
    pub fn into_inner(self) -> object_store::ObjectStore {
        self.inner
    }

    /// Stores an object, with everything that `data` gives. The span has its size, in bytes.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::put`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the object that was there, and chunks of the new one.
    pub async fn put<T>(
        &self,
        meta: T,
        data: &mut (impl AsyncRead + Unpin),
    ) -> Result<ObjectInfo, PutError>
    where
        ObjectMetadata: From<T>,
    {
        let guard = self.bucket.start(Operation::Put);
        let span = Recording::of(&guard);
        let putting = async {
            let info = self.inner.put(meta, data).await?;
            span.set(|| [body_size(info.size)]);
            Ok(info)
        };
        guard.run_judged(putting, called).await
    }

    /// Gets an object. The span covers the reading of it; see [`Object`].
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::get`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn get<T: AsRef<str> + Send>(&self, object_name: T) -> Result<Object, GetError> {
        let guard = self.bucket.start(Operation::Get);
        match self.inner.get(object_name).await {
            Ok(object) => Ok(Object::new(object, guard)),
            Err(error) => {
                guard.end(Ending::failed(error.error_type()));
                Err(error)
            }
        }
    }

    /// What is known of an object.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::info`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn info<T: AsRef<str>>(&self, object_name: T) -> Result<ObjectInfo, InfoError> {
        let guard = self.bucket.start(Operation::Info);
        guard.run_judged(self.inner.info(object_name), called).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::delete`].
    ///
    /// # Cancel safety
    ///
    /// The object may be deleted, and chunks of it be left.
    pub async fn delete<T: AsRef<str>>(&self, object_name: T) -> Result<(), DeleteError> {
        let guard = self.bucket.start(Operation::Delete);
        let deleting = self.inner.delete(object_name);
        guard.run_judged(deleting, called).await
    }

    /// Changes the metadata of an object.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::update_metadata`].
    ///
    /// # Cancel safety
    ///
    /// With a new name the old one may be gone before the new one is there.
    pub async fn update_metadata<A: AsRef<str>>(
        &self,
        object: A,
        metadata: UpdateMetadata,
    ) -> Result<ObjectInfo, UpdateMetadataError> {
        let guard = self.bucket.start(Operation::UpdateMetadata);
        let updating = self.inner.update_metadata(object, metadata);
        guard.run_judged(updating, called).await
    }

    /// Gives an object another name.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::add_link`].
    ///
    /// # Cancel safety
    ///
    /// The link may have been added.
    pub async fn add_link<T, O>(&self, name: T, object: O) -> Result<ObjectInfo, AddLinkError>
    where
        T: ToString,
        O: AsObjectInfo,
    {
        let guard = self.bucket.start(Operation::AddLink);
        let adding = self.inner.add_link(name, object);
        guard.run_judged(adding, called).await
    }

    /// Gives another store a name in this one.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::add_bucket_link`].
    ///
    /// # Cancel safety
    ///
    /// The link may have been added.
    pub async fn add_bucket_link<T: ToString, U: ToString>(
        &self,
        name: T,
        bucket: U,
    ) -> Result<ObjectInfo, AddLinkError> {
        let guard = self.bucket.start(Operation::AddLink);
        let adding = self.inner.add_bucket_link(name, bucket);
        guard.run_judged(adding, called).await
    }

    /// Seals the store: nothing in it changes any more.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::seal`].
    ///
    /// # Cancel safety
    ///
    /// The store may have been sealed.
    pub async fn seal(&mut self) -> Result<(), SealError> {
        let guard = self.bucket.start(Operation::Seal);
        guard.run_judged(self.inner.seal(), called).await
    }

    /// The objects of the store.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::list`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn list(&self) -> Result<List, ListError> {
        let guard = self.bucket.start(Operation::List);
        guard.run_judged(self.inner.list(), called).await
    }

    /// The changes of the store, from now on.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::watch`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn watch(&self) -> Result<Watch, WatchError> {
        let guard = self.bucket.start(Operation::Watch);
        guard.run_judged(self.inner.watch(), called).await
    }

    /// The objects of the store, and its changes.
    ///
    /// # Errors
    ///
    /// As [`async_nats::jetstream::object_store::ObjectStore::watch_with_history`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn watch_with_history(&self) -> Result<Watch, WatchError> {
        let guard = self.bucket.start(Operation::Watch);
        let watching = self.inner.watch_with_history();
        guard.run_judged(watching, called).await
    }
}

impl Deref for ObjectStore {
    type Target = object_store::ObjectStore;

    fn deref(&self) -> &object_store::ObjectStore {
        &self.inner
    }
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore")
            .field("bucket", &self.bucket.name)
            .finish_non_exhaustive()
    }
}
