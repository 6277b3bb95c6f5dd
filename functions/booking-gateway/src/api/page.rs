//! The page: a handful of files, linked into the binary that serves them.

use axum::Router;
use shared_http::assets::{Asset, CSS, HTML, JS, SVG, assets};

/// Where each file is served, as what, and its text.
const FILES: [Asset; 15] = [
    ("/", HTML, include_str!("../../../../web/index.html")),
    ("/app.css", CSS, include_str!("../../../../web/app.css")),
    ("/base.css", CSS, include_str!("../../../../web/base.css")),
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

/// What other pages of this system share with it: the base style, the texts of amounts, the icon.
pub fn shared() -> Router {
    const SHARED: [&str; 3] = ["/base.css", "/formats.js", "/favicon.svg"];
    assets(FILES.into_iter().filter(|(path, _, _)| SHARED.contains(path)))
}

pub(super) fn router() -> Router {
    assets(FILES)
}
