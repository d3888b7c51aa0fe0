use super::{Boundary, ResponseBody};
use http_body::Body;

/// What becomes of a response body of type `B`.
///
/// Frameworks have body types of their own, and box every other: they can take back theirs where
/// nothing has to be noted of it.
pub trait WrapBody<B, L: Boundary> {
    /// The body of the response that is given out.
    type Body: Body;

    /// Gives it out.
    fn wrap(body: ResponseBody<B, L>) -> Self::Body;
}

/// Bodies of any type become a [`ResponseBody`].
#[derive(Clone, Copy, Debug)]
pub struct AnyBody;

impl<B: Body<Error: 'static>, L: Boundary> WrapBody<B, L> for AnyBody {
    type Body = ResponseBody<B, L>;

    fn wrap(body: ResponseBody<B, L>) -> Self::Body {
        body
    }
}
