//! What a mail says of the flight.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use protocol::flight::Route;
use protocol::messages::{Notice, NoticeOutcome};
use protocol::time::Timestamp;

/// The rows of the mail's table: what, and its value. No value is empty.
pub(crate) fn rows(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut rows = vec![("flight", flight(notice))];
    if let Some(departure) = notice.departs_at {
        rows.push(("departs", departs(departure, notice.route.as_ref())));
    }
    rows.push(("seats", notice.seats.get().to_string()));
    if let (NoticeOutcome::Confirmed, Some(amount)) = (notice.outcome, &notice.amount) {
        rows.push(("paid", amount.to_string()));
    }
    rows
}

/// The flight and its cities, if they are known.
pub(crate) fn flight(notice: &Notice) -> String {
    match &notice.route {
        Some(Route { from, to, .. }) => format!("{}, {from} to {to}", notice.flight_id),
        None => notice.flight_id.to_string(),
    }
}

/// The departure on the clock of its airport, and how far that is from UTC. In UTC where the zone is not known here:
/// a name may be newer than this program's copy of the database.
fn departs(departure: Timestamp, route: Option<&Route>) -> String {
    let zone = route.and_then(|route| TimeZoneDatabase::bundled().get(route.time_zone.as_str()).ok());
    let moment = jiff::Timestamp::from_millisecond(departure.as_millis()).unwrap_or_default();
    match (zone, route) {
        (Some(zone), Some(Route { from, time_zone, .. })) if time_zone.as_str() != "UTC" => {
            let local = moment.to_zoned(zone);
            format!("{}, local time in {from} (UTC{})", local.strftime(MOMENT), local.strftime("%:z"))
        }
        _ => format!("{} UTC", moment.to_zoned(TimeZone::UTC).strftime(MOMENT)),
    }
}

/// `Tuesday, 1 December 2026, 07:40`.
const MOMENT: &str = "%A, %-d %B %Y, %H:%M";
