//! Which state comes of an action.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use booking_gateway::check::NextCheck;
use booking_gateway::order::{Change, Order};
use protocol::ids::OrderId;
use protocol::time::Timestamp;

use super::bounds::{Bounds, Customers};
use super::handlers::{HandlerInput, Handlers, Next, StepOutcome};
use super::message::TopicMessage;
use super::state::{ModelState, PausedHandler, Work};
use crate::fixtures::start;
use crate::memory::contents::Stored;
use crate::memory::provider::land;
use crate::memory::script::StepFault;
use crate::stores::Contents;

/// The product among customers, crashes, and a network that keeps no order.
pub struct BookingModel {
    pub(super) customers: Vec<Customers>,
    pub(super) bounds: Bounds,
    handlers: Handlers,
    /// What a handler does depends on its input alone, so each step is run once and then looked up.
    outcomes: RwLock<HashMap<HandlerInput, Arc<Option<StepOutcome>>>>,
}

impl BookingModel {
    /// Those customers, each on their own, within those bounds.
    ///
    /// # Errors
    /// The machine has no runtime to give.
    pub fn new(customers: Vec<Customers>, bounds: Bounds) -> std::io::Result<Self> {
        Ok(Self { handlers: Handlers::new()?, customers, bounds, outcomes: RwLock::default() })
    }

    /// Has a handler make its next call. It is not among the handlers of `state`.
    fn step(
        &self,
        state: &ModelState,
        handler: &PausedHandler,
        fault: Option<StepFault>,
    ) -> Option<ModelState> {
        let work = &handler.work;
        let owner = work.owner();
        // A service is given its own records and no others: what it does depends on nothing else.
        let mut records = state.contents.records_of(owner);
        if let Work::Check(order) = work {
            make_only_due(&mut records, *order);
        }
        let outcome = self.outcome(HandlerInput {
            customers: state.customers,
            work: work.clone(),
            answers: handler.answers.clone(),
            fault,
            phase: state.phase,
            records,
        });
        let outcome = outcome.as_ref().as_ref()?;

        let mut next = state.clone();
        if fault.is_some() {
            next.budget.faults -= 1;
        }
        next.waiting.extend(outcome.sent.iter().cloned());
        next.violation = outcome.dead_lettered.first().map(|why| format!("dead-lettered: {why}"));
        next.contents.replace_records_of(owner, outcome.records.clone());
        let without_fault = handler.without_fault && fault.is_none();
        match outcome.next {
            Next::Call(call) => {
                let (work, answers) = (work.clone(), outcome.answers.clone());
                next.handlers.push(PausedHandler { work, answers, next_call: Some(call), without_fault });
            }
            Next::Done => {
                if let (Work::Check(order), true) = (work, without_fault)
                    && let Some(checked) = next.contents.orders.by_id.get(order)
                {
                    next.reconciled.insert(*order, checked.version);
                }
            }
            Next::Died => redeliver(&mut next, work),
            Next::Redeliver => {
                if without_fault {
                    next.violation = Some(format!("{work:?} is redelivered without a fault"));
                }
                redeliver(&mut next, work);
            }
        }
        Some(normalized(next))
    }

    fn outcome(&self, input: HandlerInput) -> Arc<Option<StepOutcome>> {
        let known = self.outcomes.read().unwrap_or_else(PoisonError::into_inner).get(&input).cloned();
        if let Some(outcome) = known {
            return outcome;
        }
        let requests = &self.customers[input.customers].requests;
        let mut outcome = self.handlers.run_to_next_call(&input, requests);
        if let Some(outcome) = &mut outcome {
            remove_times(&mut outcome.records);
        }
        let outcome = Arc::new(outcome);
        let mut outcomes = self.outcomes.write().unwrap_or_else(PoisonError::into_inner);
        outcomes.insert(input, outcome.clone());
        outcome
    }

    /// Has a handler begin, and make its first call.
    pub(super) fn begin(
        &self,
        state: &ModelState,
        work: Work,
        fault: Option<StepFault>,
        copy: bool,
    ) -> Option<ModelState> {
        let mut begun = state.clone();
        if copy {
            begun.budget.copies -= 1;
        }
        match &work {
            Work::Post(number) if !copy => begun.placed = number + 1,
            Work::Delete(_) => begun.budget.cancels -= 1,
            Work::Check(order) if !state.waits_for_check(*order) => begun.budget.early_checks -= 1,
            Work::Consume(_) | Work::ConsumeRun(_) if !copy => {
                for message in work.messages() {
                    let place = begun.waiting.iter().position(|other| other == message)?;
                    begun.waiting.remove(place);
                }
            }
            Work::Post(_) | Work::Check(_) | Work::Consume(_) | Work::ConsumeRun(_) => {}
        }
        let handler = PausedHandler { work, answers: Vec::new(), next_call: None, without_fault: true };
        self.step(&begun, &handler, fault)
    }

    /// Has the handler in that place make its next call.
    pub(super) fn resume(
        &self,
        state: &ModelState,
        place: usize,
        fault: Option<StepFault>,
    ) -> Option<ModelState> {
        let mut rest = state.clone();
        let handler = rest.handlers.remove(place);
        self.step(&rest, &handler, fault)
    }
}

impl ModelState {
    /// The process of the handler in that place has died. What the handler did is done.
    pub(super) fn after_crash(&self, place: usize) -> ModelState {
        let mut next = self.clone();
        let handler = next.handlers.remove(place);
        next.budget.faults -= 1;
        redeliver(&mut next, &handler.work);
        normalized(next)
    }

    /// That message has expired and was dropped: its order is checked once more.
    pub(super) fn after_expiry(&self, message: &TopicMessage) -> Option<ModelState> {
        let mut next = self.clone();
        let place = next.waiting.iter().position(|other| other == message)?;
        next.waiting.remove(place);
        next.budget.expiries -= 1;
        next.reconciled.remove(&message.order);
        Some(normalized(next))
    }

    /// That request has landed at the provider.
    pub(super) fn after_landing(&self, place: usize) -> ModelState {
        let mut next = self.clone();
        let late = next.contents.payments.late.remove(place);
        land(&mut next.contents, &late);
        next
    }

    /// The next phase has begun.
    pub(super) fn after_a_while(&self) -> ModelState {
        ModelState { phase: self.phase.next(), ..self.clone() }
    }
}

/// Makes the messages that were worked on visible again: they were not acknowledged. Of a run of which one was, that
/// one too: a topic may deliver a message once more.
fn redeliver(state: &mut ModelState, work: &Work) {
    state.waiting.extend(work.messages().iter().map(TopicMessage::redelivered));
}

/// Sorts what has no order, and forgets checks of the reconciler that no longer count.
fn normalized(mut state: ModelState) -> ModelState {
    state.waiting.sort();
    if let [first, second] = &state.handlers[..]
        && !first.conflicts_with(second)
    {
        // Their order says which of them may go on.
    } else {
        state.handlers.sort_by_cached_key(|handler| {
            let mut hasher = DefaultHasher::new();
            handler.hash(&mut hasher);
            hasher.finish()
        });
    }
    let contents = &state.contents;
    state.reconciled.retain(|order, version| {
        contents.orders.checks.contains_key(order)
            && contents.orders.by_id.get(order).is_some_and(|order| order.version == *version)
    });
    state
}

/// Removes what only differs by time. A check may come at any time, so all are due. Of an order's
/// history, the product reads only when the last change was; that becomes [`start`].
fn remove_times(contents: &mut Contents) {
    for check in contents.orders.checks.values_mut() {
        *check = NextCheck { at: start(), count: 0 };
    }
    for order in contents.orders.by_id.values_mut() {
        if order.history.len() > 1 || order.history.iter().any(|change| change.at != start()) {
            let last = order.history.last().map(|last| Change { at: start(), ..last.clone() });
            *order = Stored::new(Order { history: last.into_iter().collect(), ..(**order).clone() });
        }
    }
}

/// Makes the check of that order the only one that is due, so that the reconciler checks one order.
fn make_only_due(contents: &mut Contents, order: OrderId) {
    for (other, check) in &mut contents.orders.checks {
        if *other != order {
            check.at = Timestamp::from_millis(i64::MAX);
        }
    }
}
