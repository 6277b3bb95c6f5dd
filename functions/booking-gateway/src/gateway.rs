//! What the gateway does with an order once it is accepted: move it on, cancel it.

use std::sync::Arc;
use std::time::Duration;

use messaging::clock::Clock;
use messaging::metrics;
use messaging::store::StoreError;
use messaging::topics::{Outgoing, Topics};
use protocol::ids::OrderId;
use tracing::{debug, info, warn};

use crate::deadline::DeadlinePolicy;
use crate::order::{Applied, Command, Ignored, Input, Order, Status, apply, newly_owed, owed};
use crate::store::{OrderStore, Updated, Watch};

/// How long an answer to a customer waits for its messages to be sent.
const SEND_TIME: Duration = Duration::from_secs(1);

/// How often a change that lost a race is retried before its message is.
const RACES: usize = 8;

/// The Booking Gateway, on every platform.
#[derive(Clone)]
pub struct Gateway {
    /// Its orders.
    pub orders: Arc<dyn OrderStore>,
    /// Where its commands go.
    pub topics: Arc<dyn Topics>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// How long its orders may take.
    pub deadlines: DeadlinePolicy,
}

/// What became of a `DELETE`.
#[derive(Debug)]
pub enum Cancellation {
    /// The order is being, or is, cancelled.
    Cancelling(Box<Order>),
    /// It cannot be, for this reason.
    Refused(Box<Order>, Ignored),
    /// There is no such order.
    Unknown,
}

/// What an update did to its order.
#[derive(Debug)]
pub enum Move {
    /// It is applied; send these.
    Taken(Box<Order>, Vec<Outgoing>),
    /// It changes nothing.
    Ignored(Box<Order>, Ignored),
    /// It answers a command that the order has not sent yet.
    TooEarly(Box<Order>),
    /// There is no such order.
    Unknown,
    /// Concurrent changes of the order kept winning.
    Contended,
}

impl Gateway {
    /// Cancels an order, if it still can be. A repeated call sends its commands again, until the order has
    /// moved on or was checked. `seen` is the order if the caller has just read it.
    pub async fn cancel(&self, id: OrderId, seen: Option<Order>) -> Result<Cancellation, StoreError> {
        match self.advance(id, &Input::CancelRequested, seen).await? {
            Move::Taken(order, commands) => {
                if order.awaits_first_check_since(Input::CancelRequested.name()) {
                    self.send_within_a_second(&order, commands).await;
                }
                Ok(Cancellation::Cancelling(order))
            }
            Move::Ignored(order, why) => Ok(Cancellation::Refused(order, why)),
            Move::Unknown => Ok(Cancellation::Unknown),
            Move::TooEarly(_) | Move::Contended => {
                Err(StoreError::unavailable("the order is being changed by others"))
            }
        }
    }

    /// Applies an input to an order, and stores the result. `seen` is the order if the caller has just
    /// read it.
    ///
    /// **Crash contract:** the order is stored before anything is sent; if the process dies in between,
    /// the redelivered input is a `Repeat` and sends it, or the reconciler does.
    pub async fn advance(&self, id: OrderId, input: &Input, seen: Option<Order>) -> Result<Move, StoreError> {
        let mut seen = seen;
        for _ in 0..RACES {
            let order = match seen.take() {
                Some(order) => order,
                None => match self.orders.get(id).await? {
                    Some(order) => order,
                    None => return Ok(Move::Unknown),
                },
            };
            match apply(&order, input, self.clock.now()) {
                Applied::Advance(next) => {
                    match self.orders.update(&next, Watch::between(&order, &next)).await? {
                        Updated::Updated => {
                            let (from, to) = (order.state.status(), next.state.status());
                            info!(order_id = %id, "order {id}: {from:?} → {to:?} by {}", input.name());
                            if next.state.is_settled() && !order.state.is_settled() {
                                count_settled(&order, &next);
                            }
                            let commands = self.messages(newly_owed(&order, &next), &next);
                            return Ok(Move::Taken(next, commands));
                        }
                        Updated::Stale => {
                            debug!(order_id = %id, "order {id}: changed by another; reading it again")
                        }
                    }
                }
                Applied::Repeat => {
                    let commands = self.commands(&order);
                    return Ok(Move::Taken(Box::new(order), commands));
                }
                Applied::Compensate(command) => {
                    warn!(order_id = %id, "order {id}: {} cannot be used and is compensated", input.name());
                    let command = command.compensates(&order, self.clock.now());
                    return Ok(Move::Taken(Box::new(order), vec![command]));
                }
                Applied::Ignore(why) => return Ok(Move::Ignored(Box::new(order), why)),
                Applied::TooEarly => return Ok(Move::TooEarly(Box::new(order))),
            }
        }
        Ok(Move::Contended)
    }

    /// What the order owes, as messages.
    pub fn commands(&self, order: &Order) -> Vec<Outgoing> {
        self.messages(owed(order), order)
    }

    fn messages(&self, commands: Vec<Command>, order: &Order) -> Vec<Outgoing> {
        let now = self.clock.now();
        commands.into_iter().map(|command| command.owed_by(order, now)).collect()
    }

    /// The order is already stored; the reconciler repeats a send that fails.
    pub(crate) async fn send_within_a_second(&self, order: &Order, commands: Vec<Outgoing>) {
        let id = order.id;
        match tokio::time::timeout(SEND_TIME, self.topics.send(commands)).await {
            Ok(sent) => {
                for error in sent.into_iter().filter_map(Result::err) {
                    warn!(order_id = %id, %error, "order {id}: not sent; the reconciler will send");
                }
            }
            Err(_) => warn!(order_id = %id, "order {id}: not sent within a second; the reconciler will send"),
        }
    }
}

fn count_settled(before: &Order, after: &Order) {
    let status = Some(("Status", after.state.status().name()));
    metrics::count(metrics::SETTLED, 1, status);
    // The time of an order that was cancelled after it was confirmed is not comparable.
    if before.history.iter().all(|change| change.status != Status::Confirmed) {
        let took = after.updated_at().since(after.created_at);
        metrics::time(metrics::TIME_TO_SETTLE, took, status);
    }
}
