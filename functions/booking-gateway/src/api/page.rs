//! The page: a handful of files, linked into the binary that serves them.

use axum::Router;
use axum::http::header;
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Where each file is served, as what, and its text.
const FILES: [(&str, &str, &str); 14] = [
    ("/", HTML, include_str!("../../../../web/index.html")),
    ("/app.css", CSS, include_str!("../../../../web/app.css")),
    ("/app.js", JS, include_str!("../../../../web/app.js")),
    ("/api.js", JS, include_str!("../../../../web/api.js")),
    ("/booking.js", JS, include_str!("../../../../web/booking.js")),
    ("/form.js", JS, include_str!("../../../../web/form.js")),
    ("/formats.js", JS, include_str!("../../../../web/formats.js")),
    ("/notice.js", JS, include_str!("../../../../web/notice.js")),
    ("/pass.js", JS, include_str!("../../../../web/pass.js")),
    ("/recent.js", JS, include_str!("../../../../web/recent.js")),
    ("/storage.js", JS, include_str!("../../../../web/storage.js")),
    ("/texts.js", JS, include_str!("../../../../web/texts.js")),
    ("/unanswered.js", JS, include_str!("../../../../web/unanswered.js")),
    ("/favicon.svg", SVG, include_str!("../../../../web/favicon.svg")),
];

/// Only the page's own files may run or load on it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        let headers = [
            (header::CONTENT_TYPE, content_type),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        router.route(path, get(move || async move { (headers, text) }))
    })
}
