//! What the services' tables say of an order, or of all.

use std::collections::BTreeMap;

use aws::dynamodb::scan;
use aws_sdk_dynamodb::Client;
use billing_service::simulated::Account;
use billing_service::store::PaymentStore;
use billing_service_lambda::dynamodb::{self as payments, DynamoPayments, DynamoSimulatedProvider};
use booking_gateway::order::Order;
use booking_gateway::store::OrderStore;
use booking_gateway_lambda::dynamodb::{self as orders, DynamoOrders};
use email_service::store::{Delivery, MailStore};
use email_service_lambda::dynamodb::{self as emails, DynamoMails};
use futures_util::try_join;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use system::audit::Case;
use ticket_service::flight::Offer;
use ticket_service::reservation::Reservation;
use ticket_service::store::TicketStore;
use ticket_service_lambda::dynamodb::{DynamoTickets, Stored};

use crate::stack::Stack;

/// How often an order that keeps changing is read again.
const TRIES: u32 = 5;

/// The tables of a stack.
pub struct Records {
    client: Client,
    stack: Stack,
    orders: DynamoOrders,
    tickets: DynamoTickets,
    payments: DynamoPayments,
    books: DynamoSimulatedProvider,
    mails: DynamoMails,
}

/// The size of a stack's tables, as DynamoDB counts it every six hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Items.
    pub items: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Size {
    /// The read units of one scan: half a unit for each 4 KB.
    pub fn read_units(self) -> u64 {
        self.bytes.div_ceil(8 * 1024)
    }
}

impl Records {
    /// The tables of that stack.
    pub fn new(client: Client, stack: Stack) -> Self {
        let table = |name: &String| (client.clone(), name.clone());
        let (one, orders) = table(&stack.orders);
        let orders = DynamoOrders { client: one, table: orders };
        let entropy = std::sync::Arc::new(messaging::entropy::OsEntropy);
        let tickets = DynamoTickets::new(client.clone(), stack.tickets.clone(), entropy);
        let (one, payments) = table(&stack.payments);
        let payments = DynamoPayments { client: one, table: payments };
        let (one, books) = table(&stack.payments);
        let books = DynamoSimulatedProvider { client: one, table: books };
        let (one, mails) = table(&stack.emails);
        let mails = DynamoMails { client: one, table: mails };
        Self { client, stack, orders, tickets, payments, books, mails }
    }

    /// The gateway's orders.
    pub fn orders(&self) -> &DynamoOrders {
        &self.orders
    }

    /// The client, and the table of orders.
    pub fn orders_table(&self) -> (&Client, &str) {
        (&self.client, &self.stack.orders)
    }

    /// The size of all tables.
    pub async fn size(&self) -> Result<Size, StoreError> {
        let Stack { orders, tickets, payments, emails, .. } = &self.stack;
        let mut size = Size::default();
        for table in [orders, tickets, payments, emails] {
            let described = self.client.describe_table().table_name(table).send().await;
            let described = described.map_err(aws::dynamodb::store_error)?.table;
            let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
            size.items += count(described.as_ref().and_then(|table| table.item_count));
            size.bytes += count(described.as_ref().and_then(|table| table.table_size_bytes));
        }
        Ok(size)
    }

    /// What every service knows of an order, at a moment: the order did not change while the others were read.
    pub async fn case(&self, id: OrderId) -> Result<Case, StoreError> {
        let mut order = self.orders.get(id).await?;
        for _ in 0..TRIES {
            let (reservation, payment, refused, account, mailed, delivery) = try_join!(
                self.tickets.find(id),
                self.payments.find(id),
                self.payments.refusal(id),
                self.account(order.as_ref()),
                self.mails.last(id),
                self.mails.delivery(id)
            )?;
            let again = self.orders.get(id).await?;
            let version = |order: &Option<Order>| order.as_ref().map(|order| order.version);
            if version(&again) == version(&order) {
                let next_check = again.as_ref().and_then(|order| order.next_check).map(|check| check.at);
                let order = again;
                return Ok(Case {
                    order,
                    next_check,
                    reservation,
                    payment,
                    account,
                    refused,
                    mailed,
                    undeliverable: delivery == Some(Delivery::Undeliverable),
                    ..Case::default()
                });
            }
            order = again;
        }
        Err(StoreError::unavailable(format!("order {id} keeps changing while it is read")))
    }

    async fn account(&self, order: Option<&Order>) -> Result<Option<Account>, StoreError> {
        match order.and_then(|order| Some((order.id, order.amount.as_ref()?))) {
            Some((id, amount)) => self.books.find(id, amount).await,
            None => Ok(None),
        }
    }

    /// Every order that a service or the simulated provider knows, and every flight; table after table, each item as it
    /// was when it was read.
    pub async fn all(&self) -> Result<All, StoreError> {
        let mut all = All::default();
        scan(&self.client, &self.stack.orders, |item| {
            if orders::is_order(item) {
                let order = orders::order(item)?;
                let case = all.case(order.id);
                case.next_check = order.next_check.map(|check| check.at);
                case.order = Some(order);
            }
            Ok(())
        })
        .await?;
        scan(&self.client, &self.stack.payments, |item| {
            if let Some((order, account)) = payments::account(item)? {
                let known = &mut all.case(order).account;
                if known.as_ref().is_none_or(|known: &Account| known.captured() == 0) {
                    *known = Some(account);
                }
            } else if let Some(order) = payments::payment_of(item) {
                let case = all.case(order);
                case.payment = Some(payments::read(item)?);
                case.refused = payments::refusal(item);
            }
            Ok(())
        })
        .await?;
        scan(&self.client, &self.stack.emails, |item| {
            if let Some((order, outcome, delivery)) = emails::mailed(item)? {
                let case = all.case(order);
                case.mailed = Some(outcome);
                case.undeliverable = delivery == Delivery::Undeliverable;
            }
            Ok(())
        })
        .await?;
        all.seats(&self.client, &self.stack.tickets).await?;
        Ok(all)
    }

    /// The flights, and how many seats of each are held.
    pub async fn seats(&self) -> Result<All, StoreError> {
        let mut all = All::default();
        all.seats(&self.client, &self.stack.tickets).await?;
        Ok(all)
    }
}

/// What the tables say.
#[derive(Default)]
pub struct All {
    /// Every order that is known to a service or the simulated provider.
    pub cases: BTreeMap<OrderId, Case>,
    /// Every flight.
    pub flights: Vec<Offer>,
}

impl All {
    fn case(&mut self, order: OrderId) -> &mut Case {
        self.cases.entry(order).or_default()
    }

    async fn seats(&mut self, client: &Client, table: &str) -> Result<(), StoreError> {
        scan(client, table, |item| {
            match Stored::of(item)? {
                Stored::Reservation(order, reservation) => self.case(order).reservation = Some(reservation),
                Stored::Flight(offer) => self.flights.push(offer),
            }
            Ok(())
        })
        .await
    }

    /// The flights whose free and held seats are not all there are, with these two numbers.
    pub fn unequal_flights(&self) -> BTreeMap<FlightId, (u64, u64)> {
        let mut held: BTreeMap<&FlightId, u64> = BTreeMap::new();
        for case in self.cases.values() {
            if let Some(Reservation::Held(hold)) = &case.reservation {
                *held.entry(&hold.flight_id).or_default() += u64::from(hold.seats);
            }
        }
        let flights = self.flights.iter().filter_map(|offer| {
            let held = held.get(&offer.flight.id).copied().unwrap_or_default();
            let (free, capacity) = (u64::from(offer.seats_left), u64::from(offer.flight.capacity));
            (free + held != capacity).then(|| (offer.flight.id.clone(), (free, held)))
        });
        flights.collect()
    }
}
