//! The cost of one booking: calls to AWS, and DynamoDB's write and read units, from its `POST` to
//! the mail. Init and polls that find nothing are not counted; a batch's receive and delete are, by
//! the event source mapping's contract: one call each.

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
    let counted =
        format!("one booking, batches of 1\n{one}\nten bookings, batches of 10, per booking\n{ten}");
    print!("{counted}");
    assert_eq!(
        counted, COST,
        "localstack/tests/golden/cost-of-a-booking.txt, if that is what it should cost"
    );
}
