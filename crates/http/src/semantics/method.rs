use super::Options;
use dynamo_trace_core::known_http_methods;
use http::Method;

/// What stands for a method that is not known.
pub(super) const OTHER: &str = "_OTHER";

/// The method's name, if it may be named: those of RFC 9110, PATCH and QUERY, unless a list of
/// one's own replaces them. Methods compare by case.
pub(super) fn known(options: &Options, method: &Method) -> Option<&'static str> {
    let listed = options.known_methods.as_deref().or(known_http_methods());
    if let Some(listed) = listed {
        let method = method.as_str();
        return listed.iter().copied().find(|known| *known == method);
    }
    Some(match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::PATCH => "PATCH",
        Method::TRACE => "TRACE",
        _ if method.as_str() == "QUERY" => "QUERY",
        _ => return None,
    })
}
