//! Routes that others than axum tell.

use crate::routes::assert_route;
use crate::{get, serve, status};
use dynamo_trace_http::Route;

#[tokio::test]
async fn an_extension_tells_any_server() {
    let (of_request, of_response) = (Route::new("/users/{id}"), Route::new("/u/{id}"));
    assert_eq!(of_request.as_str(), "/users/{id}");
    for (on_request, on_response, expected) in [
        (false, false, None),
        (true, false, Some("/users/{id}")),
        (false, true, Some("/u/{id}")),
        // Once: what was known first stays.
        (true, true, Some("/users/{id}")),
    ] {
        let (mut request, mut response) = (get("/users/42"), status(200));
        if on_request {
            request.extensions_mut().insert(of_request.clone());
        }
        if on_response {
            response.extensions_mut().insert(of_response.clone());
        }
        let span = serve(|layer| layer, request, response).await;
        assert_route(&span, "/users/42", expected);
    }
}

#[tokio::test]
async fn a_function_goes_before_an_extension() {
    let with_route = |layer: crate::Server| {
        layer.with_route(|request| {
            let rest = request.uri.path().strip_prefix("/users/")?;
            (!rest.contains('/')).then_some("/users/{id}")
        })
    };
    let mut request = get("/users/42");
    request.extensions_mut().insert(Route::new("/other"));
    let span = serve(with_route, request, status(200)).await;
    assert_route(&span, "/users/42", Some("/users/{id}"));
    let span = serve(with_route, get("/users/42/x"), status(200)).await;
    assert_route(&span, "/users/42/x", None);
    // What the function did not find, what is inside may tell.
    let mut response = status(200);
    response
        .extensions_mut()
        .insert(Route::new("/users/{id}/x"));
    let span = serve(with_route, get("/users/42/x"), response).await;
    assert_route(&span, "/users/42/x", Some("/users/{id}/x"));
}
