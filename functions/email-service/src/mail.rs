//! The texts. Plain, short, and true at the moment they are sent.

use protocol::ids::OrderId;
use protocol::manage::ManageLinks;
use protocol::messages::{Notice, NoticeOutcome};
use protocol::passenger::EmailAddress;
use protocol::reason::Reason;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{calendar, html, itinerary};

/// Stands beside the link.
pub(crate) const KEY: &str = "The link is the key to it: who has it can see the booking, and cancel it.";

/// A mail, ready to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// One line.
    pub subject: String,
    /// Plain text, without the link.
    pub body: String,
    /// Leads its customer to the booking, and is the key to it. No mailer keeps it.
    #[serde(skip)]
    pub link: Option<String>,
    /// The same text as a page, with the link. No mailer keeps it.
    #[serde(skip)]
    pub html: Option<String>,
    /// The flight as an entry for a calendar, without the link, since calendars are shared. No mailer keeps it.
    #[serde(skip)]
    pub calendar: Option<String>,
}

impl Mail {
    /// The mail that tells `notice` about `order`; with a link if there is a page that it can lead to. `at` is when
    /// the order came to that end: a mail is a function of facts, so one that is sent twice is twice the same.
    pub fn compose(order: OrderId, notice: &Notice, links: Option<&ManageLinks>, at: Timestamp) -> Self {
        let flight = &notice.flight_id;
        let (subject, news) = match notice.outcome {
            NoticeOutcome::Confirmed => (
                format!("Your booking on {flight} is confirmed"),
                "your seats are booked and paid.".to_owned(),
            ),
            NoticeOutcome::Rejected => (
                format!("No seats for you on {flight}"),
                match notice.reason {
                    Some(Reason::UnknownFlight) => format!("there is no flight {flight}. Nothing was charged."),
                    Some(Reason::Departed) => format!("flight {flight} has departed. Nothing was charged."),
                    Some(Reason::PriceChanged) => format!(
                        "the price of flight {flight} has changed since you chose it. Nothing was charged. \
                         You are welcome to book again at the new price."
                    ),
                    None
                    | Some(
                        Reason::SoldOut
                        | Reason::CardDeclined
                        | Reason::CancelledByCustomer
                        | Reason::Expired,
                    ) => format!("flight {flight} has too few seats left. Nothing was charged."),
                },
            ),
            NoticeOutcome::PaymentDeclined => (
                format!("Your payment for {flight} was declined"),
                "your card was declined. Nothing was charged, and your seats were released. \
                 You are welcome to book again with another card."
                    .to_owned(),
            ),
            NoticeOutcome::Cancelled => (
                format!("Your booking on {flight} is cancelled"),
                match notice.reason {
                    Some(Reason::Expired) => "we could not finish your booking in time and have cancelled it. \
                        No seats are held, and nothing is charged: a payment that was made is refunded in full."
                        .to_owned(),
                    None
                    | Some(
                        Reason::CancelledByCustomer
                        | Reason::SoldOut
                        | Reason::UnknownFlight
                        | Reason::Departed
                        | Reason::PriceChanged
                        | Reason::CardDeclined,
                    ) => "your booking is cancelled, as you asked. No seats are held, and nothing is charged: \
                        a payment that was made is refunded in full."
                        .to_owned(),
                },
            ),
        };
        let rows = itinerary::rows(notice);
        let table: String = rows.iter().map(|(what, value)| format!("  {what:<8} {value}\n")).collect();
        let body = format!("Dear {},\n\n{news}\n\n{table}\nBooking {order}\n", notice.passenger.name);
        let link = links.map(|links| links.link(order));
        let page =
            html::Page { subject: &subject, notice, news: &news, rows: &rows, order, link: link.as_deref() };
        let html = Some(page.render());
        let calendar = calendar::entry(order, notice, at);
        Self { to: notice.passenger.email.clone(), subject, body, link, html, calendar }
    }

    /// All of its text.
    pub fn text(&self) -> String {
        match &self.link {
            Some(link) => format!("{}\nSee your booking: {link}\n{KEY}\n", self.body),
            None => self.body.clone(),
        }
    }
}
