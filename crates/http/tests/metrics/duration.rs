//! A duration is that of the span.

use crate::{Measured, get, soon};
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use std::convert::Infallible;
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};

/// Answers after a while, with a body that takes another.
async fn slowly(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    // What is measured, no synchronisation.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let chunk = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok::<_, Infallible>("chunk")
    };
    Ok(Response::new(Body::from_stream(
        futures_util::stream::once(chunk),
    )))
}

#[tokio::test]
async fn it_is_that_of_the_span() {
    for (client, read, least) in [(false, true, 50), (false, false, 20), (true, true, 20)] {
        let measured = Measured::new();
        let response = match client {
            true => {
                let service = measured.client().layer(service_fn(slowly));
                soon(service.oneshot(get("/")))
                    .await
                    .unwrap()
                    .map(Body::new)
            }
            false => {
                let service = measured.server().layer(service_fn(slowly));
                soon(service.oneshot(get("/")))
                    .await
                    .unwrap()
                    .map(Body::new)
            }
        };
        if read {
            soon(response.collect()).await.unwrap();
        } else {
            drop(response);
        }
        let [span] = measured.log.ended().await;
        let lasted = span.end_time.duration_since(span.start_time).unwrap();
        let measured = measured.only();
        assert_eq!(
            measured.seconds,
            lasted.as_secs_f64(),
            "client {client}, read {read}"
        );
        assert!(lasted >= Duration::from_millis(least), "{lasted:?}");
        let is_cancelled = measured
            .attributes
            .contains("dynamo_trace.ending = \"cancelled\"");
        assert_eq!(is_cancelled, !read);
    }
}
