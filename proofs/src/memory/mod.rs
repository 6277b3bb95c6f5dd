//! Adapters of every port that hold everything in memory, and keep the ports' contracts
//! (`tests/memory.rs`).
//!
//! | noun | module |
//! |---|---|
//! | what they hold | [`contents`] |
//! | how far a handler gets | [`script`] |
//! | the ports | `orders`, `tickets`, `payments`, `provider`, `mails`, `topics` |
//!
//! Without a script every call is carried out at once. With one, calls are answered as it says,
//! and a call beyond its end is never answered.

pub mod contents;
mod mails;
mod orders;
mod payments;
pub mod provider;
pub mod script;
mod tickets;
mod topics;

use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::store::StoreError;
use shared::time::{Clock, Timestamp};

use contents::Contents;
use script::{Call, Failed, Fault, Kind, Script};

/// One world: the adapters of all ports, and the clock.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<World>>);

#[derive(Debug, Default)]
struct World {
    contents: Contents,
    script: Option<Script>,
    now: Option<Timestamp>,
}

impl Memory {
    /// A world in which a handler gets as far as the script says.
    pub fn scripted(contents: Contents, script: Script, now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(World { contents, script: Some(script), now: Some(now) })))
    }

    /// What it holds.
    pub fn contents(&self) -> Contents {
        self.world().contents.clone()
    }

    /// What it holds, and what became of the script; nothing of it is left.
    pub fn take(&self) -> (Contents, Script) {
        let world = std::mem::take(&mut *self.world());
        (world.contents, world.script.unwrap_or_default())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call<T, E>(
        &self,
        name: &'static str,
        kind: Kind,
        work: impl FnOnce(&mut Contents, Option<Fault>) -> Result<T, Failed> + Send,
    ) -> Result<T, E>
    where
        T: Clone + fmt::Debug + Send + Sync + 'static,
        E: From<Away>,
    {
        let answered = {
            let World { contents, script, .. } = &mut *self.world();
            match script {
                None => Some(work(contents, None)),
                Some(script) => script.call(contents, &Call { name, kind }, work),
            }
        };
        match answered {
            Some(result) => result.map_err(|failed| E::from(Away { name, failed })),
            None => pending().await,
        }
    }

    async fn read<T, E>(&self, name: &'static str, work: impl FnOnce(&Contents) -> T + Send) -> Result<T, E>
    where
        T: Clone + fmt::Debug + Send + Sync + 'static,
        E: From<Away>,
    {
        self.call(name, Kind::Read, |contents, _| Ok(work(contents))).await
    }

    async fn write<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Contents) -> T + Send,
    ) -> Result<T, E>
    where
        T: Clone + fmt::Debug + Send + Sync + 'static,
        E: From<Away>,
    {
        self.call(name, Kind::Write, |contents, _| Ok(work(contents))).await
    }
}

impl Clock for Memory {
    /// The world's time, which stands still; a handler that is run again reads what it read before.
    fn now(&self) -> Timestamp {
        let World { script, now, .. } = &mut *self.world();
        let now = now.unwrap_or(Timestamp::from_millis(0));
        match script {
            None => now,
            Some(script) => script.read("Clock::now", now),
        }
    }
}

/// A port gave no result.
struct Away {
    name: &'static str,
    failed: Failed,
}

impl From<Away> for StoreError {
    fn from(away: Away) -> Self {
        StoreError::unavailable(format!("{} failed: {:?}", away.name, away.failed))
    }
}
