//! A flight as an entry for a calendar: RFC 5545, whose escapes and folds the crate `icalendar` knows.

use icalendar::{Calendar, Component, Event, EventLike, Property};
use protocol::ids::OrderId;
use protocol::messages::{Notice, NoticeOutcome};
use protocol::time::Timestamp;

use crate::itinerary;

/// The entry of a confirmed booking; `None` for every other mail, and where the departure is not known.
///
/// The moment is in UTC, so that no calendar needs a definition of the airport's zone, and each shows it in its
/// reader's. There is no end: the arrival is not known here.
pub(crate) fn entry(order: OrderId, notice: &Notice, at: Timestamp) -> Option<String> {
    let departure = notice.departs_at.filter(|_| notice.outcome == NoticeOutcome::Confirmed)?;
    let seats = match notice.seats.get() {
        1 => "1 seat".to_owned(),
        seats => format!("{seats} seats"),
    };
    let mut event = Event::new();
    event
        .uid(&format!("{order}@bookings"))
        .add_property("DTSTAMP", moment(at))
        .add_property("DTSTART", moment(departure))
        .summary(&format!("Flight {}", itinerary::flight(notice)))
        .description(&format!("{seats}\nBooking {order}"));
    if let Some(route) = &notice.route {
        event.location(&route.from);
    }
    let mut calendar = Calendar::empty();
    calendar.append_property(Property::new("VERSION", "2.0"));
    calendar.append_property(Property::new("PRODID", "-//bookings//email-service//EN"));
    calendar.append_property(Property::new("METHOD", "PUBLISH"));
    calendar.push(event.done());
    Some(calendar.to_string())
}

/// `20261201T064000Z`.
fn moment(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(moment.as_millis()).unwrap_or_default();
    moment.strftime("%Y%m%dT%H%M%SZ").to_string()
}
