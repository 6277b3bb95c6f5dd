//! The model: the product's own handlers, run in every order that a network, crashes and an
//! unreliable payment provider can bring about.
//!
//! | noun | module |
//! |---|---|
//! | what the world looks like between two steps | [`state`] |
//! | running the product, one port call at a time | [`running`] |
//! | the customers, and the bounds of a check | [`stories`] |
//! | what must hold, and what must be reached | [`properties`] |
//!
//! Nothing of the product is copied. `POST` is `BookingDesk::accept`, `DELETE` is
//! `Gateway::cancel`, the reconciler is `Gateway::reconcile`, and each message goes through
//! `Consumer::consume` to its service, all over the adapters of [`crate::memory`].
//!
//! **Steps.** A handler is stopped at each of its port calls, so that two of them interleave call
//! by call, and a crash comes between any two calls. Sends are taken together with the call before
//! them ([`Fault::DiesUnsent`] and [`Fault::NotSent`] come in between).
//!
//! **Network.** Any message that waits may be the next one, so messages overtake each other and
//! wait as long as they like. A message may be delivered once more than it was sent (a copy). A
//! crash, and a send that fails, bring the message that was worked on again.
//!
//! **Provider.** A call is refused, or its reply is lost, or its request lands at any later time,
//! or it has forgotten that it opened a payment.
//!
//! **Time** has three phases: before the deadline, past it, past the reconciler's grace. The
//! reconciler may look at an order once its messages are all used up; earlier only within a bound.
//!
//! **What is left out**, since it leads to no other state: which of two handlers goes first that
//! touch different records (the one that began last runs on; its calls and the other's commute);
//! mails before everything else is done; time that passes when neither a charge nor the reconciler
//! is there to notice; times in messages and histories, and the dates of checks.
pub mod properties;
pub mod running;
pub mod state;
pub mod stories;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use booking_gateway::order::{Change, Order};
use shared::ids::OrderId;
use shared::time::Timestamp;
use shared::topic::Topic;
use stateright::{Model, Property};

use crate::memory::contents::{Contents, Room, Seats, Stored};
use crate::memory::provider::land;
use crate::memory::script::Fault;
use running::{Next, Product, Progress, Situation, start};
use state::{Action, Phase, Run, State, Work};
use stories::{Bounds, Story};

/// The product among customers, crashes, and a network that keeps no order.
pub struct Booking {
    product: Product,
    stories: Vec<Story>,
    bounds: Bounds,
    known: RwLock<HashMap<Situation, Arc<Option<Progress>>>>,
}

impl Booking {
    /// These stories, within those bounds.
    ///
    /// # Errors
    /// The machine has no runtime to give.
    pub fn new(stories: Vec<Story>, bounds: Bounds) -> std::io::Result<Self> {
        Ok(Self { product: Product::new()?, stories, bounds, known: RwLock::default() })
    }

    /// Has a handler make its next call, from where `run` left it.
    fn go(&self, state: &State, run: &Run, fault: Option<Fault>) -> Option<State> {
        let room = run.work.room();
        // A service is given its own records and no others: what it does depends on nothing else.
        let mut records = state.contents.room(room);
        if let Work::Look(order) = run.work {
            only(&mut records, order);
        }
        let situation = Situation {
            story: state.story,
            work: run.work.clone(),
            answers: run.answers.clone(),
            fault,
            phase: state.phase,
            records,
        };
        let progress = self.progress(situation);
        let progress = progress.as_ref().as_ref()?;

        let mut next = state.clone();
        if fault.is_some() {
            next.left.faults -= 1;
        }
        next.waiting.extend(progress.sent.iter().cloned());
        next.wrong = progress.parked.first().map(|why| format!("parked: {why}"));
        next.contents.put(room, progress.records.clone());
        let well = run.well && fault.is_none();
        match progress.next {
            Next::Call(call) => {
                let (work, answers) = (run.work.clone(), progress.answers.clone());
                next.runs.push(Run { work, answers, next: call, well });
            }
            Next::Done => {
                if let (Work::Look(order), true) = (&run.work, well)
                    && let Some(looked) = next.contents.orders.get(order)
                {
                    next.looked.insert(*order, looked.version);
                }
            }
            Next::Dead => again(&mut next, &run.work),
            Next::Again => {
                if well {
                    next.wrong = Some(format!("{:?} is delivered again", run.work));
                }
                again(&mut next, &run.work);
            }
        }
        Some(tidy(next))
    }

    /// What the product does in a situation. It does the same whenever it comes up, so it is run
    /// once in each.
    fn progress(&self, situation: Situation) -> Arc<Option<Progress>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&situation).cloned();
        if let Some(progress) = known {
            return progress;
        }
        let requests = &self.stories[situation.story].requests;
        let mut progress = self.product.go(&situation, requests);
        if let Some(progress) = &mut progress {
            timeless(&mut progress.records);
        }
        let progress = Arc::new(progress);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(situation, progress.clone());
        progress
    }

    fn begin(&self, state: &State, work: Work, fault: Option<Fault>, copy: bool) -> Option<State> {
        let mut begun = state.clone();
        if copy {
            begun.left.copies -= 1;
        }
        match &work {
            Work::Post(number) if !copy => begun.placed = number + 1,
            Work::Delete(_) => begun.left.cancels -= 1,
            Work::Look(order) if !state.waits_for_a_look(*order) => begun.left.looks -= 1,
            Work::Consume(letter) if !copy => {
                let place = begun.waiting.iter().position(|other| other == letter)?;
                begun.waiting.remove(place);
            }
            _ => {}
        }
        self.go(&begun, &Run { work, answers: Vec::new(), next: "", well: true }, fault)
    }
}

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
                actions.push(Action::Begin(Work::Post(state.placed), None));
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
            Action::Go(place, fault) => {
                let mut rest = state.clone();
                let run = rest.runs.remove(place);
                self.go(&rest, &run, fault)
            }
            Action::Crash(place) => {
                let mut next = state.clone();
                let run = next.runs.remove(place);
                next.left.faults -= 1;
                again(&mut next, &run.work);
                Some(tidy(next))
            }
            Action::Land(place) => {
                let mut next = state.clone();
                let late = next.contents.late.remove(place);
                land(&mut next.contents, &late);
                Some(next)
            }
            Action::TimePasses => {
                let phase = if state.phase == Phase::InTime { Phase::Late } else { Phase::Over };
                Some(tidy(State { phase, ..state.clone() }))
            }
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::all();
        if self.stories.iter().any(|story| story.requests.len() > 1) {
            properties.extend(properties::reached_by_two());
        }
        if self.bounds.left.cancels > 0 {
            properties.extend(properties::reached_by_cancelling());
        }
        properties
    }
}

/// Puts back the message that was worked on: it was not acknowledged.
fn again(state: &mut State, work: &Work) {
    if let Work::Consume(letter) = work {
        state.waiting.push(letter.clone());
    }
}

/// Sorts what has no order, and forgets looks that count for nothing any more.
fn tidy(mut state: State) -> State {
    state.waiting.sort();
    if let [first, second] = &state.runs[..]
        && !first.minds(second)
    {
        // The order of these says which of them goes on.
    } else {
        state.runs.sort_by_cached_key(|run| {
            let mut hasher = DefaultHasher::new();
            run.hash(&mut hasher);
            hasher.finish()
        });
    }
    let contents = &state.contents;
    state.looked.retain(|order, version| {
        contents.checks.contains_key(order)
            && contents.orders.get(order).is_some_and(|order| order.version == *version)
    });
    state
}

/// Takes out of the contents what only time would tell apart. A check may come at any time, so all
/// are due; of an order's history, the product reads when the last change was, and that is `START`.
fn timeless(contents: &mut Contents) {
    for check in contents.checks.values_mut() {
        *check = (start(), 0);
    }
    for order in contents.orders.values_mut() {
        if order.history.len() > 1 || order.history.iter().any(|change| change.at != start()) {
            let last = order.history.last().map(|last| Change { at: start(), ..last.clone() });
            *order = Stored::new(Order { history: last.into_iter().collect(), ..(**order).clone() });
        }
    }
}

/// Lets no check but that order's be due, so that a look is a look at one order.
fn only(contents: &mut Contents, order: OrderId) {
    for (other, check) in &mut contents.checks {
        if *other != order {
            *check = (Timestamp::from_millis(i64::MAX), 0);
        }
    }
}
