//! The texts. Plain, short, and true at the moment they are sent.

use protocol::ids::OrderId;
use protocol::manage::ManageLinks;
use protocol::messages::{Notice, NoticeOutcome};
use protocol::passenger::EmailAddress;
use protocol::reason::Reason;
use protocol::time::Timestamp;

use crate::{calendar, html, itinerary};

/// Stands beside the link.
pub(crate) const KEY: &str = "The link is the key to it: who has it can see the booking, and cancel it.";

/// A mail, as the facts that it tells: its texts are made of them when they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The order it is about.
    pub order: OrderId,
    /// What it tells, and to whom.
    pub notice: Notice,
    /// When the order came to that end.
    pub at: Timestamp,
    /// Leads its customer to the booking, and is the key to it. No mailer keeps it.
    pub link: Option<String>,
}

/// A mail's text with its link.
pub fn with_link(body: &str, link: &str) -> String {
    format!("{body}\nSee your booking: {link}\n{KEY}\n")
}

impl Mail {
    /// The mail that tells `notice` about `order`; with a link if there is a page that it can lead to. `at` is when
    /// the order came to that end: a mail is a function of facts, so one that is sent twice is twice the same.
    pub fn compose(order: OrderId, notice: &Notice, links: Option<&ManageLinks>, at: Timestamp) -> Self {
        Self { order, notice: notice.clone(), at, link: links.map(|links| links.link(order)) }
    }

    /// To whom.
    pub fn to(&self) -> &EmailAddress {
        &self.notice.passenger.email
    }

    /// One line.
    pub fn subject(&self) -> String {
        let flight = &self.notice.flight_id;
        match self.notice.outcome {
            NoticeOutcome::Confirmed => format!("Your booking on {flight} is confirmed"),
            NoticeOutcome::Rejected => format!("No seats for you on {flight}"),
            NoticeOutcome::PaymentDeclined => format!("Your payment for {flight} was declined"),
            NoticeOutcome::Cancelled => format!("Your booking on {flight} is cancelled"),
        }
    }

    /// Plain text, without the link.
    pub fn body(&self) -> String {
        let (name, news) = (&self.notice.passenger.name, self.news());
        let rows = itinerary::rows(&self.notice);
        let table: String = rows.iter().map(|(what, value)| format!("  {what:<8} {value}\n")).collect();
        format!("Dear {name},\n\n{news}\n\n{table}\nBooking {}\n", self.order)
    }

    /// All of its text.
    pub fn text(&self) -> String {
        match &self.link {
            Some(link) => with_link(&self.body(), link),
            None => self.body(),
        }
    }

    /// The same text as a page, with the link.
    pub fn html(&self) -> String {
        let (notice, order, link) = (&self.notice, self.order, self.link.as_deref());
        let (subject, news, rows) = (&self.subject(), &self.news(), &itinerary::rows(notice));
        html::Page { subject, notice, news, rows, order, link }.render()
    }

    /// The flight as an entry for a calendar, without the link, since calendars are shared. Only of a confirmed booking.
    pub fn calendar(&self) -> Option<String> {
        calendar::entry(self.order, &self.notice, self.at)
    }

    /// What became of the booking: a sentence that begins with a small letter, after the name.
    fn news(&self) -> String {
        let Notice { flight_id: flight, reason, .. } = &self.notice;
        match self.notice.outcome {
            NoticeOutcome::Confirmed => "your seats are booked and paid.".to_owned(),
            NoticeOutcome::Rejected => match reason {
                Some(Reason::UnknownFlight) => format!("there is no flight {flight}. Nothing was charged."),
                Some(Reason::Departed) => format!("flight {flight} has departed. Nothing was charged."),
                Some(Reason::PriceChanged) => format!(
                    "the price of flight {flight} has changed since you chose it. Nothing was charged. \
                     You are welcome to book again at the new price."
                ),
                None
                | Some(
                    Reason::SoldOut | Reason::CardDeclined | Reason::CancelledByCustomer | Reason::Expired,
                ) => format!("flight {flight} has too few seats left. Nothing was charged."),
            },
            NoticeOutcome::PaymentDeclined => {
                "your card was declined. Nothing was charged, and your seats were released. \
                 You are welcome to book again with another card."
                    .to_owned()
            }
            NoticeOutcome::Cancelled => match reason {
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
        }
    }
}
