//! What the tables say of every order, a page at a time: so many orders are in memory at once, and the ids of the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws::dynamodb::{Item, get_many, scan, store_error, string};
use billing_service::simulated::Account;
use billing_service_lambda::dynamodb as payments;
use booking_gateway::order::Order;
use booking_gateway::store::OrderStore;
use booking_gateway_lambda::dynamodb as orders;
use email_service::store::Delivery;
use email_service_lambda::dynamodb as emails;
use futures_util::future::try_join_all;
use futures_util::try_join;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use system::audit::Case;
use ticket_service::flight::Offer;
use ticket_service::reservation::Reservation;
use ticket_service_lambda::dynamodb::{Stored, order_key};

use crate::records::Records;

/// How many orders are read at once.
pub const PAGE: usize = 500;

/// How many keys one call of DynamoDB reads.
const KEYS: usize = 100;

/// What is known of some orders.
pub type Cases = BTreeMap<OrderId, Case>;

/// The orders that are read, each with its amount, in minor units. Some 64 bytes of memory an order.
pub type Known = HashMap<OrderId, Option<u64>>;

/// What the services keep that was not found by the orders that are known.
#[derive(Debug, Default)]
pub struct Strays {
    /// The orders that it is about.
    pub orders: BTreeSet<OrderId>,
    /// The accounts among it: one is found by its order's amount, which this order does not have.
    pub accounts: BTreeMap<OrderId, Account>,
}

impl Strays {
    fn add_account(&mut self, known: &Known, order: OrderId, account: Account) {
        if known.get(&order) == Some(&Some(account.amount.value)) {
            return;
        }
        self.orders.insert(order);
        // One that money moved on counts.
        if self.accounts.get(&order).is_none_or(|other| other.captured() == 0) {
            self.accounts.insert(order, account);
        }
    }

    fn add(&mut self, known: &Known, order: Option<OrderId>) {
        self.orders.extend(order.filter(|order| !known.contains_key(order)));
    }
}

/// The flights, and how many seats of each are held.
#[derive(Debug, Default)]
pub struct Seats {
    /// Every flight.
    pub flights: Vec<Offer>,
    /// The seats that are held, where any are.
    pub held: BTreeMap<FlightId, u64>,
}

impl Seats {
    /// How many seats of a flight are held.
    pub fn held(&self, flight: &FlightId) -> u64 {
        self.held.get(flight).copied().unwrap_or_default()
    }

    /// The flights whose free and held seats are not all there are, with these two numbers.
    pub fn unequal(&self) -> BTreeMap<FlightId, (u64, u64)> {
        let flights = self.flights.iter().filter_map(|offer| {
            let (free, held) = (u64::from(offer.seats_left), self.held(&offer.flight.id));
            (free + held != u64::from(offer.flight.capacity)).then(|| (offer.flight.id.clone(), (free, held)))
        });
        flights.collect()
    }

    fn add(&mut self, item: &Item) -> Result<Option<OrderId>, StoreError> {
        match Stored::of(item)? {
            Stored::Reservation(order, reservation) => {
                if let Reservation::Held(hold) = reservation {
                    *self.held.entry(hold.flight_id).or_default() += u64::from(hold.seats);
                }
                Ok(Some(order))
            }
            Stored::Flight(offer) => {
                self.flights.push(offer);
                Ok(None)
            }
        }
    }
}

impl Records {
    /// A page of all orders, in no order, with what every service knows of them, read a moment later; and where the next
    /// page begins.
    pub async fn page(&self, start: Option<Item>) -> Result<(Cases, Option<Item>), StoreError> {
        let ask = self.client.scan().table_name(&self.stack.orders).set_exclusive_start_key(start);
        let page = ask.limit(i32::try_from(PAGE).unwrap_or(i32::MAX)).send().await.map_err(store_error)?;
        let found = page.items().iter().filter(|item| orders::is_order(item)).map(orders::order);
        let found: Vec<Order> = found.collect::<Result<_, _>>()?;
        let ids: Vec<_> = found.iter().map(|order| order.id).collect();
        Ok((self.join(&ids, found).await?, page.last_evaluated_key))
    }

    /// What every service knows of these orders, those among them that do not exist too.
    pub async fn cases(&self, ids: &[OrderId]) -> Result<Cases, StoreError> {
        let found = self.orders().get_many(ids).await?;
        self.join(ids, found.into_values().collect()).await
    }

    async fn join(&self, ids: &[OrderId], orders: Vec<Order>) -> Result<Cases, StoreError> {
        let key = |name: &str, value: String| Item::from([(name.to_owned(), string(value))]);
        let reservations: Vec<_> = ids.iter().map(|id| key("id", order_key(*id))).collect();
        let mut paid: Vec<_> = ids.iter().map(|id| key("order_id", id.to_string())).collect();
        paid.extend(orders.iter().filter_map(|order| {
            let account = payments::account_key(order.id, order.amount.as_ref()?);
            Some(Item::from([("order_id".to_owned(), account)]))
        }));
        let notices: Vec<_> = ids.iter().map(|id| key("order_id", id.to_string())).collect();
        let mut cases: Cases = ids.iter().map(|id| (*id, Case::default())).collect();
        for order in orders {
            let case = cases.entry(order.id).or_default();
            case.next_check = order.next_check.map(|check| check.at);
            case.order = Some(order);
        }
        let (reservations, paid, mailed) = try_join!(
            self.many(&self.stack.tickets, &reservations),
            self.many(&self.stack.payments, &paid),
            self.many(&self.stack.emails, &notices)
        )?;
        for item in &reservations {
            if let Stored::Reservation(order, reservation) = Stored::of(item)? {
                cases.entry(order).or_default().reservation = Some(reservation);
            }
        }
        for item in &paid {
            if let Some((order, account)) = payments::account(item)? {
                cases.entry(order).or_default().account = Some(account);
            } else if let Some(order) = payments::payment_of(item) {
                let case = cases.entry(order).or_default();
                case.payment = Some(payments::read(item)?);
                case.refused = payments::refusal(item);
            }
        }
        for item in &mailed {
            if let Some((order, outcome, delivery)) = emails::mailed(item)? {
                let case = cases.entry(order).or_default();
                case.mailed = Some(outcome);
                case.undeliverable = delivery == Delivery::Undeliverable;
            }
        }
        Ok(cases)
    }

    async fn many(&self, table: &str, keys: &[Item]) -> Result<Vec<Item>, StoreError> {
        let calls = keys.chunks(KEYS).map(|keys| get_many(&self.client, table, keys));
        Ok(try_join_all(calls).await?.into_iter().flatten().collect())
    }

    /// The flights and held seats, and what is not found by the orders that are known: reservations, payments, accounts. A
    /// mail alone is no record that must have an order.
    pub async fn strays(&self, known: &Known) -> Result<(Seats, Strays), StoreError> {
        let (mut seats, mut strays) = (Seats::default(), Strays::default());
        scan(&self.client, &self.stack.payments, |item| {
            match payments::account(item)? {
                Some((order, account)) => strays.add_account(known, order, account),
                None => strays.add(known, payments::payment_of(item)),
            }
            Ok(())
        })
        .await?;
        scan(&self.client, &self.stack.tickets, |item| {
            strays.add(known, seats.add(item)?);
            Ok(())
        })
        .await?;
        Ok((seats, strays))
    }

    /// The flights and held seats.
    pub async fn seats(&self) -> Result<Seats, StoreError> {
        let mut seats = Seats::default();
        scan(&self.client, &self.stack.tickets, |item| seats.add(item).map(drop)).await?;
        Ok(seats)
    }
}
