//! A mail as a page. Styles stand at the elements, since some mail programs drop the others; those for a dark screen
//! are in the head. Nothing is loaded: a mail does not tell that it was read.

use maud::{DOCTYPE, PreEscaped, html};
use protocol::ids::OrderId;
use protocol::messages::{Notice, NoticeOutcome};

use crate::mail::KEY;

/// What a page is made of.
pub(crate) struct Page<'a> {
    pub(crate) subject: &'a str,
    pub(crate) notice: &'a Notice,
    /// A sentence that begins with a small letter, after the name.
    pub(crate) news: &'a str,
    pub(crate) rows: &'a [(&'static str, String)],
    pub(crate) order: OrderId,
    pub(crate) link: Option<&'a str>,
}

const DARK: &str = "@media (prefers-color-scheme: dark) {\
    body, .page { background: #091316 !important; }\
    .sheet { background: #12242a !important; }\
    .ink { color: #e5eeed !important; }\
    .soft { color: #9fb3b6 !important; }\
    .line { border-color: #2a3e44 !important; }\
    }";

const FONT: &str = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;";
const INK: &str = "color:#10282d;";
const SOFT: &str = "color:#4a6166;";

impl Page<'_> {
    /// The page. What a customer wrote is text in it, and never an element.
    pub(crate) fn render(&self) -> String {
        let Self { subject, notice, news, rows, order, link } = self;
        let band = match notice.outcome {
            NoticeOutcome::Confirmed => "#0b6646",
            NoticeOutcome::Rejected | NoticeOutcome::PaymentDeclined => "#8f2a17",
            NoticeOutcome::Cancelled => "#4a5b60",
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="supported-color-schemes" content="light dark";
                    title { (subject) }
                    style { (PreEscaped(DARK)) }
                }
                body style={ "margin:0;padding:0;background:#e4ebea;" (FONT) } {
                    div role="main" { table.page role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"
                        style="background:#e4ebea;" {
                        tr { td align="center" style="padding:24px 12px;" {
                            table.sheet role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"
                                style="max-width:560px;background:#fdfefd;border-radius:14px;text-align:left;" {
                                tr { td style={ "padding:18px 24px;border-radius:14px 14px 0 0;background:" (band) ";" } {
                                    h1 style="margin:0;font-size:20px;line-height:1.3;color:#ffffff;" { (subject) }
                                } }
                                tr { td.ink style={ "padding:24px 24px 8px;font-size:16px;line-height:1.5;" (INK) } {
                                    p style="margin:0 0 12px;" { "Dear " (notice.passenger.name.as_str()) "," }
                                    p style="margin:0;" { (news) }
                                } }
                                tr { td style="padding:8px 24px;" { (self.table(rows)) } }
                                @if let Some(link) = link {
                                    tr { td style="padding:12px 24px 4px;" {
                                        a href=(link) style="display:inline-block;padding:12px 20px;border-radius:8px;\
                                            background:#f4b81a;color:#241a00;font-size:16px;font-weight:700;text-decoration:none;" {
                                            "See your booking"
                                        }
                                        p.soft style={ "margin:12px 0 0;font-size:14px;line-height:1.5;" (SOFT) } { (KEY) }
                                    } }
                                }
                                tr { td.soft style={ "padding:12px 24px 24px;font-size:14px;line-height:1.5;word-break:break-word;" (SOFT) } {
                                    "Booking " (order)
                                } }
                            }
                        } }
                    } }
                }
            }
        };
        page.into_string()
    }

    fn table(&self, rows: &[(&'static str, String)]) -> maud::Markup {
        html! {
            table width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse;" {
                @for (what, value) in rows {
                    tr {
                        th.soft.line scope="row" align="left" valign="top"
                            style={ "padding:8px 16px 8px 0;border-top:1px solid #c2cecd;font-size:14px;line-height:1.5;font-weight:400;white-space:nowrap;" (SOFT) } {
                            (what)
                        }
                        td.ink.line valign="top" width="100%"
                            style={ "padding:8px 0;border-top:1px solid #c2cecd;font-size:16px;line-height:1.4;font-weight:600;" (INK) } {
                            (value)
                        }
                    }
                }
            }
        }
    }
}
