use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// What the media types of gRPC begin with: gRPC over HTTP/2, "Requests".
const GRPC: &[u8] = b"application/grpc";

/// What the media type of a message says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Media {
    #[default]
    Grpc,
    /// gRPC-Web: the trailers are a part of the body.
    Web,
    /// The same in base64.
    WebText,
    /// Plain HTTP, such as a health check.
    Plain,
}

impl Media {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
        let Some((start, rest)) = kind.and_then(|kind| kind.split_at_checked(GRPC.len())) else {
            return Self::Plain;
        };
        let goes_on = |with: &[u8]| {
            let rest = rest.get(..with.len());
            rest.is_some_and(|rest| rest.eq_ignore_ascii_case(with))
        };
        if !start.eq_ignore_ascii_case(GRPC) {
            Self::Plain
        } else if !goes_on(b"-web") {
            Self::Grpc
        } else if goes_on(b"-web-text") {
            Self::WebText
        } else {
            Self::Web
        }
    }

    pub(crate) const fn is_plain(self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Whether the body is a sequence of messages with their prefixes.
    pub(crate) const fn has_messages(self) -> bool {
        matches!(self, Self::Grpc | Self::Web)
    }

    /// Whether trailers have the status of the response to a request of this type.
    pub(crate) const fn has_trailers(self) -> bool {
        matches!(self, Self::Grpc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_type_is_known_by_its_beginning() {
        for (text, media) in [
            (&b"application/grpc"[..], Media::Grpc),
            (b"application/grpc+proto", Media::Grpc),
            (b"Application/GRPC;x=\xff", Media::Grpc),
            (b"application/grpc-web", Media::Web),
            (b"application/gRPC-Web+proto", Media::Web),
            (b"application/grpc-web-text", Media::WebText),
            (b"application/grpc-WEB-text+proto", Media::WebText),
            (b"application/grp", Media::Plain),
            (b"application/json; application/grpc", Media::Plain),
            (b"", Media::Plain),
        ] {
            let value = HeaderValue::from_bytes(text).unwrap();
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
            assert_eq!(Media::of(&headers), media, "{}", text.escape_ascii());
        }
        assert_eq!(Media::of(&HeaderMap::new()), Media::Plain);
    }
}
