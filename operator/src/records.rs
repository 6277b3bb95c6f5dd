//! What the services' tables say of an order, and how large they are.

use aws_sdk_dynamodb::Client;
use billing_service::simulated::Account;
use billing_service::store::PaymentStore;
use billing_service_lambda::dynamodb::{DynamoPayments, DynamoSimulatedProvider};
use booking_gateway::order::Order;
use booking_gateway::store::OrderStore;
use booking_gateway_lambda::dynamodb::DynamoOrders;
use email_service::store::{Delivery, MailStore};
use email_service_lambda::dynamodb::DynamoMails;
use futures_util::try_join;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use system::audit::Case;
use ticket_service::store::TicketStore;
use ticket_service_lambda::dynamodb::DynamoTickets;

use crate::stack::Stack;

/// How often an order that keeps changing is read again.
const TRIES: u32 = 5;

/// The tables of a stack.
pub struct Records {
    pub(crate) client: Client,
    pub(crate) stack: Stack,
    orders: DynamoOrders,
    tickets: DynamoTickets,
    payments: DynamoPayments,
    books: DynamoSimulatedProvider,
    mails: DynamoMails,
}

/// The size of a table, as DynamoDB counts it every six hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Items.
    pub items: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The sizes of the tables that are read as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Of the orders.
    pub orders: Size,
    /// Of the flights and reservations.
    pub tickets: Size,
    /// Of the payments.
    pub payments: Size,
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

    /// The mails that were sent.
    pub fn mails(&self) -> &DynamoMails {
        &self.mails
    }

    /// The client, and the table of orders.
    pub fn orders_table(&self) -> (&Client, &str) {
        (&self.client, &self.stack.orders)
    }

    /// The sizes of the tables.
    pub async fn sizes(&self) -> Result<Sizes, StoreError> {
        let Stack { orders, tickets, payments, .. } = &self.stack;
        let (orders, tickets, payments) =
            try_join!(self.size(orders), self.size(tickets), self.size(payments))?;
        Ok(Sizes { orders, tickets, payments })
    }

    /// The size of the table of orders.
    pub async fn size_of_orders(&self) -> Result<Size, StoreError> {
        self.size(&self.stack.orders).await
    }

    async fn size(&self, table: &str) -> Result<Size, StoreError> {
        let described = self.client.describe_table().table_name(table).send().await;
        let described = described.map_err(aws::dynamodb::store_error)?.table;
        let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        Ok(Size {
            items: count(described.as_ref().and_then(|table| table.item_count)),
            bytes: count(described.as_ref().and_then(|table| table.table_size_bytes)),
        })
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
}
