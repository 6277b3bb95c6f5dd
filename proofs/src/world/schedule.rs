//! Everything at random, from a seed: what runs beside what, what comes twice or late or in another
//! order, what dies and what goes wrong. Then the world is left in peace, and must come to rest well.

use std::time::Duration;

use booking_gateway::desk::DEADLINE;
use booking_gateway::order::Status;
use fastrand::Rng;
use shared::topic::Topic;

use super::World;
use super::calls::{Fault, Progress, Site, Task};
use super::grounds::Ground;
use super::jobs::{Beginning, Done, Job, PAYS, REFUSED, Wish};
use super::queues::{MAX_RECEIVE_COUNT, Message};
use super::verdict::verdict;
use crate::memory::contents::OpenedPayment;

/// What a schedule did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Every step, in order; the same for the same seed.
    pub steps: Vec<String>,
    /// How many calls went wrong.
    pub faults: usize,
    /// How many handlers died.
    pub deaths: usize,
    /// How many messages were delivered twice at the same time.
    pub twins: usize,
    /// How many requests landed late.
    pub late: usize,
    /// How its orders ended.
    pub ends: Vec<Status>,
    /// Whether money was taken and given back.
    pub refunded: bool,
    /// What was wrong in the end.
    pub wrong: Vec<String>,
}

/// The most steps in peace.
const LONGEST: usize = 3_000;

/// A handler at work.
struct Running {
    job: Job,
    twin: bool,
    task: Task<Done>,
    waits: Vec<Site>,
}

struct Chaos {
    world: World,
    rng: Rng,
    ran: Ran,
    running: Vec<Running>,
    /// Whether any customer of this schedule cancels.
    cancels: bool,
}

/// Runs the schedule of that seed.
pub async fn run(ground: &mut Ground, seed: u64) -> Ran {
    let mut rng = Rng::with_seed(seed);
    let card = |rng: &mut Rng| if rng.u8(..10) < 7 { PAYS } else { REFUSED };
    let wishes: Vec<Wish> =
        (0..rng.usize(1..=3)).map(|_| Wish { card: card(&mut rng), seats: rng.u64(1..=2) }).collect();
    let deadline = if rng.bool() { DEADLINE } else { Duration::from_secs(rng.u64(300..7_200)) };
    let capacity = rng.u32(1..=4);
    let world = ground.world(seed, Beginning { capacity, wishes, deadline, seed }).await;
    let cancels = rng.bool();
    let mut chaos = Chaos { world, rng, ran: Ran::default(), running: Vec::new(), cancels };
    for _ in 0..chaos.rng.usize(20..120) {
        chaos.step().await;
    }
    chaos.peace().await;
    if !chaos.ran.wrong.is_empty() {
        ground.spoil();
    }
    chaos.ran
}

impl Chaos {
    fn note(&mut self, step: impl FnOnce() -> String) {
        self.ran.steps.push(step());
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
                self.note(|| format!("the provider is {}", if down { "down" } else { "up" }));
                self.world.bank.set_down(down);
            }
            _ => {
                let seconds =
                    if self.rng.u8(..4) == 0 { self.rng.u64(..200_000) } else { self.rng.u64(..120) };
                self.note(|| format!("{seconds} s pass"));
                self.world.clock.advance(Duration::from_secs(seconds));
            }
        }
    }

    /// One of the handlers at work makes a call, and perhaps it goes wrong.
    async fn go_on(&mut self) {
        let which = self.rng.usize(..self.running.len());
        let call = self.rng.usize(..self.running[which].waits.len());
        let site = self.running[which].waits[call];
        // The provider is called seldom, and is where money can be lost.
        let often = if site.call.starts_with("PaymentProvider") { 40 } else { 10 };
        let fault = (self.rng.u8(..100) < often).then(|| self.fault(which, site)).flatten();
        self.ran.faults += usize::from(fault.is_some());
        self.let_go(which, call, fault).await;
    }

    fn fault(&mut self, which: usize, site: Site) -> Option<Fault> {
        // What comes back too often goes to the dead-letter queue, where no handler finds it.
        let may_come_back = self.may_come_back(which);
        let harmless = |fault: &Fault| {
            may_come_back
                || site.call != "Topics::send"
                    && !matches!(fault, Fault::DiesBefore | Fault::DiesAfter | Fault::DiesInPart)
        };
        let faults: Vec<_> = site.faults().filter(harmless).collect();
        // Half of them, where a request can land late: nothing else is as hard to live with.
        if faults.contains(&Fault::LandsLater) && self.rng.bool() {
            return Some(Fault::LandsLater);
        }
        self.rng.choice(faults)
    }

    fn may_come_back(&self, which: usize) -> bool {
        let Job::Deliver(_, ids) = &self.running[which].job else { return true };
        let messages = self.world.queues.messages();
        let received =
            |message: &Message| ids.contains(&message.id) && message.received + 1 >= MAX_RECEIVE_COUNT;
        !messages.iter().any(received)
    }

    async fn let_go(&mut self, which: usize, call: usize, fault: Option<Fault>) {
        let running = &mut self.running[which];
        let site = running.waits[call];
        let step = format!("{:?}: {} {fault:?}", running.job, site.call);
        let progress = running.task.let_go(call, fault).await;
        self.note(|| step);
        self.progressed(which, progress);
    }

    fn progressed(&mut self, which: usize, progress: Progress<Done>) {
        let done = match progress {
            Progress::Waits(sites) => {
                self.running[which].waits = sites;
                return;
            }
            Progress::Done(done) => Some(done),
            Progress::Died => {
                self.ran.deaths += 1;
                None
            }
        };
        let Running { job, twin, .. } = self.running.remove(which);
        self.note(|| format!("{job:?} ends: {done:?}"));
        self.world.end(&job, done.as_ref(), twin);
    }

    async fn begin(&mut self, job: Job, twin: bool) {
        let Some(mut task) = self.world.begin(&job, twin) else { return };
        self.note(|| format!("{job:?} begins{}", if twin { ", and is delivered again" } else { "" }));
        self.ran.twins += usize::from(twin);
        let progress = task.run().await;
        self.running.push(Running { job, twin, task, waits: Vec::new() });
        self.progressed(self.running.len() - 1, progress);
    }

    /// Some of what can be received is, in any order.
    async fn deliver(&mut self) {
        let mut ready = self.world.queues.ready();
        if ready.is_empty() {
            return;
        }
        self.rng.shuffle(&mut ready);
        let topic: Topic = ready[0].topic;
        let most = self.rng.usize(1..=3);
        let ids = ready.iter().filter(|message| message.topic == topic).take(most).map(|message| message.id);
        let job = Job::Deliver(topic, ids.collect());
        let twin = self.rng.u8(..10) == 0;
        self.begin(job, twin).await;
    }

    /// A customer orders, or cancels.
    async fn ask(&mut self) {
        let customer = self.rng.usize(..self.world.customers.len());
        let job = match self.world.customers[customer].order {
            None => Job::Order(customer),
            Some(_) if self.cancels => Job::Cancel(customer),
            Some(_) => return,
        };
        self.begin(job, false).await;
    }

    /// A process dies.
    fn kill(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let which = self.rng.usize(..self.running.len());
        if self.may_come_back(which) {
            self.progressed(which, Progress::Died);
        }
    }

    fn land(&mut self) {
        let late = self.world.bank.late();
        if late > 0 {
            let which = self.rng.usize(..late);
            self.ran.late += 1;
            self.note(|| format!("late request {which} lands"));
            self.world.bank.land(which);
        }
    }

    /// Nothing goes wrong any more, but for what is under way to the provider, which lands when it
    /// likes; and every customer who has no answer asks again.
    async fn peace(&mut self) {
        self.note(|| "peace".to_owned());
        self.world.bank.set_down(false);
        while !self.running.is_empty() {
            self.let_go(0, 0, None).await;
        }
        for customer in 0..self.world.customers.len() {
            if self.world.customers[customer].order.is_none() {
                self.world.perform(&Job::Order(customer), &mut |_| None).await;
            }
        }
        for _ in 0..LONGEST {
            if self.rng.u8(..5) == 0 {
                self.land();
            }
            let batch = self.rng.usize(1..=3);
            let Some(job) = self.world.next(batch, |_| None).await else {
                self.ran.ends = self.world.orders().await.iter().map(|order| order.state.status()).collect();
                let refunded = |payment: &OpenedPayment| payment.account.refunded() > 0;
                self.ran.refunded = self.world.bank.ledger().iter().any(refunded);
                self.ran.wrong = verdict(&self.world).await;
                while self.world.bank.late() > 0 {
                    self.land();
                    // An order at rest stays as it is, whatever lands.
                    self.ran.wrong.extend(verdict(&self.world).await);
                }
                return;
            };
            self.note(|| format!("{job:?}"));
            self.world.perform(&job, &mut |_| None).await;
        }
        self.ran.wrong.push("it does not come to rest".to_owned());
    }
}
