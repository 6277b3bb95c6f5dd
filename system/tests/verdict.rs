//! The verdict stays fresh, and reads what changed alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use billing_service::provider::ProviderName;
use booking_gateway::order::{Order, Status};
use messaging::clock::{Clock, ManualClock};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use support::{FLIGHTS, at, confirmed, id, offers, pending, tally};
use system::audit::{Audit, Case, Snapshot, Tally, audit};
use system::journal::Journal;
use system::verdict::{Verdict, Verdicts};
use system::view::{
    Changed, DeadLetter, Filter, LetterId, Local, Page, PageError, Paged, Provider, Switches, TopicState,
    View, Watched,
};
use tokio::sync::watch;

/// A platform in memory, which counts how it is read.
struct Memory {
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cases: BTreeMap<OrderId, Case>,
    changed: BTreeSet<OrderId>,
    too_many: bool,
    /// How many full audits there were, how many looks, and how many cases these read.
    full: usize,
    looks: usize,
    read: usize,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes a case, and tells of it.
    fn change(&self, number: u64, case: Case) {
        let mut state = self.state();
        state.cases.insert(id(number), case);
        state.changed.insert(id(number));
    }
}

#[async_trait]
impl Watched for Memory {
    async fn audit_all(&self) -> Result<Tally, StoreError> {
        let (mut tally, mut state) = (tally(), self.state());
        state.full += 1;
        tally.begin(self.clock.now());
        for (id, case) in &state.cases {
            tally.case(*id, case)?;
        }
        tally.flights(&offers(state.cases.values()));
        Ok(tally)
    }

    async fn audit_changed(&self, mut tally: Tally, also: BTreeSet<OrderId>) -> Result<Changed, StoreError> {
        let mut state = self.state();
        if std::mem::take(&mut state.too_many) {
            state.changed.clear();
            return Ok(Changed::TooMany);
        }
        let now = self.clock.now();
        let changed = std::mem::take(&mut state.changed);
        let all: BTreeSet<_> = changed.iter().copied().chain(also).chain(tally.due(now)).collect();
        state.looks += 1;
        state.read += all.len();
        tally.begin(now);
        for id in all {
            tally.case(id, &state.cases.get(&id).cloned().unwrap_or_default())?;
        }
        tally.flights(&offers(state.cases.values()));
        Ok(Changed::These(Box::new(tally), changed))
    }
}

#[async_trait]
impl View for Memory {
    fn platform(&self) -> &'static str {
        "memory"
    }

    async fn topics(&self) -> Result<Vec<(Topic, TopicState)>, StoreError> {
        Ok(Vec::new())
    }

    async fn orders_by_status(&self) -> Result<Vec<(Status, u64)>, StoreError> {
        Ok(Vec::new())
    }

    async fn orders(&self, _: Filter, _: &Page) -> Result<Paged<Order>, PageError> {
        Ok(Paged { items: Vec::new(), next: None })
    }

    async fn case(&self, order: OrderId) -> Result<Case, StoreError> {
        Ok(self.state().cases.get(&order).cloned().unwrap_or_default())
    }

    async fn audit(&self) -> Result<Audit, StoreError> {
        let state = self.state();
        let (cases, flights) = (state.cases.clone(), offers(state.cases.values()));
        let (nameless_dead_letters, books) = (Vec::new(), self.books());
        Ok(audit(&Snapshot { cases, flights, nameless_dead_letters, books }, self.clock.now()))
    }

    fn watched(&self) -> Option<&dyn Watched> {
        Some(self)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(Vec::new())
    }

    async fn redrive(&self, _: Option<LetterId>) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn discard(&self, _: LetterId, _: &str) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn provider(&self) -> Provider<'_> {
        Provider::Unbreakable
    }

    fn books(&self) -> BTreeSet<ProviderName> {
        BTreeSet::from([ProviderName::SIMULATED])
    }

    fn journal(&self) -> Option<&Journal> {
        None
    }

    fn switches(&self) -> Option<&dyn Switches> {
        None
    }

    fn local(&self) -> Option<&dyn Local> {
        None
    }
}

/// The verdict of a system of these cases, kept fresh until the sender is dropped.
async fn watched(cases: impl IntoIterator<Item = Case>) -> (Arc<Memory>, Verdicts, watch::Sender<()>) {
    let clock = Arc::new(ManualClock::at(at(0)));
    let cases = cases.into_iter().map(|case| (case.order.as_ref().unwrap().id, case)).collect();
    let state = Mutex::new(State { cases, ..State::default() });
    let memory = Arc::new(Memory { clock: clock.clone(), state });
    let verdicts = Verdicts::of(memory.clone(), clock);
    assert_eq!(verdicts.verdict().await.unwrap().at, None, "nothing is known yet");
    let (end, ended) = watch::channel(());
    tokio::spawn(verdicts.clone().keep_fresh(ended));
    assert!(verdicts.verdict().await.unwrap().at.is_some());
    (memory, verdicts, end)
}

/// Waits until the verdict has so many differences.
async fn becomes(verdicts: &Verdicts, differences: usize) -> Verdict {
    for _ in 0..100 {
        let verdict = verdicts.verdict().await.unwrap();
        if verdict.differences == differences {
            return verdict;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the verdict has not {differences} differences");
}

/// Waits until there were so many looks more, and answers how many cases they read.
async fn read_in(memory: &Memory, verdicts: &Verdicts, looks: usize) -> usize {
    let (before, read) = {
        let state = memory.state();
        (state.looks, state.read)
    };
    while memory.state().looks < before + looks {
        verdicts.verdict().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    memory.state().read - read
}

fn settled(count: u64) -> impl Iterator<Item = Case> {
    (0..count).map(|number| confirmed(number, FLIGHTS[0], 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_read_again() {
    let (memory, verdicts, _end) = watched(settled(1_000)).await;
    assert_eq!(verdicts.verdict().await.unwrap().checked, 1_000);
    read_in(&memory, &verdicts, 1).await;
    assert_eq!(read_in(&memory, &verdicts, 2).await, 0, "nothing changed");
    memory.change(7, Case { payment: None, ..confirmed(7, FLIGHTS[0], 1) });
    memory.change(1_000, confirmed(1_000, FLIGHTS[1], 3));
    let verdict = becomes(&verdicts, 1).await;
    assert_eq!((verdict.checked, verdict.at), (1_001, Some(at(0))));
    memory.change(7, confirmed(7, FLIGHTS[0], 2));
    becomes(&verdicts, 0).await;
    let state = memory.state();
    assert!(state.read < 20, "{} cases were read", state.read);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_wait_are_not_read_again_until_time_may_make_them_differ() {
    let (memory, verdicts, _end) = watched((0..1_000).map(|number| pending(number, 0, 1))).await;
    read_in(&memory, &verdicts, 1).await;
    assert_eq!(read_in(&memory, &verdicts, 2).await, 0);
    // The message of one is lost, and no one tells.
    memory.state().cases.insert(id(3), pending(3, 0, 0));
    memory.clock.advance(Duration::from_secs(180));
    becomes(&verdicts, 1).await;
    read_in(&memory, &verdicts, 1).await;
    assert_eq!(read_in(&memory, &verdicts, 2).await, 2, "the one that differs, twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_behind_its_back_is_found_by_a_full_audit() {
    let (memory, verdicts, _end) = watched(settled(10)).await;
    memory.state().cases.insert(id(3), Case { mailed: None, ..confirmed(3, FLIGHTS[0], 1) });
    assert_eq!(verdicts.audit().await.unwrap().discrepancies.len(), 1, "an operator asks");
    read_in(&memory, &verdicts, 1).await;
    assert_eq!(verdicts.verdict().await.unwrap().differences, 1, "and it stays known");
    memory.state().cases.insert(id(4), Case { mailed: None, ..confirmed(4, FLIGHTS[0], 1) });
    becomes(&verdicts, 2).await;
    assert!(memory.state().full >= 2, "the background found it");
}

#[tokio::test(flavor = "multi_thread")]
async fn if_too_many_change_everything_is_audited_again() {
    let (memory, verdicts, _end) = watched(settled(10)).await;
    let full = memory.state().full;
    memory.change(3, Case { mailed: None, ..confirmed(3, FLIGHTS[0], 1) });
    memory.state().too_many = true;
    assert_eq!(becomes(&verdicts, 1).await.checked, 10);
    assert!(memory.state().full > full);
}
