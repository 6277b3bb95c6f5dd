//! Flights and reservations on DynamoDB, in one table, so that one transaction can change both.
//!
//! | item | key `id` | attributes |
//! |---|---|---|
//! | a flight | `flight/OS-101` | `body`, `revision` (counts changes of the body), `capacity`, `seats_left`, `catalogue` |
//! | a reservation | `order/<order id>` | `body` |
//!
//! `catalogue` is on flights alone and never changes, so its keys-only index costs nothing when
//! seats are taken.

mod hold;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws::dynamodb::{Item, body, count, get_many, number, record, retry_collisions, store_error, string};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use messaging::entropy::Entropy;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use ticket_service::flight::{Flight, Offer};
use ticket_service::reservation::{Hold, Reservation};
use ticket_service::run::Run;
use ticket_service::store::{FlightPut, Held, TicketStore};

/// The index of the flights.
pub const CATALOGUE: &str = "catalogue";

/// The one partition of that index.
const OFFERED: &str = "offered";

/// Flights and reservations in a table.
pub struct DynamoTickets {
    client: Client,
    table: String,
    entropy: Arc<dyn Entropy>,
    /// Flights as last read, without their seats: a hold needs the price, and its condition on the
    /// revision detects a stale one.
    seen: Mutex<HashMap<FlightId, (Flight, u64)>>,
}

/// An item of the table.
pub enum Stored {
    /// What was decided about an order.
    Reservation(OrderId, Reservation),
    /// A flight, with its free seats.
    Flight(Offer),
}

impl Stored {
    /// What an item is.
    ///
    /// # Errors
    /// It is neither, or this version cannot read it.
    pub fn of(item: &Item) -> Result<Self, StoreError> {
        let key = item.get("id").and_then(|id| id.as_s().ok()).map(String::as_str).unwrap_or_default();
        match key.split_once('/') {
            Some(("order", order)) => {
                Ok(Self::Reservation(order.parse().map_err(StoreError::unreadable)?, record(item)?))
            }
            Some(("flight", _)) => {
                Ok(Self::Flight(Offer { flight: record(item)?, seats_left: u32_of(item, "seats_left")? }))
            }
            _ => Err(StoreError::unreadable("an item is neither a flight nor a reservation")),
        }
    }
}

fn flight_key(flight: &FlightId) -> String {
    format!("flight/{flight}")
}

/// The key of an order's reservation.
pub fn order_key(order: OrderId) -> String {
    format!("order/{order}")
}

fn u32_of(item: &Item, attribute: &str) -> Result<u32, StoreError> {
    u32::try_from(count(item, attribute)?).map_err(StoreError::unreadable)
}

impl DynamoTickets {
    /// Flights and reservations in that table.
    pub fn new(client: Client, table: impl Into<String>, entropy: Arc<dyn Entropy>) -> Self {
        Self { client, table: table.into(), entropy, seen: Mutex::default() }
    }

    async fn item(&self, key: String) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("id", string(key)).consistent_read(true);
        Ok(get.send().await.map_err(store_error)?.item)
    }

    /// A flight as it was last read; if it never was, or `reread` is set, it is read now.
    async fn flight(&self, id: &FlightId, reread: bool) -> Result<Option<(Flight, u64)>, StoreError> {
        if !reread && let Some(seen) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Ok(Some(seen.clone()));
        }
        let Some(item) = self.item(flight_key(id)).await? else { return Ok(None) };
        let found = (record(&item)?, count(&item, "revision")?);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), found.clone());
        Ok(Some(found))
    }

    /// One transaction: sets the record to released, and adds the seats to the flight. `None` if it
    /// collided with another, or the record is no longer this hold.
    ///
    /// The condition compares the record's text as it was read: an earlier version may have serialized
    /// it differently.
    async fn try_release(
        &self,
        order: OrderId,
        hold: &Hold,
        held: AttributeValue,
    ) -> Result<Option<()>, StoreError> {
        let record = Update::builder()
            .table_name(&self.table)
            .key("id", string(order_key(order)))
            .update_expression("SET #body = :released")
            .condition_expression("#body = :held")
            .expression_attribute_names("#body", "body")
            .expression_attribute_values(":released", body(&Reservation::Released)?)
            .expression_attribute_values(":held", held)
            .build()
            .map_err(StoreError::unavailable)?;
        let flight = Update::builder()
            .table_name(&self.table)
            .key("id", string(flight_key(&hold.flight_id)))
            // Fails by itself if the flight does not exist.
            .update_expression("SET #left = #left + :seats")
            .expression_attribute_names("#left", "seats_left")
            .expression_attribute_values(":seats", number(hold.seats))
            .build()
            .map_err(StoreError::unavailable)?;
        let transaction = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(record).build())
            .transact_items(TransactWriteItem::builder().update(flight).build())
            .send()
            .await;
        match transaction {
            Ok(_) => Ok(Some(())),
            Err(error) => cancellation(error).map(|_| None),
        }
    }

    /// Stores a flight, if it is still as it was found. `false` if it is not.
    async fn try_put(&self, flight: &Flight, found: Option<&Item>, held: u32) -> Result<bool, StoreError> {
        let revision = found.map_or(Ok(0), |item| count(item, "revision"))?;
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("id", string(flight_key(&flight.id)))
            .item("body", body(flight)?)
            .item("revision", number(revision + 1))
            .item("capacity", number(flight.capacity))
            .item("seats_left", number(flight.capacity - held))
            .item("catalogue", string(OFFERED));
        put = match found {
            None => {
                put.condition_expression("attribute_not_exists(#id)").expression_attribute_names("#id", "id")
            }
            Some(item) => put
                .condition_expression("#revision = :revision AND #left = :left")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_names("#left", "seats_left")
                .expression_attribute_values(":revision", number(revision))
                .expression_attribute_values(":left", number(count(item, "seats_left")?)),
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error)
                if error.as_service_error().is_some_and(PutItemError::is_transaction_conflict_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(store_error(error)),
        }
    }
}

fn failed(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

fn no_item() -> StoreError {
    StoreError::unavailable("a failed condition came without its item")
}

/// Why a transaction was not carried out, item by item.
fn cancellation(
    error: aws_sdk_dynamodb::error::SdkError<TransactWriteItemsError>,
) -> Result<Vec<CancellationReason>, StoreError> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons().to_vec();
            let collided = |reason: &CancellationReason| {
                matches!(
                    reason.code(),
                    None | Some("None" | "ConditionalCheckFailed" | "TransactionConflict")
                )
            };
            if reasons.iter().all(collided) { Ok(reasons) } else { Err(store_error(error)) }
        }
        _ => Err(store_error(error)),
    }
}

#[async_trait]
impl TicketStore for DynamoTickets {
    async fn hold_run(&self, run: &Run, now: Timestamp) -> Vec<Result<Held, StoreError>> {
        hold::hold_run(self, run, now).await
    }

    async fn decide(&self, order: OrderId, decision: &Reservation) -> Result<Reservation, StoreError> {
        let attempt = || async {
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .item("id", string(order_key(order)))
                .item("body", body(decision)?)
                .condition_expression("attribute_not_exists(#id)")
                .expression_attribute_names("#id", "id")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
                .await;
            match put {
                Ok(_) => Ok(Some(decision.clone())),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                        record(failed.item().ok_or_else(no_item)?).map(Some)
                    }
                    Some(PutItemError::TransactionConflictException(_)) => Ok(None),
                    _ => Err(store_error(error)),
                },
            }
        };
        retry_collisions(self.entropy.as_ref(), attempt).await
    }

    async fn release(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        let attempt = || async {
            let Some(mut item) = self.item(order_key(order)).await? else { return Ok(Some(None)) };
            match record(&item)? {
                Reservation::Held(hold) => {
                    let held = item.remove("body").ok_or_else(no_item)?;
                    let released = self.try_release(order, &hold, held).await?;
                    Ok(released.map(|()| Some(Reservation::Released)))
                }
                decided => Ok(Some(Some(decided))),
            }
        };
        retry_collisions(self.entropy.as_ref(), attempt).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        self.item(order_key(order)).await?.as_ref().map(record).transpose()
    }

    async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        let mut keys: Vec<Item> = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(CATALOGUE)
                .key_condition_expression("#catalogue = :offered")
                .expression_attribute_names("#catalogue", "catalogue")
                .expression_attribute_values(":offered", string(OFFERED))
                .set_exclusive_start_key(start);
            let page = page.send().await.map_err(store_error)?;
            let id = |item: &Item| Some(HashMap::from([("id".to_owned(), item.get("id")?.clone())]));
            keys.extend(page.items().iter().filter_map(id));
            start = page.last_evaluated_key().cloned();
            if start.is_none() {
                break;
            }
        }
        let offer =
            |item: &Item| Ok(Offer { flight: record(item)?, seats_left: u32_of(item, "seats_left")? });
        let items = get_many(&self.client, &self.table, &keys).await?;
        let mut offers: Vec<Offer> = items.iter().map(offer).collect::<Result<_, StoreError>>()?;
        offers.sort_by(|one, other| {
            (one.flight.departs_at, &one.flight.id).cmp(&(other.flight.departs_at, &other.flight.id))
        });
        Ok(offers)
    }

    async fn put_flight(&self, flight: &Flight) -> Result<FlightPut, StoreError> {
        let attempt = || async {
            let found = self.item(flight_key(&flight.id)).await?;
            let held = match &found {
                Some(item) => u32_of(item, "capacity")?.saturating_sub(u32_of(item, "seats_left")?),
                None => 0,
            };
            if flight.capacity < held {
                return Ok(Some(FlightPut::BelowHeld { held }));
            }
            let stored = self.try_put(flight, found.as_ref(), held).await?;
            Ok(stored.then_some(FlightPut::Stored))
        };
        retry_collisions(self.entropy.as_ref(), attempt).await
    }
}
