//! Adapters of every port that hold everything in memory and keep the contracts of the ports: beside each
//! adapter are its tests. The topics have no suite here: the model is their other end, and promises less
//! than the contract does.
//!
//! | noun | module |
//! |---|---|
//! | what they hold | [`contents`] |
//! | how far a handler gets, and which of its calls goes wrong | [`script`] |
//! | the ports | [`crate::stores`], [`provider`], `topics` |
//!
//! Without a script every call is carried out at once. With one, calls are answered as it says, and a
//! call beyond its end is never answered.

pub mod contents;
pub mod provider;
pub mod script;
mod topics;

use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contents::LateRequest;
use messaging::clock::Clock;
use protocol::time::Timestamp;
use script::Script;

use crate::fault::{CallError, CallFailure, Fault};
use crate::port_call::{Access, PortCall};
use crate::stores::Contents;

/// The adapters of all ports, and the clock.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<MemoryState>>);

#[derive(Debug, Default)]
struct MemoryState {
    contents: Contents,
    script: Option<Script>,
    now: Option<Timestamp>,
}

impl Memory {
    /// Adapters on which a handler gets as far as the script says.
    pub fn scripted(contents: Contents, script: Script, now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(MemoryState { contents, script: Some(script), now: Some(now) })))
    }

    /// What they hold.
    pub fn contents(&self) -> Contents {
        self.state().contents.clone()
    }

    /// Takes out what they hold, and the script with all that was answered.
    pub fn take(&self) -> (Contents, Script) {
        let state = std::mem::take(&mut *self.state());
        (state.contents, state.script.unwrap_or_default())
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call. `late` is what reaches the provider later, if the script has the request land late.
    pub(crate) async fn call<T, E>(
        &self,
        call: PortCall,
        late: Option<LateRequest>,
        work: impl FnOnce(&mut Contents, Option<Fault>) -> Result<T, CallFailure> + Send,
    ) -> Result<T, E>
    where
        T: Clone + fmt::Debug + Send + Sync + 'static,
        E: From<CallError>,
    {
        let answered = {
            let MemoryState { contents, script, .. } = &mut *self.state();
            match script {
                None => Some(work(contents, None)),
                Some(script) => script.call(contents, call, late, work),
            }
        };
        match answered {
            Some(result) => result.map_err(|failure| E::from(CallError { call, failure })),
            None => pending().await,
        }
    }

    pub(crate) async fn read<T, E>(
        &self,
        call: PortCall,
        work: impl FnOnce(&Contents) -> T + Send,
    ) -> Result<T, E>
    where
        T: Clone + fmt::Debug + Send + Sync + 'static,
        E: From<CallError>,
    {
        debug_assert_eq!(call.access(), Access::Reads, "{call}");
        self.call(call, None, |contents, _| Ok(work(contents))).await
    }

    pub(crate) async fn write<T, E>(
        &self,
        call: PortCall,
        work: impl FnOnce(&mut Contents) -> T + Send,
    ) -> Result<T, E>
    where
        T: Clone + fmt::Debug + Send + Sync + 'static,
        E: From<CallError>,
    {
        debug_assert_eq!(call.access(), Access::Writes, "{call}");
        self.call(call, None, |contents, _| Ok(work(contents))).await
    }
}

impl Clock for Memory {
    /// The time stands still. A handler that is run again reads the time that it read before.
    fn now(&self) -> Timestamp {
        let MemoryState { script, now, .. } = &mut *self.state();
        let now = now.unwrap_or(Timestamp::from_millis(0));
        match script {
            None => now,
            Some(script) => script.now(now),
        }
    }
}
