//! The system page, `/system`. What it shares with the booking page, that one serves beside it: the base style, the texts
//! of amounts, the icon.

use axum::Router;
use shared_http::assets::{Asset, CSS, HTML, JS, assets};

/// Where each file is served, as what, and its text.
const FILES: [Asset; 20] = [
    ("/system", HTML, include_str!("../../web/system.html")),
    ("/system.css", CSS, include_str!("../../web/system.css")),
    ("/system/api.js", JS, include_str!("../../web/system/api.js")),
    ("/system/bookings.js", JS, include_str!("../../web/system/bookings.js")),
    ("/system/compare.js", JS, include_str!("../../web/system/compare.js")),
    ("/system/customers.js", JS, include_str!("../../web/system/customers.js")),
    ("/system/dom.js", JS, include_str!("../../web/system/dom.js")),
    ("/system/guide.js", JS, include_str!("../../web/system/guide.js")),
    ("/system/journey-steps.js", JS, include_str!("../../web/system/journey-steps.js")),
    ("/system/journey.js", JS, include_str!("../../web/system/journey.js")),
    ("/system/lay.js", JS, include_str!("../../web/system/lay.js")),
    ("/system/letters.js", JS, include_str!("../../web/system/letters.js")),
    ("/system/main.js", JS, include_str!("../../web/system/main.js")),
    ("/system/orders.js", JS, include_str!("../../web/system/orders.js")),
    ("/system/outage.js", JS, include_str!("../../web/system/outage.js")),
    ("/system/picture.js", JS, include_str!("../../web/system/picture.js")),
    ("/system/pipes.js", JS, include_str!("../../web/system/pipes.js")),
    ("/system/state.js", JS, include_str!("../../web/system/state.js")),
    ("/system/stream.js", JS, include_str!("../../web/system/stream.js")),
    ("/system/texts.js", JS, include_str!("../../web/system/texts.js")),
];

pub(crate) fn router() -> Router {
    assets(FILES)
}
