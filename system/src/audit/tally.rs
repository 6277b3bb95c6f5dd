//! The audit, kept: what each order adds to its result, so that an order that changed replaces its own part alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use billing_service::provider::ProviderName;
use messaging::store::StoreError;
use protocol::flight::FlightId;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use ticket_service::flight::Offer;

use super::{Auditor, Case, Discrepancy, OVERLOOKED, Part, Parts, row};

/// At most of so many of the orders that differ it is kept how, and so many are looked at again each time.
const DIFFERING: usize = 1_000;

/// What an audit found so far, order by order. Of an order that is settled and as expected it keeps its [`Part`] alone.
///
/// It is exact: after a look it is what a full audit of the same moment would find, if since the look before every order
/// that changed, and every order that is [due](Tally::due), was given again.
#[derive(Debug)]
pub struct Tally {
    auditor: Auditor,
    /// Of every order that is known to the gateway or holds seats.
    parts: Box<dyn Parts>,
    orders: usize,
    flights: HashMap<FlightId, u32>,
    /// The seats held on each flight.
    held: Vec<u64>,
    /// How many differences each order has, if any.
    differing: HashMap<OrderId, usize>,
    /// What they are, of some.
    described: BTreeMap<OrderId, Vec<Discrepancy>>,
    /// The unsettled orders that will be overlooked at that moment, if no message is left about them.
    waiting: BTreeSet<(Timestamp, OrderId)>,
    overlooked_at: HashMap<OrderId, Timestamp>,
    /// Differences that are about no order.
    elsewhere: Vec<Discrepancy>,
}

impl Tally {
    /// An empty one, for orders that are audited against the ledgers of these providers. `parts` is empty too.
    pub fn new(books: BTreeSet<ProviderName>, parts: Box<dyn Parts>) -> Self {
        Self {
            auditor: Auditor::new(books, Timestamp::from_millis(0)),
            parts,
            orders: 0,
            flights: HashMap::new(),
            held: Vec::new(),
            differing: HashMap::new(),
            described: BTreeMap::new(),
            waiting: BTreeSet::new(),
            overlooked_at: HashMap::new(),
            elsewhere: Vec::new(),
        }
    }

    /// Begins a look at the moment `now`. What is about no order is given anew at each look.
    pub fn begin(&mut self, now: Timestamp) {
        self.auditor.now = now;
        self.elsewhere.clear();
    }

    /// The orders that must be looked at although they did not change: those that time alone may have made different, and
    /// some of those that differ, since a difference may be mended where no one tells of it.
    pub fn due(&self, now: Timestamp) -> BTreeSet<OrderId> {
        let overlooked = self.waiting.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id);
        overlooked.chain(self.differing.keys().copied().take(DIFFERING)).collect()
    }

    /// Whether an order would differ if no message about it were in a topic. If not, its messages need not be counted: a
    /// message takes differences away, and adds none.
    pub fn is_suspect(&mut self, id: OrderId, case: &Case) -> bool {
        !self.judge(id, case).is_empty()
    }

    /// Replaces what is known of an order.
    ///
    /// # Errors
    /// Its part cannot be kept. The tally is of no use any more.
    pub fn case(&mut self, id: OrderId, case: &Case) -> Result<(), StoreError> {
        self.forget(id);
        let found = self.judge(id, case);
        if !found.is_empty() {
            self.differing.insert(id, found.len());
            if self.described.len() < DIFFERING {
                self.described.insert(id, found);
            }
        }
        if let Some(order) = case.order.as_ref().filter(|order| !order.state.is_settled()) {
            let at = order.updated_at() + OVERLOOKED;
            if at > self.auditor.now {
                self.waiting.insert((at, id));
                self.overlooked_at.insert(id, at);
            }
        }
        let (is_order, held) = (case.order.is_some(), row::held(case));
        let (flight, seats) = held.map_or((0, 0), |(flight, seats)| (self.number(flight), seats.get()));
        let part = (is_order || seats > 0).then_some(Part { is_order, seats, flight });
        if let Some(before) = self.parts.replace(id, part)? {
            self.orders -= usize::from(before.is_order);
            if let Some(held) = self.held.get_mut(before.flight as usize) {
                *held -= u64::from(before.seats);
            }
        }
        self.orders += usize::from(is_order);
        if let Some(held) = self.held.get_mut(flight as usize) {
            *held += u64::from(seats);
        }
        Ok(())
    }

    /// A dead letter that names no order.
    pub fn nameless_dead_letter(&mut self, topic: Topic, failure: &str) {
        self.auditor.nameless_dead_letter(topic, failure);
        let found = self.found();
        self.elsewhere.extend(found);
    }

    /// The flights, read at the same moment as the orders.
    pub fn flights(&mut self, offers: &[Offer]) {
        for offer in offers {
            let number = self.flights.get(&offer.flight.id);
            let held = number.and_then(|number| self.held.get(*number as usize)).copied();
            self.auditor.flight(offer, held.unwrap_or_default());
        }
        let found = self.found();
        self.elsewhere.extend(found);
    }

    /// How many orders were given.
    pub fn orders(&self) -> usize {
        self.orders
    }

    /// How many differences there are.
    pub fn differences(&self) -> usize {
        self.differing.values().sum::<usize>() + self.elsewhere.len()
    }

    /// Some of the differences: those about no order first.
    pub fn described(&self) -> impl Iterator<Item = &Discrepancy> {
        self.elsewhere.iter().chain(self.described.values().flatten())
    }

    /// Takes away what was found about an order.
    fn forget(&mut self, id: OrderId) {
        self.differing.remove(&id);
        self.described.remove(&id);
        if let Some(at) = self.overlooked_at.remove(&id) {
            self.waiting.remove(&(at, id));
        }
    }

    /// The differences of that order.
    fn judge(&mut self, id: OrderId, case: &Case) -> Vec<Discrepancy> {
        self.auditor.judge(id, case);
        self.found()
    }

    fn found(&mut self) -> Vec<Discrepancy> {
        std::mem::take(&mut self.auditor.audit.discrepancies)
    }

    fn number(&mut self, flight: &FlightId) -> u32 {
        if let Some(number) = self.flights.get(flight) {
            return *number;
        }
        let number = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        self.flights.insert(flight.clone(), number);
        self.held.push(0);
        number
    }
}
