//! The simulated payment provider, and its own books: durable, committed before it replies, and
//! apart from the Billing Service's records. They are the truth of what was charged.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};
use billing_service::simulated::Account;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use shared::ids::OrderId;
use shared::money::{Currency, Money};
use shared::payment::PaymentMethod;
use shared::store::StoreError;

use super::database::Database;
use super::{Json, Statements};

/// How the simulated provider's names of payments begin.
pub const SIMULATED: &str = "sim_";

/// How long a call takes that is slow, or whose reply is lost.
const DELAY: Duration = Duration::from_secs(2);

/// The simulated provider.
pub struct SimulatedProvider {
    database: Database,
    mode: AtomicU8,
}

/// How the provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As it should.
    Up,
    /// Refuses every call before doing anything, as with a 503.
    Unavailable,
    /// Does the work, but the reply is lost after 2 s; only `retrieve` answers.
    Timeout,
    /// Takes 2 s a call.
    Slow,
}

const MODES: [Mode; 4] = [Mode::Up, Mode::Unavailable, Mode::Timeout, Mode::Slow];

/// What the provider's books say of one booking, in minor units.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerEntry {
    /// The order that was paid for.
    pub booking_id: OrderId,
    /// All that was ever taken.
    pub captured: u64,
    /// All that was ever given back.
    pub refunded: u64,
    /// What they are units of.
    pub currency: Currency,
}

impl SimulatedProvider {
    /// A provider whose books are in that database.
    pub fn new(database: Database) -> Self {
        Self { database, mode: AtomicU8::new(0) }
    }

    /// How it behaves.
    pub fn mode(&self) -> Mode {
        MODES[usize::from(self.mode.load(Ordering::SeqCst)) % MODES.len()]
    }

    /// Makes it behave like that, until the next start.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// The books, oldest payment first.
    pub async fn ledger(&self) -> Result<Vec<LedgerEntry>, StoreError> {
        self.database.scan(ledger).await
    }

    /// A call: refused, or done and then answered as the mode has it.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ProviderError> {
        let mode = self.mode();
        if mode == Mode::Unavailable {
            return Err(ProviderError::Unavailable("503".to_owned()));
        }
        let done =
            self.database.write(work).await.map_err(|error| ProviderError::Unknown(error.to_string()))?;
        if matches!(mode, Mode::Timeout | Mode::Slow) {
            tokio::time::sleep(DELAY).await;
        }
        if mode == Mode::Timeout {
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
        let id = row_id(reference)?;
        self.call(move |connection| {
            let Json(mut account) = find(connection, id)?;
            let before = account.clone();
            let answer = change(&mut account);
            if account != before {
                connection
                    .change("UPDATE ledger SET body = ?2 WHERE id = ?1", params![id, Json(&account)])?;
            }
            Ok(answer)
        })
        .await
    }
}

/// What the books of a database say, oldest payment first.
pub fn ledger(connection: &Connection) -> rusqlite::Result<Vec<LedgerEntry>> {
    connection.rows("SELECT order_id, body FROM ledger ORDER BY id", [], |row| {
        let Json(account): Json<Account> = row.get(1)?;
        Ok(LedgerEntry {
            booking_id: OrderId::from_bytes(row.get(0)?),
            captured: account.captured(),
            refunded: account.refunded(),
            currency: account.amount.currency,
        })
    })
}

fn find(connection: &Connection, id: i64) -> rusqlite::Result<Json<Account>> {
    let found = connection.row("SELECT body FROM ledger WHERE id = ?1", [id], |row| row.get(0))?;
    found.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn row_id(reference: &PaymentRef) -> Result<i64, ProviderError> {
    let id = reference.0.strip_prefix(SIMULATED).and_then(|id| id.parse().ok());
    id.ok_or_else(|| ProviderError::Refused(format!("{reference} is not a payment of this provider")))
}

#[async_trait]
impl PaymentProvider for SimulatedProvider {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        let account = Account::open(amount.clone(), method);
        self.call(move |connection| {
            // The order is the idempotency key, and this provider never forgets one.
            let sql =
                "INSERT INTO ledger (order_id, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING id";
            let opened: Option<i64> =
                connection.row(sql, params![order.as_bytes(), Json(&account)], |row| row.get(0))?;
            let id = match opened {
                Some(id) => Some(id),
                None => connection.row(
                    "SELECT id FROM ledger WHERE order_id = ?1",
                    [order.as_bytes()],
                    |row| row.get(0),
                )?,
            };
            id.map(|id| Opened::Open(PaymentRef(format!("{SIMULATED}{id}"))))
                .ok_or(rusqlite::Error::QueryReturnedNoRows)
        })
        .await
    }

    async fn capture(&self, _order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        self.on(reference, Account::capture).await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        let mode = self.mode();
        if mode == Mode::Unavailable {
            return Err(ProviderError::Unavailable("503".to_owned()));
        }
        if mode == Mode::Slow {
            tokio::time::sleep(DELAY).await;
        }
        let id = row_id(reference)?;
        let found = self.database.read(move |connection| find(connection, id)).await;
        found.map(|Json(account)| account.status()).map_err(|error| ProviderError::Unknown(error.to_string()))
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
