//! The fault matrix: stories of customers, each told again and again with one more thing going
//! wrong, at every call and in every way.

use std::time::Duration;

use booking_gateway::order::Status;
use shared::time::Timestamp;
use shared::topic::Topic;

use super::calls::{Fault, Site};
use super::grounds::Ground;
use super::jobs::{Beginning, Job, PAYS, REFUSED, Wish};
use super::verdict::verdict;
use super::{World, beginning};

/// A story.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The seats of the flight.
    capacity: u32,
    /// What each customer wishes.
    wishes: Vec<Wish>,
    /// The first customer cancels as soon as the order stands there.
    cancels_at: Option<Status>,
    /// How many minutes an order may take; the deployment's choice.
    deadline: u64,
    /// A consumer that is away for the first minutes.
    away: Option<(Topic, u64)>,
    /// For how many of the first minutes the provider is down.
    provider_down: u64,
    /// How the first captures go.
    captures: &'static [Fault],
    /// How many messages are delivered at once.
    batch: usize,
    /// How the orders end.
    pub ends: &'static [Status],
}

impl Scenario {
    fn new(name: &'static str, card: &'static str, ends: &'static [Status]) -> Self {
        Self {
            name,
            capacity: 9,
            wishes: vec![Wish { card, seats: 2 }],
            cancels_at: None,
            deadline: 48 * 60,
            away: None,
            provider_down: 0,
            captures: &[],
            batch: 1,
            ends,
        }
    }

    fn together(name: &'static str, capacity: u32, ends: &'static [Status]) -> Self {
        let wishes = vec![Wish { card: PAYS, seats: 1 }, Wish { card: PAYS, seats: 1 }];
        Self { capacity, wishes, batch: 10, ..Self::new(name, PAYS, ends) }
    }
}

/// All stories.
pub fn all() -> Vec<Scenario> {
    use Status::{Cancelled, Confirmed, PaymentDeclined, Rejected};
    let cancelled = |name, at| Scenario { cancels_at: Some(at), ..Scenario::new(name, PAYS, &[Cancelled]) };
    let away = |name, topic, minutes, ends| Scenario {
        // The reconciler finds such an order expired when it looks after 2 h 7 min.
        deadline: 10,
        away: Some((topic, minutes)),
        ..Scenario::new(name, PAYS, ends)
    };
    vec![
        Scenario::new("booked", PAYS, &[Confirmed]),
        Scenario { capacity: 1, ..Scenario::new("sold out", PAYS, &[Rejected]) },
        Scenario::new("declined", REFUSED, &[PaymentDeclined]),
        cancelled("cancelled at once", Status::Pending),
        cancelled("cancelled while the charge waits", Status::TicketsReserved),
        cancelled("cancelled when confirmed", Status::Confirmed),
        away("expired while tickets was away", Topic::Tickets, 130, &[Cancelled]),
        away("expired while billing was away", Topic::Billing, 130, &[Cancelled]),
        away("charged after the deadline", Topic::Billing, 11, &[Cancelled]),
        away("the deadline passed while order-updates was away", Topic::OrderUpdates, 130, &[Cancelled]),
        away("order-updates was away for a while", Topic::OrderUpdates, 5, &[Confirmed]),
        Scenario {
            provider_down: 1,
            ..Scenario::new("the provider was down for a while", PAYS, &[Confirmed])
        },
        Scenario {
            captures: &[Fault::ReplyLost],
            ..Scenario::new("the outcome was unknown, and it was captured", PAYS, &[Confirmed])
        },
        Scenario {
            captures: &[Fault::LandsLater],
            ..Scenario::new("the outcome was unknown, and the capture landed late", PAYS, &[Confirmed])
        },
        Scenario {
            captures: &[Fault::LandsLater],
            cancels_at: Some(Status::TicketsReserved),
            ..Scenario::new("cancelled while a capture was under way", PAYS, &[Cancelled])
        },
        Scenario::together("two at once, in batches", 9, &[Confirmed, Confirmed]),
        Scenario::together("two for the last seat", 1, &[Confirmed, Rejected]),
    ]
}

impl Scenario {
    /// Whether the reconciler looks at its order again and again, which makes it long.
    pub fn is_long(&self) -> bool {
        self.deadline < 60
    }
}

/// How a story went.
#[derive(Debug, Default)]
pub struct Told {
    /// Every call, in order, with what it was made for.
    pub sites: Vec<(String, Site)>,
    /// What was wrong in the end.
    pub wrong: Vec<String>,
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// The most that may happen in one story.
const LONGEST: usize = 2_000;

/// Tells a story in a world of that number, in which, if that is given, the call of that number goes wrong like that.
pub async fn tell(
    ground: &mut Ground,
    number: u64,
    scenario: &Scenario,
    fault: Option<(usize, Fault)>,
) -> Told {
    let mut world = ground
        .world(
            number,
            Beginning {
                capacity: scenario.capacity,
                wishes: scenario.wishes.clone(),
                deadline: minutes(scenario.deadline),
                seed: 1,
            },
        )
        .await;
    world.bank.plan_captures(scenario.captures);
    let mut told = Told::default();
    let mut steps = 0;
    loop {
        steps += 1;
        if steps > LONGEST {
            told.wrong.push("it does not come to rest".to_owned());
            break;
        }
        let Some(job) = what_next(&mut world, scenario).await else {
            finish(&world, scenario, &mut told).await;
            mails(&world, fault.is_none(), &mut told);
            break;
        };
        let down = minutes(scenario.provider_down);
        world.bank.set_down(world.now() < beginning() + down);
        let label = label(&world, &job);
        world
            .perform(&job, &mut |site| {
                told.sites.push((label.clone(), site));
                fault.filter(|(at, _)| *at == told.sites.len() - 1).map(|(_, fault)| fault)
            })
            .await;
    }
    if !told.wrong.is_empty() {
        ground.spoil();
    }
    told
}

async fn what_next(world: &mut World, scenario: &Scenario) -> Option<Job> {
    for customer in 0..world.customers.len() {
        if world.customers[customer].order.is_none() {
            return Some(Job::Order(customer));
        }
    }
    if scenario.cancels_at.is_some()
        && !world.customers[0].told
        && world.status(0).await == scenario.cancels_at
    {
        return Some(Job::Cancel(0));
    }
    let away = |topic| {
        let away = scenario.away.filter(|away| away.0 == topic);
        away.map(|(_, until)| beginning() + minutes(until))
    };
    let before: Timestamp = world.now();
    let job = world.next(scenario.batch, away).await;
    // What is on its way to the provider arrives while time passes.
    while world.bank.late() > 0 && (job.is_none() || world.now() > before) {
        world.bank.land(0);
    }
    job
}

async fn finish(world: &World, scenario: &Scenario, told: &mut Told) {
    told.wrong.extend(verdict(world).await);
    let mut ends = Vec::new();
    for customer in 0..world.customers.len() {
        ends.extend(world.status(customer).await);
    }
    ends.sort_by_key(|status| status.name());
    if ends != scenario.ends {
        told.wrong.push(format!("it ended {ends:?}"));
    }
}

/// No mail is of an earlier step than one before it; and when all goes well, none comes twice.
fn mails(world: &World, all_well: bool, told: &mut Told) {
    let delivered = world.outbox.delivered();
    for (order, outcome) in &delivered {
        let of_order = || delivered.iter().filter(|(about, _)| about == order).map(|(_, outcome)| outcome);
        let in_order = of_order().is_sorted_by_key(|outcome| outcome.step());
        if !in_order || all_well && of_order().filter(|told| *told == outcome).count() > 1 {
            told.wrong.push(format!("order {order}: mailed {:?}", of_order().collect::<Vec<_>>()));
        }
    }
}

/// What a job is about, for whoever reads of it.
fn label(world: &World, job: &Job) -> String {
    match job {
        Job::Deliver(_, ids) => {
            let messages = world.queues.messages();
            let kinds = messages.iter().filter(|message| ids.contains(&message.id)).map(super::queues::kind);
            kinds.collect::<Vec<_>>().join(" + ")
        }
        Job::Order(_) => "POST".to_owned(),
        Job::Cancel(_) => "DELETE".to_owned(),
        Job::Reconcile => "the reconciler".to_owned(),
    }
}
