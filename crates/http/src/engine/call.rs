use super::body::State;
use super::open::Open;
use super::{Boundary, Semantics, Side};
use http::Response;
use http_body::Body;
use opentelemetry::Context;

/// A call under way: what the future hands on to the body.
#[derive(Debug)]
pub(super) enum Call<L: Boundary> {
    /// Nobody records it: there is a context to run in, and nothing to note.
    Passing(Context, L),
    /// Its span is open, or it is measured.
    Open(Box<Open<L>>),
}

impl<L: Boundary> Call<L> {
    pub(super) const fn context(&self) -> &Context {
        match self {
            Self::Passing(context, _) => context,
            Self::Open(open) => open.record.context(),
        }
    }

    /// What is left to do with the body of this response.
    pub(super) fn respond<B: Body>(self, response: &mut Response<B>) -> State<L> {
        match self {
            Self::Passing(context, layer) => {
                let semantics = &layer.settings().semantics;
                // What knows its length holds its data already, or passes it on.
                let is_known = response.body().size_hint().exact().is_some();
                if is_known || !semantics.spans_body(&L::Side::KIND, response) {
                    State::Ended
                } else {
                    State::Passing(context)
                }
            }
            Self::Open(mut open) => {
                if open.streams(response) {
                    State::Open(open)
                } else {
                    State::Ended
                }
            }
        }
    }

    /// The call failed.
    pub(super) fn fail<E: 'static>(self, error: &E) {
        if let Self::Open(mut open) = self {
            open.fail(error);
        }
    }
}
