//! The chain's own simulated payment provider, and its ledger: committed before it replies, apart from the billing
//! server's records, and the truth of what was charged.

use std::sync::Arc;
use std::time::Duration;

use billing_service::provider::Captured;
use billing_service::simulated::Account;
use group_commit::{Json, Statements};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::money::{Currency, Money};
use protocol::payment::PaymentMethod;
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::store::Store;
use crate::switches::{ProviderMode, Switches};

/// How long a slow call takes, or one whose reply is lost.
const DELAY: Duration = Duration::from_secs(2);

pub(crate) struct Provider {
    pub(crate) store: Arc<Store>,
    pub(crate) switches: Arc<dyn Switches>,
}

/// What the provider replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The money was taken, now or before.
    Captured,
    /// The card was refused.
    Declined,
    /// The booking was charged another amount before.
    Otherwise,
    /// `503`: nothing was done.
    Unavailable,
    /// None: whether the money was taken is not known.
    Lost,
}

impl Provider {
    /// Takes the money, once a booking.
    ///
    /// **Crash contract:** during the call the ledger has the charge or not; once it is answered, the ledger has it.
    pub(crate) async fn charge(&self, booking: OrderId, amount: &Money, method: &PaymentMethod) -> Reply {
        let mode = self.switches.provider();
        if mode == ProviderMode::Unavailable {
            return Reply::Unavailable;
        }
        let account = Account::open(amount.clone(), method);
        let charged = match self.store.open().await {
            Ok(opened) => opened.database.write(move |connection| charge(connection, booking, account)).await,
            Err(_) => return Reply::Unavailable,
        };
        if matches!(mode, ProviderMode::Timeout | ProviderMode::Slow) {
            tokio::time::sleep(DELAY).await;
        }
        match charged {
            Ok(reply) if mode != ProviderMode::Timeout => reply,
            Ok(_) | Err(_) => Reply::Lost,
        }
    }

    /// A page of the ledger, newest first, from below that row.
    pub(crate) async fn payments(&self, below: i64, limit: usize) -> Result<Payments, StoreError> {
        let database = &self.store.open().await?.database;
        let sql = "SELECT seq, booking_id, body FROM ledger WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let read = move |connection: &Connection| {
            connection.rows(sql, params![below, limit + 1], |row| {
                let Json(account): Json<Account> = row.get(2)?;
                let payment = Payment {
                    booking_id: OrderId::stored(row.get(1)?),
                    captured: account.captured(),
                    refunded: account.refunded(),
                    currency: account.amount.currency,
                };
                Ok((row.get::<_, i64>(0)?, payment))
            })
        };
        let mut found = database.scan(read).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(row, _)| row.to_string());
        Ok(Payments { items: found.into_iter().map(|(_, payment)| payment).collect(), next })
    }
}

/// A payment in the ledger.
#[derive(Serialize)]
pub(crate) struct Payment {
    booking_id: OrderId,
    /// In minor units.
    captured: u64,
    /// In minor units. The chain refunds nothing.
    refunded: u64,
    currency: Currency,
}

/// A page of them.
#[derive(Serialize)]
pub(crate) struct Payments {
    items: Vec<Payment>,
    next: Option<String>,
}

fn charge(connection: &Connection, booking: OrderId, mut account: Account) -> rusqlite::Result<Reply> {
    let sql = "SELECT body FROM ledger WHERE booking_id = ?1";
    let known = connection.row(sql, [booking.as_bytes()], |row| row.get::<_, Json<Account>>(0))?;
    let captured = match known {
        Some(Json(known)) if known.amount != account.amount => return Ok(Reply::Otherwise),
        // A known one was decided at once: this changes nothing.
        Some(Json(mut known)) => known.capture(),
        None => {
            let captured = account.capture();
            let sql = "INSERT INTO ledger (booking_id, body) VALUES (?1, ?2)";
            connection.change(sql, params![booking.as_bytes(), Json(&account)])?;
            captured
        }
    };
    Ok(match captured {
        Captured::Captured => Reply::Captured,
        Captured::Declined | Captured::Voided => Reply::Declined,
    })
}
