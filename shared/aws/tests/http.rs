//! A router as a Lambda function.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws::http::beneath_its_stage;
use axum::Router;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::get;
use lambda_http::Body;
use lambda_http::tower::ServiceExt;

#[tokio::test]
async fn an_answer_is_never_compressed_since_a_rest_api_would_hand_it_on_as_base64() {
    let asked = |headers: HeaderMap| async move {
        if headers.contains_key(header::ACCEPT_ENCODING) { StatusCode::IM_A_TEAPOT } else { StatusCode::OK }
    };
    let function = beneath_its_stage(Router::new().route("/", get(asked)));
    let request = Request::get("/").header(header::ACCEPT_ENCODING, "gzip, br").body(Body::Empty).unwrap();
    assert_eq!(function.oneshot(request).await.unwrap().status(), StatusCode::OK);
}
