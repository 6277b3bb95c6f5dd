//! What a step makes of the world.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use booking_gateway::order::{Change, Order};
use shared::ids::OrderId;
use shared::time::Timestamp;

use super::running::{Next, Product, Progress, Situation, start};
use super::state::{Run, State, Work};
use super::stories::{Bounds, Story};
use crate::memory::contents::{Contents, Stored};
use crate::memory::provider::land;
use crate::memory::script::Fault;

/// The product among customers, crashes, and a network that keeps no order.
pub struct Booking {
    pub(super) stories: Vec<Story>,
    pub(super) bounds: Bounds,
    product: Product,
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
    fn run_on(&self, state: &State, run: &Run, fault: Option<Fault>) -> Option<State> {
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

    /// Has a handler begin, and make its first call.
    pub(super) fn begin(&self, state: &State, work: Work, fault: Option<Fault>, copy: bool) -> Option<State> {
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
        self.run_on(&begun, &Run { work, answers: Vec::new(), next: "", well: true }, fault)
    }

    /// Has the handler in that place make its next call.
    pub(super) fn go(&self, state: &State, place: usize, fault: Option<Fault>) -> Option<State> {
        let mut rest = state.clone();
        let run = rest.runs.remove(place);
        self.run_on(&rest, &run, fault)
    }
}

impl State {
    /// The handler in that place is no more; what it did is done.
    pub(super) fn after_crash(&self, place: usize) -> State {
        let mut next = self.clone();
        let run = next.runs.remove(place);
        next.left.faults -= 1;
        again(&mut next, &run.work);
        tidy(next)
    }

    /// That request has landed at the provider.
    pub(super) fn after_landing(&self, place: usize) -> State {
        let mut next = self.clone();
        let late = next.contents.late.remove(place);
        land(&mut next.contents, &late);
        next
    }

    /// The next phase has begun.
    pub(super) fn after_a_while(&self) -> State {
        State { phase: self.phase.next(), ..self.clone() }
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
