//! The cost of one booking: calls to AWS, and DynamoDB's write and read units, from its `POST` to
//! the mail. Init and polls that find nothing are not counted; a batch's receive and delete are, by
//! the event source mapping's contract: one call each.

use std::fs;
use std::path::Path;

use localstack::call::Call;
use localstack::cloud::lock;
use localstack::stack::Stack;
use protocol::topic::Topic;

/// The cost of a step.
#[derive(Clone, Copy, Default)]
struct Cost {
    sqs: usize,
    dynamodb: usize,
    ses: usize,
    /// Calls and write units of the simulated provider's ledger; there are none with Stripe.
    provider: usize,
    provider_units: f64,
    write_units: f64,
    read_units: f64,
}

impl Cost {
    fn add(&mut self, call: &Call) {
        let books = call.simulated_provider;
        match call.service {
            _ if books => {
                self.provider += 1;
                self.provider_units += call.write_units;
                return;
            }
            "sqs" => self.sqs += 1,
            "dynamodb" => self.dynamodb += 1,
            "ses" => self.ses += 1,
            other => panic!("{other} is not called for a booking"),
        }
        self.write_units += call.write_units;
        self.read_units += call.read_units;
    }

    fn calls(self) -> usize {
        self.sqs + self.dynamodb + self.ses
    }

    fn plus(self, other: Self) -> Self {
        Self {
            sqs: self.sqs + other.sqs,
            dynamodb: self.dynamodb + other.dynamodb,
            ses: self.ses + other.ses,
            provider: self.provider + other.provider,
            provider_units: self.provider_units + other.provider_units,
            write_units: self.write_units + other.write_units,
            read_units: self.read_units + other.read_units,
        }
    }
}

/// What a booking costs, step by step: what has become cheaper or dearer shows in the file's diff.
const COST: &str = include_str!("golden/cost-of-a-booking.txt");

/// Books, and follows the messages step by step in the largest batches; answers the cost of each step, in
/// order.
async fn book(stack: &Stack, bookings: usize) -> Vec<(&'static str, Cost)> {
    let taken = || {
        let mut cost = Cost::default();
        lock(&stack.cloud.calls).drain(..).for_each(|call| cost.add(&call));
        cost
    };
    lock(&stack.cloud.calls).clear();
    let mut steps = Vec::new();
    for _ in 0..bookings {
        stack.book("OS-900", 1, "pm_card_visa").await;
    }
    steps.push(("accept", taken()));
    loop {
        let before = steps.len();
        for topic in Topic::ALL {
            let delivered = stack.deliver(topic, 10).await;
            if delivered > 0 {
                assert_eq!(delivered, bookings, "{topic}: one batch");
                let mut cost = taken();
                // The mapping receives the batch, and deletes it.
                cost.sqs += 2;
                steps.push((topic.name(), cost));
            }
        }
        if steps.len() == before {
            break;
        }
    }
    assert_eq!(lock(&stack.cloud.mails).drain(..).count(), bookings);
    steps
}

/// List prices of AWS, in dollars a million: docs/AWS.md says where and when.
mod price {
    /// One request to a REST API.
    pub(crate) const API: f64 = 3.5;
    /// One request to SQS.
    pub(crate) const SQS: f64 = 0.4;
    /// One write unit of DynamoDB, on demand.
    pub(crate) const WRITE_UNIT: f64 = 0.625;
    /// One read unit.
    pub(crate) const READ_UNIT: f64 = 0.125;
    /// One invocation of Lambda: the request, and 20 ms at 256 MB on arm64.
    pub(crate) const INVOCATION: f64 = 0.2 + 0.02 * 0.25 * 13.3334;
    /// One mail by SES.
    pub(crate) const MAIL: f64 = 100.0;
    /// One KB of logs, ingested, and kept for a month.
    pub(crate) const LOG_KB: f64 = 0.5 + 0.03;
}

/// The five batches of a booking, and its `POST`, if so many are in a batch.
fn invocations(batch: f64) -> f64 {
    1.0 + 5.0 / batch
}

/// What a million bookings cost in dollars, without mails, polls and logs.
fn million(bookings: usize, steps: &[(&str, Cost)], more_write_units: f64) -> f64 {
    let sum = steps.iter().fold(Cost::default(), |sum, (_, cost)| sum.plus(*cost));
    let per = |number: f64| number / bookings as f64;
    price::API
        + price::SQS * per(sum.sqs as f64)
        + price::WRITE_UNIT * (per(sum.write_units) + more_write_units)
        + price::READ_UNIT * per(sum.read_units)
        + price::INVOCATION * invocations(bookings as f64)
}

/// Dollars and cents, a half rounded up.
fn dollars(amount: f64) -> String {
    format!("${:.2}", (amount * 100.0 + 0.5 + 1e-6).floor() / 100.0)
}

/// Whole dollars, in groups of three digits.
fn whole_dollars(amount: f64) -> String {
    let digits = format!("{amount:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    format!("${}", groups.join(","))
}

fn page(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    fs::read_to_string(root.join(name)).expect("a page of the repository")
}

/// The table of the steps, per booking.
fn table(bookings: usize, steps: &[(&str, Cost)]) -> String {
    let per = |number: f64| number / bookings as f64;
    let line = |step: &str, cost: &Cost| {
        format!(
            "{step:<16}{:>6.1}{:>10.1}{:>6.1}{:>7.1}{:>13.1}{:>12.1}\n",
            per(cost.sqs as f64),
            per(cost.dynamodb as f64),
            per(cost.ses as f64),
            per(cost.calls() as f64),
            per(cost.write_units),
            per(cost.read_units),
        )
    };
    let head = format!(
        "{:<16}{:>6}{:>10}{:>6}{:>7}{:>13}{:>12}\n",
        "", "SQS", "DynamoDB", "SES", "calls", "write units", "read units"
    );
    let sum = steps.iter().fold(Cost::default(), |sum, (_, cost)| sum.plus(*cost));
    let steps: String = steps.iter().map(|(step, cost)| line(step, cost)).collect();
    let (calls, units) = (per(sum.provider as f64), per(sum.provider_units));
    let ledger =
        format!("and {calls:.1} call, {units:.1} write units of the simulated provider's own ledger\n");
    head + &steps + &line("in all", &sum) + &ledger
}

#[tokio::test]
async fn a_booking_takes_no_more_calls_and_units_than_it_must() {
    let stack = Stack::start().await;
    // The first booking of a flight also reads it.
    book(&stack, 1).await;
    let one = table(1, &book(&stack, 1).await);
    let ten = table(10, &book(&stack, 10).await);
    let counted = format!(
        "one booking, batches of 1\n{one}\nten bookings of one flight, batches of 10, per booking\n{ten}"
    );
    print!("{counted}");
    assert_eq!(
        counted, COST,
        "localstack/tests/golden/cost-of-a-booking.txt, if that is what it should cost"
    );
}

#[tokio::test]
async fn the_pages_say_what_a_million_bookings_cost() {
    let stack = Stack::start().await;
    book(&stack, 1).await;
    let (one, ten) = (book(&stack, 1).await, book(&stack, 10).await);
    let units =
        |steps: &[(&str, Cost)]| steps.iter().find(|(step, _)| *step == "tickets").expect("it is one").1;
    // Of ten flights each hold is a transaction of its own.
    let together = units(&ten).write_units / 10.0;
    let apart = million(10, &ten, units(&one).write_units - together);
    let (alone, ten) = (million(1, &one, 0.0), million(10, &ten, 0.0));
    assert!(alone <= 20.5 && apart <= 14.0, "{alone}, {apart}");
    let row = format!("| **{}** | **{}** |", dollars(alone), dollars(apart));
    for name in ["README.md", "docs/AWS.md", "docs/SCALE.md"] {
        assert!(page(name).contains(&row), "{name}: {row}");
    }
    let scale = page("docs/SCALE.md");
    let has = |row: &str| assert!(scale.contains(row), "docs/SCALE.md has no\n{row}");
    has(&format!("of one flight {}", dollars(ten)));

    // A month of 30 days, at so many bookings a second, by kind of cost.
    let month = |per_million: f64| {
        let at = |rate: f64| whole_dollars(per_million * rate * 30.0 * 86_400.0 / 1e6);
        format!("| {} | {} | {} | {} |", dollars(per_million), at(100.0), at(1_000.0), at(10_000.0))
    };
    let poll = price::API + price::INVOCATION + price::READ_UNIT;
    has(&format!("| a booking, in batches of 10 {}", month(apart)));
    has(&format!("| its mail {}", month(price::MAIL)));
    has(&format!("| two polls {}", month(2.0 * poll)));
    has(&format!("| logs at `info`, 5 KB at most {}", month(5.0 * price::LOG_KB)));
    let all = apart + price::MAIL + 2.0 * poll + 5.0 * price::LOG_KB;
    has(&format!("| **in all** {}", month(all)));
}
