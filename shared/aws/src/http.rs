//! A router as a Lambda function behind a REST API.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::Router;
use axum::http::uri::PathAndQuery;
use axum::http::{Extensions, Request, Uri, header};
use axum::response::Response;
use lambda_http::request::RequestContext;
use lambda_http::tower::{Service, ServiceExt};
use lambda_http::{Body, Error, RequestExt};

/// Runs until Lambda ends the process.
pub async fn run(router: Router) -> Result<(), Error> {
    lambda_http::run(beneath_its_stage(router)).await
}

/// Where a request to the API comes from, as API Gateway saw it.
pub fn source_ip(extensions: &Extensions) -> Option<IpAddr> {
    match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV1(context) => context.identity.source_ip.as_ref()?.parse().ok(),
        // Kinds of APIs that features of the dependency add.
        #[allow(unreachable_patterns, clippy::allow_attributes, reason = "there are none with ours")]
        _ => None,
    }
}

/// The router, with the API's stage removed from each path: the stage belongs to the deployment. Its answers are plain text:
/// what compresses them is the API.
pub fn beneath_its_stage(
    router: Router,
) -> impl Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> {
    router.map_request(|mut request: Request<Body>| {
        let path = request.raw_http_path();
        let path = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        // An invalid path stays as it is, and is answered 404.
        if let Ok(path) = PathAndQuery::try_from(path) {
            *request.uri_mut() = Uri::from(path);
        }
        // A compressed body is not text, and a REST API hands it on as base64 unless its binary media types say otherwise.
        request.headers_mut().remove(header::ACCEPT_ENCODING);
        request
    })
}
