//! The texts. Plain, short, and true at the moment they are sent.

use protocol::ids::OrderId;
use protocol::manage::ManageLinks;
use protocol::messages::{Notice, NoticeOutcome};
use protocol::passenger::EmailAddress;
use protocol::reason::Reason;
use serde::{Deserialize, Serialize};

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
}

impl Mail {
    /// The mail that tells `notice` about `order`; with a link if there is a page that it can lead to.
    pub fn compose(order: OrderId, notice: &Notice, links: Option<&ManageLinks>) -> Self {
        let flight = &notice.flight_id;
        let (subject, news) = match notice.outcome {
            NoticeOutcome::Confirmed => (
                format!("Your booking on {flight} is confirmed"),
                format!("your seats are booked and paid.{}", itinerary(notice)),
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
        let name = &notice.passenger.name;
        let body = format!("Dear {name},\n\n{news}\n\nBooking {order}\n");
        let link = links.map(|links| links.link(order));
        Self { to: notice.passenger.email.clone(), subject, body, link }
    }

    /// All of its text.
    pub fn text(&self) -> String {
        match &self.link {
            Some(link) => format!(
                "{}\nSee or cancel it: {link}\nThis link is your key to the booking. Who has it can do the same.\n",
                self.body
            ),
            None => self.body.clone(),
        }
    }
}

fn itinerary(notice: &Notice) -> String {
    let mut text = format!("\n\n  flight   {}\n  seats    {}", notice.flight_id, notice.seats.get());
    if let Some(departure) = notice.departs_at {
        text.push_str(&format!("\n  departs  {departure}"));
    }
    if let Some(amount) = &notice.amount {
        text.push_str(&format!("\n  paid     {amount}"));
    }
    text
}
