//! Which steps there are in each state.

use std::collections::BTreeMap;

use shared::topic::Topic;
use stateright::{Model, Property};

use super::booking::Booking;
use super::properties;
use super::state::{Action, Phase, State, Work};
use super::stories::Story;
use crate::memory::contents::{Contents, Room, Seats, Stored};
use crate::memory::script::Fault;

impl Model for Booking {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let begin = |(story, Story { flight, .. }): (usize, &Story)| {
            let seats = Seats { flight: Stored::new(flight.clone()), free: flight.capacity };
            let contents =
                Contents { flights: BTreeMap::from([(flight.id.clone(), seats)]), ..Contents::default() };
            State {
                story,
                contents,
                waiting: Vec::new(),
                runs: Vec::new(),
                phase: Phase::InTime,
                placed: 0,
                left: self.bounds.left,
                looked: BTreeMap::new(),
                wrong: None,
            }
        };
        self.stories.iter().enumerate().map(begin).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let faults = || Fault::ALL.into_iter().map(Some).filter(|_| state.left.faults > 0);
        for place in state.able() {
            actions.push(Action::Go(place, None));
            actions.extend(faults().map(|fault| Action::Go(place, fault)));
            if state.left.faults > 0 {
                actions.push(Action::Crash(place));
            }
        }
        if state.able().all(|place| state.runs[place].work.room() == Room::Billing) {
            actions.extend((0..state.contents.late.len()).map(Action::Land));
        }
        if state.phase != Phase::Over && state.is_time_of_interest() {
            actions.push(Action::TimePasses);
        }
        if state.runs.len() == self.bounds.at_once {
            return;
        }
        // A mail is consumed only when nothing else can go on. Mails change nothing but the Email
        // Service's own records, and are changed by nothing: any other order of the same steps
        // leads to the same state.
        let mails_only = state.contents.late.is_empty()
            && state.waiting.iter().all(|letter| letter.topic == Topic::Email)
            && state
                .runs
                .iter()
                .all(|run| matches!(&run.work, Work::Consume(letter) if letter.topic == Topic::Email));
        for (place, letter) in state.waiting.iter().enumerate() {
            if state.waiting[..place].contains(letter) || letter.topic == Topic::Email && !mails_only {
                continue;
            }
            let work = Work::Consume(letter.clone());
            actions.extend(faults().map(|fault| Action::Begin(work.clone(), fault)));
            if state.left.copies > 0 {
                actions.push(Action::BeginOnCopy(work.clone()));
            }
            actions.push(Action::Begin(work, None));
        }
        if state.phase == Phase::InTime {
            if state.placed < self.stories[state.story].requests.len() {
                let work = Work::Post(state.placed);
                actions.extend(faults().map(|fault| Action::Begin(work.clone(), fault)));
                actions.push(Action::Begin(work, None));
            }
            if state.left.copies > 0 {
                actions.extend((0..state.placed).map(|number| Action::BeginOnCopy(Work::Post(number))));
            }
        }
        for order in state.contents.orders.keys() {
            if state.left.cancels > 0 {
                actions.push(Action::Begin(Work::Delete(*order), None));
            }
            let unsettled = state.contents.checks.contains_key(order);
            if state.waits_for_a_look(*order) || unsettled && state.left.looks > 0 {
                actions.push(Action::Begin(Work::Look(*order), None));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        match action {
            Action::Begin(work, fault) => self.begin(state, work, fault, false),
            Action::BeginOnCopy(work) => self.begin(state, work, None, true),
            Action::Go(place, fault) => self.go(state, place, fault),
            Action::Crash(place) => Some(state.after_crash(place)),
            Action::Land(place) => Some(state.after_landing(place)),
            Action::TimePasses => Some(state.after_a_while()),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::all();
        if self.stories.iter().any(|story| story.requests.len() > 1) {
            properties.extend(properties::reached_by_two());
        }
        if self.bounds.left.faults > 0 {
            properties.extend(properties::reached_by_faults());
        }
        if self.bounds.left.cancels > 0 {
            properties.extend(properties::reached_by_cancelling());
        }
        properties
    }
}
