//! Which actions each state has.

use std::collections::BTreeMap;

use protocol::topic::Topic;
use stateright::{Model, Property};

use super::bounds::Customers;
use super::state::{Action, ModelState, Phase, Work};
use super::transitions::BookingModel;
use super::{coverage, properties};
use crate::memory::contents::{Seats, Stored};
use crate::memory::script::StepFault;
use crate::stores::Contents;

impl Model for BookingModel {
    type State = ModelState;
    type Action = Action;

    fn init_states(&self) -> Vec<ModelState> {
        let begin = |(customers, Customers { flight, .. }): (usize, &Customers)| {
            let seats = Seats { flight: Stored::new(flight.clone()), free: flight.capacity };
            let mut contents = Contents::default();
            contents.tickets.flights.insert(flight.id.clone(), seats);
            ModelState {
                customers,
                contents,
                waiting: Vec::new(),
                handlers: Vec::new(),
                phase: Phase::InTime,
                placed: 0,
                budget: self.bounds.budget,
                reconciled: BTreeMap::new(),
                violation: None,
            }
        };
        self.customers.iter().enumerate().map(begin).collect()
    }

    fn actions(&self, state: &ModelState, actions: &mut Vec<Action>) {
        let may_fail = state.budget.faults > 0;
        for place in state.runnable() {
            actions.push(Action::Resume(place, None));
            actions.extend(faults(state).map(|fault| Action::Resume(place, fault)));
            if may_fail {
                actions.push(Action::Crash(place));
            }
        }
        if state.runnable().all(|place| state.handlers[place].work.owner() == Topic::Billing) {
            actions.extend((0..state.contents.payments.late.len()).map(Action::Land));
        }
        if state.budget.expiries > 0 {
            let dropped = state.waiting.iter().filter(|message| message.may_be_dropped());
            actions.extend(dropped.cloned().map(Action::Expire));
        }
        if state.phase != Phase::Over && state.is_time_of_interest() {
            actions.push(Action::TimePasses);
        }
        if state.handlers.len() < self.bounds.handlers {
            begin_on_messages(state, actions);
            self.begin_on_requests(state, actions);
            begin_on_orders(state, actions);
        }
    }

    fn next_state(&self, state: &ModelState, action: Action) -> Option<ModelState> {
        match action {
            Action::Begin(work, fault) => self.begin(state, work, fault, false),
            Action::BeginOnCopy(work) => self.begin(state, work, None, true),
            Action::Resume(place, fault) => self.resume(state, place, fault),
            Action::Crash(place) => Some(state.after_crash(place)),
            Action::Expire(message) => state.after_expiry(&message),
            Action::Land(place) => Some(state.after_landing(place)),
            Action::TimePasses => Some(state.after_a_while()),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::all();
        properties.extend(coverage::of(self));
        properties
    }
}

impl BookingModel {
    fn begin_on_requests(&self, state: &ModelState, actions: &mut Vec<Action>) {
        if state.phase != Phase::InTime {
            return;
        }
        if state.placed < self.customers[state.customers].requests.len() {
            let work = Work::Post(state.placed);
            actions.extend(faults(state).map(|fault| Action::Begin(work.clone(), fault)));
            actions.push(Action::Begin(work, None));
        }
        if state.budget.copies > 0 {
            actions.extend((0..state.placed).map(|number| Action::BeginOnCopy(Work::Post(number))));
        }
    }
}

/// What can go wrong in a step.
fn faults(state: &ModelState) -> impl Iterator<Item = Option<StepFault>> {
    let may_fail = state.budget.faults > 0;
    StepFault::ALL.into_iter().map(Some).filter(move |_| may_fail)
}

fn begin_on_messages(state: &ModelState, actions: &mut Vec<Action>) {
    // What no order waits for, a mail, is consumed only when nothing else can go on. It changes only
    // records of its own service, and nothing else changes those: any other order of the same steps
    // leads to the same state.
    let nothing_else = state.contents.payments.late.is_empty()
        && state.waiting.iter().all(|message| !message.topic.is_awaited())
        && state
            .handlers
            .iter()
            .all(|handler| matches!(&handler.work, Work::Consume(message) if !message.topic.is_awaited()));
    for (place, message) in state.waiting.iter().enumerate() {
        if state.waiting[..place].contains(message) || !message.topic.is_awaited() && !nothing_else {
            continue;
        }
        let work = Work::Consume(message.clone());
        actions.extend(faults(state).map(|fault| Action::Begin(work.clone(), fault)));
        if state.budget.copies > 0 {
            actions.push(Action::BeginOnCopy(work.clone()));
        }
        actions.push(Action::Begin(work, None));
    }
    for run in state.runs() {
        let work = Work::ConsumeRun(run);
        actions.extend(faults(state).map(|fault| Action::Begin(work.clone(), fault)));
        actions.push(Action::Begin(work, None));
    }
}

fn begin_on_orders(state: &ModelState, actions: &mut Vec<Action>) {
    for order in state.contents.orders.by_id.keys() {
        if state.budget.cancels > 0 {
            actions.push(Action::Begin(Work::Delete(*order), None));
        }
        let unsettled = state.contents.orders.checks.contains_key(order);
        if state.waits_for_check(*order) || unsettled && state.budget.early_checks > 0 {
            actions.push(Action::Begin(Work::Check(*order), None));
        }
    }
}
