use std::sync::OnceLock;

static KNOWN: OnceLock<Vec<&'static str>> = OnceLock::new();

/// Sets the HTTP methods that every HTTP adapter of this process may name, instead of those that
/// the semantic conventions know: what `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` lists. For
/// set-up; a layer's own list goes before.
///
/// # Errors
///
/// Gives the list back if there is one already.
pub fn set_known_http_methods(methods: Vec<String>) -> Result<(), Vec<String>> {
    if KNOWN.get().is_some() {
        return Err(methods);
    }
    // Names of spans are made of them, once a process.
    let leaked = methods.iter().map(|method| &*method.clone().leak());
    KNOWN.set(leaked.collect()).map_err(|_| methods)
}

/// What [`set_known_http_methods`] set.
#[must_use]
pub fn known_http_methods() -> Option<&'static [&'static str]> {
    KNOWN.get().map(Vec::as_slice)
}
