//! The payment provider of a simulation. It can be down, lose replies, forget keys, and carry out
//! requests whose callers have stopped waiting.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};
use protocol::ids::OrderId;
use protocol::money::Money;
use protocol::payment::PaymentMethod;

use super::task::{begin_call, die, end_call};
use crate::fault::Fault;
use crate::fixtures::start;
use crate::memory::Memory;
use crate::memory::contents::OpenedPayment;
use crate::memory::provider::land;
use crate::memory::script::{Script, StepFault};
use crate::port_call::PortCall;
use crate::stores::Contents;

/// The provider with its own books: the one in memory, with faults.
#[derive(Clone, Default)]
pub struct FaultyProvider(Arc<Mutex<ProviderState>>);

#[derive(Default)]
struct ProviderState {
    contents: Contents,
    down: bool,
    planned_captures: VecDeque<Fault>,
}

impl FaultyProvider {
    fn state(&self) -> MutexGuard<'_, ProviderState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While it is down, it refuses everything.
    pub fn set_down(&self, down: bool) {
        self.state().down = down;
    }

    /// Has the next captures that reach it go wrong like this.
    pub fn plan_captures(&self, faults: &[Fault]) {
        self.state().planned_captures.extend(faults);
    }

    /// All payments, oldest first.
    pub fn ledger(&self) -> Vec<OpenedPayment> {
        self.state().contents.payments.ledger.clone()
    }

    /// How many late requests have still to land.
    pub fn late_requests(&self) -> usize {
        self.state().contents.payments.late.len()
    }

    /// Carries out one of the late requests.
    pub fn land(&self, which: usize) {
        let contents = &mut self.state().contents;
        let late = contents.payments.late.remove(which);
        land(contents, &late);
    }

    async fn ask<T, W: Future<Output = Result<T, ProviderError>> + Send>(
        &self,
        call: PortCall,
        work: impl FnOnce(Memory) -> W + Send,
    ) -> Result<T, ProviderError> {
        let mut fault = begin_call(call, 0).await;
        if fault == Some(Fault::DiesBefore) {
            return die().await;
        }
        let mut state = std::mem::take(&mut *self.state());
        if call == PortCall::PROVIDER_CAPTURE && fault.is_none() && !state.down {
            fault = state.planned_captures.pop_front();
        }
        // A process that dies after the call leaves behind what a call that goes well does.
        let of_the_call = fault.filter(|fault| !fault.is_deadly());
        let of_the_call = of_the_call.or(state.down.then_some(Fault::FailsBefore));
        let scripted = of_the_call.map(|fault| StepFault::Call(fault.simplest(call)));
        let contents = std::mem::take(&mut state.contents);
        let memory = Memory::scripted(contents, Script::new(Vec::new(), scripted), start());
        let result = work(memory.clone()).await;
        state.contents = memory.take().0;
        *self.state() = state;
        if fault == Some(Fault::DiesAfter) {
            return die().await;
        }
        end_call();
        result
    }
}

#[async_trait]
impl PaymentProvider for FaultyProvider {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        self.ask(PortCall::PROVIDER_OPEN, async |memory| memory.open(order, amount, method).await).await
    }

    async fn capture(&self, order: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        self.ask(PortCall::PROVIDER_CAPTURE, async |memory| memory.capture(order, reference).await).await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        self.ask(PortCall::PROVIDER_RETRIEVE, async |memory| memory.retrieve(reference).await).await
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        self.ask(PortCall::PROVIDER_VOID, async |memory| memory.void(reference).await).await
    }

    async fn refund(&self, order: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        self.ask(PortCall::PROVIDER_REFUND, async |memory| memory.refund(order, reference).await).await
    }
}
