//! The simulated payment provider and its ledger: committed before it replies, separate from the Billing
//! Service's records, and the truth of what was charged.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};
use billing_service::simulated::{Account, SIMULATED};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::payment::PaymentMethod;
use rusqlite::{Connection, params};
use system::journal::Entry;
use system::view::{LedgerEntry, Page, PageError, Paged, ProviderMode, SimulatedProvider};

use super::database::Database;
use super::{Json, Statements, lock, paging, settings};

/// How long a slow call takes, or one whose reply is lost.
const DELAY: Duration = Duration::from_secs(2);

/// The simulated provider.
pub struct SqliteProvider {
    database: Database,
    mode: Mutex<ProviderMode>,
}

/// The setting that stores its mode.
const MODE: &str = "payment-provider-mode";

impl SqliteProvider {
    /// A provider whose ledger is in that database, in the mode that was stored there.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open(database: Database) -> Result<Self, StoreError> {
        let mode = settings::get(&database, MODE).await?.unwrap_or(ProviderMode::Up);
        Ok(Self { database, mode: Mutex::new(mode) })
    }

    /// A call: refused, or done and answered, as the mode says.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let mode = self.mode();
        if mode == ProviderMode::Unavailable {
            return Err(ProviderError::Unavailable("503".to_owned()));
        }
        let done = self
            .database
            .write_lightly(work)
            .await
            .map_err(|error| ProviderError::Unknown(error.to_string()))?;
        if matches!(mode, ProviderMode::Timeout | ProviderMode::Slow) {
            tokio::time::sleep(DELAY).await;
        }
        if mode == ProviderMode::Timeout {
            return Err(ProviderError::Unknown("no reply within 2 s".to_owned()));
        }
        Ok(done)
    }

    /// A call on one payment that may change it.
    async fn on<T: Send + 'static>(
        &self,
        reference: &PaymentRef,
        change: impl FnOnce(&mut Account) -> T + Send + 'static,
    ) -> Result<T, ProviderError> {
        let (id, notes) = (row_id(reference)?, self.database.notes());
        self.call(move |connection| {
            let (order, mut account) = find(connection, id)?;
            let before = account.clone();
            let answer = change(&mut account);
            if account != before {
                connection
                    .change("UPDATE ledger SET body = ?2 WHERE id = ?1", params![id, Json(&account)])?;
                notes.changed(order);
            }
            Ok(answer)
        })
        .await
    }
}

#[async_trait]
impl SimulatedProvider for SqliteProvider {
    fn mode(&self) -> ProviderMode {
        *lock(&self.mode)
    }

    async fn set_mode(&self, mode: ProviderMode) -> Result<(), StoreError> {
        settings::set(&self.database, MODE, &mode).await?;
        *lock(&self.mode) = mode;
        self.database.notes().record([Entry::Provider(mode)]);
        Ok(())
    }

    async fn ledger(&self, page: &Page) -> Result<Paged<LedgerEntry>, PageError> {
        let (before, limit) = (paging::before(page)?, page.limit);
        let sql = "SELECT order_id, body, id FROM ledger WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        let read = move |connection: &Connection| {
            connection.rows(sql, params![before, limit + 1], |row| {
                let Json(account): Json<Account> = row.get(1)?;
                let entry = LedgerEntry {
                    booking_id: OrderId::stored(row.get(0)?),
                    captured: account.captured(),
                    refunded: account.refunded(),
                    currency: account.amount.currency,
                };
                Ok((row.get::<_, i64>(2)?, entry))
            })
        };
        Ok(paging::page(self.database.scan(read).await?, limit))
    }
}

fn find(connection: &Connection, id: i64) -> rusqlite::Result<(OrderId, Account)> {
    let found = connection.row("SELECT order_id, body FROM ledger WHERE id = ?1", [id], |row| {
        let Json(account) = row.get(1)?;
        Ok((OrderId::stored(row.get(0)?), account))
    })?;
    found.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn row_id(reference: &PaymentRef) -> Result<i64, ProviderError> {
    let id = reference.0.strip_prefix(SIMULATED).and_then(|id| id.parse().ok());
    id.ok_or_else(|| ProviderError::Refused(format!("{reference} is not a payment of this provider")))
}

#[async_trait]
impl PaymentProvider for SqliteProvider {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        let account = Account::open_if_it_pays(amount.clone(), method);
        let notes = self.database.notes();
        self.call(move |connection| {
            // The order is the idempotency key, and this provider never forgets one.
            let sql = "INSERT INTO ledger (order_id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let id = if connection.change(sql, params![order.as_bytes(), Json(&account)])? == 1 {
                notes.changed(order);
                connection.last_insert_rowid()
            } else {
                let known = "SELECT id FROM ledger WHERE order_id = ?1";
                let known = connection.row(known, [order.as_bytes()], |row| row.get(0))?;
                known.ok_or(rusqlite::Error::QueryReturnedNoRows)?
            };
            let open = Opened::Open(PaymentRef(format!("{SIMULATED}{id}")));
            Ok(if account.pays { open } else { Opened::Declined })
        })
        .await
    }

    async fn capture(&self, _order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        self.on(reference, Account::capture).await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        let mode = self.mode();
        if mode == ProviderMode::Unavailable {
            return Err(ProviderError::Unavailable("503".to_owned()));
        }
        if mode == ProviderMode::Slow {
            tokio::time::sleep(DELAY).await;
        }
        let id = row_id(reference)?;
        let found = self.database.read_committed(move |connection| find(connection, id)).await;
        found.map(|(_, account)| account.status()).map_err(|error| ProviderError::Unknown(error.to_string()))
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        self.on(reference, Account::void).await
    }

    async fn refund(&self, _order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        let refunded = self.on(reference, Account::refund).await?;
        refunded.ok_or_else(|| {
            ProviderError::Refused("nothing was captured, so nothing can be refunded".to_owned())
        })
    }
}
