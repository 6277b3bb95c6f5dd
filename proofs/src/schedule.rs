//! Schedules: a seed decides what runs beside what, what is delivered twice, late or in another order,
//! what dies and what goes wrong. Then the faults stop, and every order must come to rest well.

use std::time::Duration;

use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::order::Status;
use fastrand::Rng;

use crate::fault::Fault;
use crate::fixtures::{CARD_DECLINED, CARD_THAT_PAYS, DEPARTS_IN};
use crate::memory::contents::OpenedPayment;
use crate::port_call::PortCall;
use crate::simulation::Simulation;
use crate::simulation::invariants::violations;
use crate::simulation::job::{Job, JobResult, Purchase, Setup};
use crate::simulation::store_pool::StorePool;
use crate::simulation::task::{Progress, Site, Task};
use crate::simulation::topics::{MAX_RECEIVE_COUNT, QueuedMessage};

/// What a schedule did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleRun {
    /// Every step, in order; the same for the same seed.
    pub steps: Vec<String>,
    /// How many calls went wrong.
    pub faults: usize,
    /// How many handlers died.
    pub deaths: usize,
    /// How many deliveries left their messages to a second consumer at the same time.
    pub duplicates: usize,
    /// How many requests landed late.
    pub late: usize,
    /// How its orders ended.
    pub ends: Vec<Status>,
    /// Whether money was refunded.
    pub refunded: bool,
    /// What was wrong at the end.
    pub violations: Vec<String>,
}

/// The most jobs after the faults have stopped.
const MOST_JOBS: usize = 3_000;

/// A job whose handler is at work.
struct RunningJob {
    job: Job,
    duplicate: bool,
    task: Task<JobResult>,
    waits: Vec<Site>,
}

struct Schedule {
    simulation: Simulation,
    rng: Rng,
    run: ScheduleRun,
    running: Vec<RunningJob>,
    /// Whether customers of this schedule cancel.
    cancels: bool,
}

/// Runs the schedule of that seed.
pub async fn run(pool: &mut StorePool, seed: u64) -> ScheduleRun {
    let mut rng = Rng::with_seed(seed);
    let card = |rng: &mut Rng| if rng.u8(..10) < 7 { CARD_THAT_PAYS } else { CARD_DECLINED };
    let purchase = |rng: &mut Rng| {
        let (card, seats) = (card(rng), rng.u64(1..=2));
        // One in eight expects another price, or the right one.
        let expected = match rng.u8(..8) {
            0 => Some(1),
            1 => Some(12_950 * seats),
            _ => None,
        };
        Purchase { card, seats, expected }
    };
    let purchases: Vec<Purchase> = (0..rng.usize(1..=3)).map(|_| purchase(&mut rng)).collect();
    let deadline = if rng.bool() {
        DeadlinePolicy::default().deadline
    } else {
        Duration::from_secs(rng.u64(300..7_200))
    };
    let capacity = rng.u32(1..=4);
    let departs_in = if rng.u8(..4) == 0 { Duration::from_secs(rng.u64(60..200_000)) } else { DEPARTS_IN };
    let simulation = pool.simulation(seed, Setup { capacity, departs_in, purchases, deadline, seed }).await;
    let cancels = rng.bool();
    let mut schedule =
        Schedule { simulation, rng, run: ScheduleRun::default(), running: Vec::new(), cancels };
    for _ in 0..schedule.rng.usize(20..120) {
        schedule.step().await;
    }
    schedule.settle().await;
    if !schedule.run.violations.is_empty() {
        pool.discard_stores();
    }
    schedule.run
}

impl Schedule {
    fn note(&mut self, step: impl Into<String>) {
        self.run.steps.push(step.into());
    }

    async fn step(&mut self) {
        match self.rng.u8(..100) {
            0..50 if !self.running.is_empty() => self.go_on().await,
            0..78 => self.deliver().await,
            78..84 => self.ask().await,
            84..88 => self.begin(Job::Reconcile, false).await,
            88..90 => self.kill(),
            90..94 => self.land(),
            94..96 => {
                let down = self.rng.bool();
                self.note(format!("the provider is {}", if down { "down" } else { "up" }));
                self.simulation.provider.set_down(down);
            }
            _ => {
                let seconds =
                    if self.rng.u8(..4) == 0 { self.rng.u64(..200_000) } else { self.rng.u64(..120) };
                self.note(format!("{seconds} s pass"));
                self.simulation.clock.advance(Duration::from_secs(seconds));
            }
        }
    }

    /// One of the handlers at work makes its next call, which may go wrong.
    async fn go_on(&mut self) {
        let which = self.rng.usize(..self.running.len());
        let call = self.rng.usize(..self.running[which].waits.len());
        let site = self.running[which].waits[call];
        // The provider is called seldom, and is where money can be lost.
        let percent = if site.call.is_to_the_provider() { 40 } else { 10 };
        let fault = (self.rng.u8(..100) < percent).then(|| self.fault(which, site)).flatten();
        self.run.faults += usize::from(fault.is_some());
        self.resume(which, call, fault).await;
    }

    fn fault(&mut self, which: usize, site: Site) -> Option<Fault> {
        // A message that is redelivered too often is dead-lettered, and no handler finds it any more.
        let may_be_redelivered = self.may_be_redelivered(which);
        let harmless =
            |fault: &Fault| may_be_redelivered || site.call != PortCall::TOPICS_SEND && !fault.is_deadly();
        let faults: Vec<_> = site.faults().filter(harmless).collect();
        // Half of the faults, where a request can land late: no other is as hard to live with.
        if faults.contains(&Fault::LandsLater) && self.rng.bool() {
            return Some(Fault::LandsLater);
        }
        self.rng.choice(faults)
    }

    fn may_be_redelivered(&self, which: usize) -> bool {
        let Job::Deliver(_, ids) = &self.running[which].job else { return true };
        let messages = self.simulation.topics.messages();
        let exhausted =
            |message: &QueuedMessage| ids.contains(&message.id) && message.received + 1 >= MAX_RECEIVE_COUNT;
        !messages.iter().any(exhausted)
    }

    async fn resume(&mut self, which: usize, call: usize, fault: Option<Fault>) {
        let running = &mut self.running[which];
        let step = format!("{:?}: {} {fault:?}", running.job, running.waits[call].call);
        let progress = running.task.resume(call, fault).await;
        self.note(step);
        self.progressed(which, progress);
    }

    fn progressed(&mut self, which: usize, progress: Progress<JobResult>) {
        let result = match progress {
            Progress::Waits(sites) => {
                self.running[which].waits = sites;
                return;
            }
            Progress::Done(result) => Some(result),
            Progress::Died => {
                self.run.deaths += 1;
                None
            }
        };
        let RunningJob { job, duplicate, .. } = self.running.remove(which);
        self.note(format!("{job:?} ends: {result:?}"));
        self.simulation.end(&job, result.as_ref(), duplicate);
    }

    async fn begin(&mut self, job: Job, duplicate: bool) {
        let Some(mut task) = self.simulation.begin(&job, duplicate) else { return };
        self.note(format!("{job:?} begins{}", if duplicate { ", and may be delivered again" } else { "" }));
        self.run.duplicates += usize::from(duplicate);
        let progress = task.run().await;
        self.running.push(RunningJob { job, duplicate, task, waits: Vec::new() });
        self.progressed(self.running.len() - 1, progress);
    }

    /// Delivers some of what can be received, in any order.
    async fn deliver(&mut self) {
        let mut ready = self.simulation.topics.ready();
        if ready.is_empty() {
            return;
        }
        self.rng.shuffle(&mut ready);
        let topic = ready[0].topic;
        let most = self.rng.usize(1..=3);
        let ids = ready.iter().filter(|message| message.topic == topic).take(most).map(|message| message.id);
        let job = Job::Deliver(topic, ids.collect());
        let duplicate = self.rng.u8(..10) == 0;
        self.begin(job, duplicate).await;
    }

    /// A customer orders, or cancels.
    async fn ask(&mut self) {
        let customer = self.rng.usize(..self.simulation.customers.len());
        let job = match self.simulation.customers[customer].order {
            None => Job::Order(customer),
            Some(_) if self.cancels => Job::Cancel(customer),
            Some(_) => return,
        };
        self.begin(job, false).await;
    }

    /// The process of one of the handlers at work dies.
    fn kill(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let which = self.rng.usize(..self.running.len());
        if self.may_be_redelivered(which) {
            self.progressed(which, Progress::Died);
        }
    }

    /// One of the late requests lands.
    fn land(&mut self) {
        let late = self.simulation.provider.late_requests();
        if late > 0 {
            let which = self.rng.usize(..late);
            self.run.late += 1;
            self.note(format!("late request {which} lands"));
            self.simulation.provider.land(which);
        }
    }

    /// The faults stop. Late requests still land at any time, and every customer without an answer asks
    /// again.
    async fn settle(&mut self) {
        self.note("the faults stop");
        self.simulation.provider.set_down(false);
        while !self.running.is_empty() {
            self.resume(0, 0, None).await;
        }
        for customer in 0..self.simulation.customers.len() {
            if self.simulation.customers[customer].order.is_none() {
                self.simulation.perform(&Job::Order(customer), &mut |_| None).await;
            }
        }
        for _ in 0..MOST_JOBS {
            if self.rng.u8(..5) == 0 {
                self.land();
            }
            let batch = self.rng.usize(1..=3);
            let Some(job) = self.simulation.next(batch, |_| None).await else {
                return self.check().await;
            };
            self.note(format!("{job:?}"));
            self.simulation.perform(&job, &mut |_| None).await;
        }
        self.run.violations.push("it does not come to rest".to_owned());
    }

    async fn check(&mut self) {
        let orders = self.simulation.orders().await;
        self.run.ends = orders.iter().map(|order| order.state.status()).collect();
        let refunded = |payment: &OpenedPayment| payment.account.refunded() > 0;
        self.run.refunded = self.simulation.provider.ledger().iter().any(refunded);
        self.run.violations = violations(&self.simulation).await;
        // A late request must not change an order that is at rest.
        while self.simulation.provider.late_requests() > 0 {
            self.land();
            self.run.violations.extend(violations(&self.simulation).await);
        }
    }
}
