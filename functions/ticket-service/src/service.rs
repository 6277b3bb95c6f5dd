//! The consumer of tickets.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use messaging::clock::Clock;
use messaging::consumer::{Outcome, Service, span};
use messaging::store::StoreError;
use messaging::topics::Outgoing;
use protocol::event::Event;
use protocol::ids::OrderId;
use protocol::messages::{Message, TicketCommand};
use protocol::reason::Unavailable;
use tracing::{Instrument, info};

use crate::reservation::Reservation;
use crate::run::Run;
use crate::store::{Held, TicketStore, Wanted};

/// Holds seats and releases them.
pub struct TicketService {
    /// Its flights and reservations.
    pub store: Arc<dyn TicketStore>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Service for TicketService {
    type Message = TicketCommand;
    type Loaded = ();

    /// Orders for one flight change the same row: handled one after another they do not collide.
    fn lane(&self, event: &Event<TicketCommand>) -> String {
        event.message.flight_id().to_string()
    }

    /// Holds of distinct orders are made together: each on its own would take a transaction on the same flight.
    fn run_length(&self, lane: &[&Event<TicketCommand>]) -> usize {
        holds(lane).map_or(1, |run| run.len())
    }

    /// Answers every command, repeated ones included, with what the order's record says now.
    ///
    /// **Crash contract:** the decision is recorded before it is answered. If the process dies in
    /// between, the command is redelivered and finds the record.
    async fn handle(&self, event: &Event<TicketCommand>, (): &()) -> Result<Outcome, StoreError> {
        let record = match wanted(&event.message) {
            Some(wanted) => {
                let held = self.store.hold(event.order, &wanted, self.clock.now()).await?;
                self.record(event.order, held).await?
            }
            None => self.release(event.order).await?,
        };
        Ok(self.answer(event, &record))
    }

    /// The same for holds on one flight. Seats are taken for all of them first; then the refusals are recorded,
    /// at once, since no order is in a run twice.
    async fn handle_run(&self, run: &[&Event<TicketCommand>], (): &()) -> Vec<Result<Outcome, StoreError>> {
        let Some(holds) = holds(run) else { return Vec::new() };
        let held = self.store.hold_run(&holds, self.clock.now()).await;
        let answer = async |(event, held): (&&Event<TicketCommand>, Result<Held, StoreError>)| {
            let record = self.record(event.order, held?).await?;
            Ok(self.answer(event, &record))
        };
        join_all(run.iter().zip(held).map(|(event, held)| answer((event, held)).instrument(span(*event))))
            .await
    }
}

/// The seats that a command asks for; `None` where it releases them.
fn wanted(command: &TicketCommand) -> Option<Wanted> {
    match command {
        TicketCommand::Reserve { flight_id, seats, expected_amount } => Some(Wanted {
            flight_id: flight_id.clone(),
            seats: *seats,
            expected_amount: expected_amount.clone(),
        }),
        TicketCommand::Release { .. } => None,
    }
}

/// The holds that these commands begin with: up to a release, or a second command of an order. `None` if the
/// first is no hold.
fn holds(commands: &[&Event<TicketCommand>]) -> Option<Run> {
    let mut holds = commands.iter().map_while(|event| Some((event.order, wanted(&event.message)?)));
    let (first, of_first) = holds.next()?;
    let mut run = Run::of(first, of_first);
    for (order, wanted) in holds {
        if !run.join(order, wanted) {
            break;
        }
    }
    Some(run)
}

impl TicketService {
    fn answer(&self, event: &Event<TicketCommand>, record: &Reservation) -> Outcome {
        let answer = record.answer();
        info!("order {}: {} → {}", event.order, event.message.name(), answer.name());
        Outcome::Done(vec![Outgoing::event(&event.reply(answer, self.clock.now()))])
    }

    /// The record of an order whose hold came to that.
    async fn record(&self, order: OrderId, held: Held) -> Result<Reservation, StoreError> {
        let reason = match held {
            Held::Held(hold) => return Ok(Reservation::Held(hold)),
            Held::Decided(record) => return Ok(record),
            Held::UnknownFlight => Unavailable::UnknownFlight,
            Held::Departed => Unavailable::Departed,
            Held::PriceChanged => Unavailable::PriceChanged,
            Held::SoldOut => Unavailable::SoldOut,
        };
        // A refusal is recorded too: seats that come free later must not change the answer.
        self.store.decide(order, &Reservation::Refused { reason }).await
    }

    async fn release(&self, order: OrderId) -> Result<Reservation, StoreError> {
        match self.store.release(order).await? {
            Some(record) => Ok(record),
            // It came before its reserve, which will find this and hold nothing. If the reserve
            // was recorded just now, the decision that stands is a hold: release that.
            None => match self.store.decide(order, &Reservation::Released).await? {
                Reservation::Held(_) => Ok(self.store.release(order).await?.unwrap_or(Reservation::Released)),
                record => Ok(record),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use protocol::flight::{FlightId, SeatCount};
    use protocol::time::Timestamp;

    use super::*;

    fn event(order: u8, message: TicketCommand) -> Event<TicketCommand> {
        let (order, time) = (OrderId::from_bytes([order; 16]), Timestamp::from_millis(0));
        Event { order, message, time, expires: None, traceparent: None, attempt: 0 }
    }

    fn reserve(order: u8) -> Event<TicketCommand> {
        let (flight_id, seats) = (FlightId::parse("OS-101").unwrap(), SeatCount::try_from(1).unwrap());
        event(order, TicketCommand::Reserve { flight_id, seats, expected_amount: None })
    }

    fn release(order: u8) -> Event<TicketCommand> {
        event(order, TicketCommand::Release { flight_id: FlightId::parse("OS-101").unwrap() })
    }

    fn length(lane: &[Event<TicketCommand>]) -> usize {
        holds(&lane.iter().collect::<Vec<_>>()).map_or(0, |run| run.len())
    }

    #[test]
    fn a_run_ends_at_a_release_and_at_a_second_command_of_an_order() {
        assert_eq!(length(&[reserve(1), reserve(2), reserve(3)]), 3);
        assert_eq!(length(&[reserve(1), reserve(2), release(3), reserve(4)]), 2);
        assert_eq!(length(&[reserve(1), reserve(2), reserve(1), reserve(4)]), 2);
        assert_eq!(length(&[release(1), reserve(2)]), 0, "it begins with a release");
        let long: Vec<_> = (0..120).map(reserve).collect();
        assert_eq!(length(&long), 99, "a transaction takes no more");
    }
}
