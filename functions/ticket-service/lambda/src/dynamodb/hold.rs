//! Holds for a run of orders: one transaction takes the seats of all of them off the flight, and records each
//! under a condition of its own.
//!
//! A transaction is carried out in whole or not at all, and a failed one says of each item why. So what can be
//! answered leaves the run, and the rest is tried again:
//!
//! | the transaction failed since | then |
//! |---|---|
//! | an order was decided before | the order leaves with its record |
//! | an order's record collides with another transaction | the order leaves with an error, and is held later; one that is alone is tried again |
//! | too few seats are free | the first orders leave as sold out while they do not fit; then the longest prefix that fits is tried |
//! | the flight's terms changed | the flight is read again |
//! | the flight collides with another transaction | the same is tried again after a short pause; in the end all leave with an error |
//!
//! After [`ROUNDS`] transactions each order gets its own, which answers it for certain.

use aws::dynamodb::{body, count, number, pause_after_collision, record, string};
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use futures_util::future::join_all;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use ticket_service::flight::{Flight, Terms};
use ticket_service::reservation::{Hold, Reservation};
use ticket_service::run::Run;
use ticket_service::store::{Held, TicketStore};

use super::{DynamoTickets, cancellation, failed, flight_key, no_item, order_key, u32_of};

/// How many transactions are tried for several orders at once.
const ROUNDS: u32 = 3;

/// Holds for the orders of a run.
pub(super) async fn hold_run(
    tickets: &DynamoTickets,
    run: &Run,
    now: Timestamp,
) -> Vec<Result<Held, StoreError>> {
    let outcomes = run.orders().iter().map(|_| None).collect();
    let mut holding = Holding { tickets, run, now, outcomes };
    let left = match holding.finish().await {
        Ok(()) => StoreError::unavailable("a hold was not answered"),
        Err(error) => error,
    };
    holding.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(left.clone()))).collect()
}

/// A run at work.
struct Holding<'a> {
    tickets: &'a DynamoTickets,
    run: &'a Run,
    now: Timestamp,
    /// What became of each order, once that is known.
    outcomes: Vec<Option<Result<Held, StoreError>>>,
}

/// An order that may be held: its place in the run, and its hold.
type Wish = (usize, Hold);

/// What a failed transaction has told, its orders apart.
enum Told {
    /// So many seats are free, and too few.
    Free(u32),
    /// The flight is another than it was found.
    Changed,
    /// Nothing about the flight.
    Nothing,
    /// It collided with another transaction.
    Collided,
}

impl Holding<'_> {
    /// Goes on until every order is answered.
    ///
    /// # Errors
    /// Those without an answer wait for this reason.
    async fn finish(&mut self) -> Result<(), StoreError> {
        let id = self.run.flight_id();
        let mut found = self.tickets.flight(id, false).await?;
        // Whether the flight was as it was found at some moment since the run began. A refusal rests on that.
        let mut current = false;
        // The seats that are free, as far as failed transactions have told.
        let mut free = None;
        let (mut rounds, mut collisions) = (0, 0);
        loop {
            let Some((flight, revision)) = &found else {
                let open = self.open().map(|place| (place, Held::UnknownFlight)).collect();
                self.refuse(open).await;
                return Ok(());
            };
            let (wishes, refused) = self.sort(flight);
            if current {
                self.refuse(refused).await;
            }
            let tried =
                if rounds < ROUNDS { fitting(&wishes, free) } else { wishes.get(..1).unwrap_or_default() };
            if tried.is_empty() {
                if current {
                    return Ok(());
                }
                found = self.tickets.flight(id, true).await?;
                current = true;
                continue;
            }
            let Some(reasons) = self.tickets.take(id, self.orders(tried), *revision).await? else {
                for (place, hold) in tried {
                    self.close(*place, Ok(Held::Held(hold.clone())));
                }
                free = free.and_then(|free: u32| free.checked_sub(seats(tried)));
                (current, rounds) = (true, rounds + 1);
                continue;
            };
            match self.learn(tried, &reasons, *revision)? {
                Told::Free(left) => (free, current, rounds) = (Some(left), true, rounds + 1),
                Told::Nothing => rounds += 1,
                Told::Collided => {
                    pause_after_collision(self.tickets.entropy.as_ref(), &mut collisions).await?;
                }
                Told::Changed => {
                    found = self.tickets.flight(id, true).await?;
                    (free, current) = (None, true);
                }
            }
        }
    }

    /// The places of the orders without an answer.
    fn open(&self) -> impl Iterator<Item = usize> {
        self.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_none()).map(|(place, _)| place)
    }

    fn close(&mut self, place: usize, outcome: Result<Held, StoreError>) {
        self.outcomes[place] = Some(outcome);
    }

    fn orders<'w>(&self, wishes: &'w [Wish]) -> Vec<(OrderId, &'w Hold)> {
        wishes.iter().map(|(place, hold)| (self.run.orders()[*place].0, hold)).collect()
    }

    /// The orders without an answer: those that may be held on the flight as it was found, and those that its
    /// terms refuse.
    fn sort(&mut self, flight: &Flight) -> (Vec<Wish>, Vec<(usize, Held)>) {
        let (mut wishes, mut refused) = (Vec::new(), Vec::new());
        for place in self.open().collect::<Vec<_>>() {
            match flight.terms(&self.run.orders()[place].1, self.now) {
                None => self.close(place, Err(Flight::unbounded())),
                Some(Terms::Seats(hold)) => wishes.push((place, hold)),
                Some(Terms::Departed) => refused.push((place, Held::Departed)),
                Some(Terms::PriceChanged) => refused.push((place, Held::PriceChanged)),
            }
        }
        (wishes, refused)
    }

    /// Answers refusals, unless an order was decided before.
    async fn refuse(&mut self, refused: Vec<(usize, Held)>) {
        let find = |(place, _): &(usize, Held)| self.tickets.find(self.run.orders()[*place].0);
        let decided = join_all(refused.iter().map(find)).await;
        for ((place, refusal), decided) in refused.into_iter().zip(decided) {
            self.close(place, decided.map(|decided| decided.map_or(refusal, Held::Decided)));
        }
    }

    /// Answers the orders that a failed transaction has told about.
    fn learn(
        &mut self,
        tried: &[Wish],
        reasons: &[CancellationReason],
        revision: u64,
    ) -> Result<Told, StoreError> {
        let Some((flight, orders)) = reasons.split_last() else { return Ok(Told::Collided) };
        // An order's own record first: what was decided before stands, and the flight does not count.
        let mut told = Told::Collided;
        for ((place, _), reason) in tried.iter().zip(orders) {
            if failed(reason) {
                let decided = reason.item().ok_or_else(no_item).and_then(record);
                self.close(*place, decided.map(Held::Decided));
                told = Told::Nothing;
            } else if collided(reason) && tried.len() > 1 {
                self.close(*place, Err(StoreError::unavailable("another writer is changing the same order")));
                told = Told::Nothing;
            }
        }
        if collided(flight) {
            return Ok(Told::Collided);
        }
        if !failed(flight) {
            return Ok(told);
        }
        let Some(item) = flight.item().filter(|item| !item.is_empty()) else { return Ok(Told::Changed) };
        if count(item, "revision")? != revision {
            return Ok(Told::Changed);
        }
        let left = u32_of(item, "seats_left")?;
        for (place, hold) in tried {
            if self.outcomes[*place].is_none() {
                if u32::from(hold.seats.get()) <= left {
                    break;
                }
                self.close(*place, Ok(Held::SoldOut));
            }
        }
        Ok(Told::Free(left))
    }
}

/// The longest prefix that fits the free seats. All if they are not known, or if the first does not fit: then
/// the transaction fails, and tells about each.
fn fitting(wishes: &[Wish], free: Option<u32>) -> &[Wish] {
    let Some(free) = free else { return wishes };
    match (1..=wishes.len()).take_while(|length| seats(&wishes[..*length]) <= free).last() {
        Some(length) => &wishes[..length],
        None => wishes,
    }
}

fn seats(wishes: &[Wish]) -> u32 {
    wishes.iter().map(|(_, hold)| u32::from(hold.seats.get())).sum()
}

fn collided(reason: &CancellationReason) -> bool {
    reason.code() == Some("TransactionConflict")
}

impl DynamoTickets {
    /// One transaction: the reservations if there is none of any order, and the flight if it has the seats and is of
    /// that revision. If it fails, the reasons of the orders, and last the flight's.
    async fn take(
        &self,
        flight: &FlightId,
        orders: Vec<(OrderId, &Hold)>,
        revision: u64,
    ) -> Result<Option<Vec<CancellationReason>>, StoreError> {
        let seats = orders.iter().map(|(_, hold)| u64::from(hold.seats.get())).sum();
        let mut items = orders
            .iter()
            .map(|(order, hold)| self.record_hold(*order, hold))
            .collect::<Result<Vec<_>, _>>()?;
        items.push(self.take_seats(flight, seats, revision)?);
        match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(None),
            Err(error) => cancellation(error).map(Some),
        }
    }

    fn take_seats(
        &self,
        flight: &FlightId,
        seats: u64,
        revision: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("id", string(flight_key(flight)))
            .update_expression("SET #left = #left - :seats")
            .condition_expression("#revision = :revision AND #left >= :seats")
            .expression_attribute_names("#left", "seats_left")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":seats", number(seats))
            .expression_attribute_values(":revision", number(revision))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::unavailable)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    fn record_hold(&self, order: OrderId, hold: &Hold) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .item("id", string(order_key(order)))
            .item("body", body(&Reservation::Held(hold.clone()))?)
            .condition_expression("attribute_not_exists(#id)")
            .expression_attribute_names("#id", "id")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::unavailable)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
