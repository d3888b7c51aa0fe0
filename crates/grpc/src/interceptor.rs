use crate::MetadataMut;
use dynamo_trace_core::{Propagation, Trust};
use opentelemetry::Context;
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// Sends the current context with every call of a client, for `with_interceptor`.
///
/// An interceptor sees a request and nothing else: no method, no status, no end. So there is no
/// span, and calls are children of the span that is current where they are made. Where a
/// [`ClientLayer`](crate::ClientLayer) can be laid, it is the better choice; with both, the
/// interceptor's fields are replaced by the layer's.
///
/// It never refuses a call.
///
/// ```no_run
/// use dynamo_trace_grpc::ClientInterceptor;
/// use tonic::service::interceptor::InterceptedService;
/// use tonic::transport::Channel;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let channel = Channel::from_static("http://[::1]:50051").connect().await?;
/// // As `GreeterClient::with_interceptor(channel, ClientInterceptor::new())` does.
/// let channel = InterceptedService::new(channel, ClientInterceptor::new());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientInterceptor {
    propagation: Option<Propagation>,
}

impl ClientInterceptor {
    /// Uses the global propagation.
    pub const fn new() -> Self {
        Self { propagation: None }
    }

    /// Takes this propagation.
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        Self {
            propagation: Some(propagation),
        }
    }
}

impl Interceptor for ClientInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let propagation = self.propagation.as_ref();
        let propagation = propagation.unwrap_or_else(|| Propagation::global());
        let mut metadata = MetadataMut(request.metadata_mut());
        propagation.inject(&Context::current(), &mut metadata);
        Ok(request)
    }
}

/// Reads the caller's context from every request to a server, for `with_interceptor`, and leaves
/// it among the request's extensions as an [`opentelemetry::Context`].
///
/// An interceptor does not run what it lets pass: it cannot make the context current, and there is
/// no span. The handler takes the context from the extensions, and runs in it. Where a
/// [`ServerLayer`](crate::ServerLayer) can be laid, it is the better choice.
///
/// It never refuses a call. The sender's span is not linked: with [`Trust::linked`] a new trace
/// begins. With any other trust than [`Trust::trusted`] the
/// [fields of the propagation](Propagation::fields) are removed from the metadata once they are
/// read. Inside of a layer the context is that of the layer's span.
///
/// ```
/// use opentelemetry::Context;
/// use opentelemetry::trace::FutureExt;
/// use tonic::{Request, Response, Status};
///
/// async fn handler(mut request: Request<()>) -> Result<Response<()>, Status> {
///     let caller = request.extensions_mut().remove::<Context>().unwrap_or_default();
///     async { Ok(Response::new(())) }.with_context(caller).await
/// }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ServerInterceptor {
    propagation: Option<Propagation>,
    trust: Trust,
}

impl ServerInterceptor {
    /// Uses the global propagation, and trusts callers.
    pub const fn new() -> Self {
        Self {
            propagation: None,
            trust: Trust::trusted(),
        }
    }

    /// Takes this propagation.
    pub fn with_propagation(self, propagation: Propagation) -> Self {
        Self {
            propagation: Some(propagation),
            ..self
        }
    }

    /// Sets how far callers are trusted.
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }
}

impl Interceptor for ServerInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let propagation = self.propagation.as_ref();
        let propagation = propagation.unwrap_or_else(|| Propagation::global());
        let mut metadata = MetadataMut(request.metadata_mut());
        let (caller, _) = propagation.receive(&Context::current(), &mut metadata, &self.trust);
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}
