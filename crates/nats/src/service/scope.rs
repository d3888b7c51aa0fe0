use super::Request;
use crate::client::Client;
use crate::subscription::Subscription;
use crate::{RelationRule, attributes};
use async_nats::Message;
use dynamo_trace_core::received::Consumer;
use dynamo_trace_core::span::Verdict;
use dynamo_trace_core::{Detail, Instrumentation, Remote};
use opentelemetry::trace::SpanBuilder;
use std::sync::Arc;

/// What the endpoints of a service, or of a group, have alike.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    client: Client,
    name: Arc<str>,
    version: Arc<str>,
    prefix: Option<String>,
    pub(super) queue_group: String,
}

impl Scope {
    pub(super) fn new(client: Client, name: &str, version: &str, queue_group: String) -> Self {
        Self {
            client,
            name: name.into(),
            version: version.into(),
            prefix: None,
            queue_group,
        }
    }

    /// Below one more prefix.
    pub(super) fn group(&self, prefix: &str, queue_group: String) -> Self {
        Self {
            prefix: Some(self.subject(prefix)),
            queue_group,
            ..self.clone()
        }
    }

    fn subject(&self, subject: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}.{subject}"),
            None => subject.to_owned(),
        }
    }

    /// The endpoint of this subject; one without a name is called after its subject.
    pub(super) fn endpoint(self, name: Option<String>, subject: &str) -> Served {
        let subject = self.subject(subject);
        let name = name.unwrap_or_else(|| subject.replace('.', "-"));
        let own = attributes::endpoint(&self.name, &self.version, &name);
        let settings = self.client.settings().clone();
        let subscription = Subscription::new(settings, &subject, Some(&self.queue_group));
        Served {
            client: self.client,
            subscription: subscription.with_attributes(own),
        }
    }
}

/// How the requests of an endpoint are traced and answered.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) client: Client,
    subscription: Subscription,
}

impl Served {
    pub(super) fn remote(&self, message: &Message) -> Remote {
        self.subscription.remote(message)
    }
}

impl Consumer<Request> for Served {
    fn span(&self, request: &Request) -> SpanBuilder {
        self.subscription.span(&request.message)
    }

    fn span_with(&self, request: &Request, detail: Detail) -> SpanBuilder {
        self.subscription.span_with(&request.message, detail)
    }

    fn instrumentation(&self) -> &Instrumentation {
        self.subscription.instrumentation()
    }

    fn relation(&self) -> RelationRule {
        self.subscription.relation()
    }

    fn verdict(&self, request: &Request) -> Option<Verdict> {
        Some(request.verdict().clone())
    }
}
