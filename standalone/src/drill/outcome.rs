//! The result of the drill.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use system::audit::Audit;

use super::Act;
use super::customer::Bought;
use crate::load::report::quantile;

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    status: String,
    amount: u64,
}

impl Ending {
    /// How a booking ended, if it has.
    pub(super) fn of(booking: &Value) -> Option<Self> {
        let status = booking["status"].as_str()?.to_owned();
        let amount = booking["amount"]["value"].as_u64().unwrap_or_default();
        (booking["settled"] == true).then_some(Self { status, amount })
    }
}

/// The result, from the customers' answers, the provider's own ledger and the audit.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Orders that got a 202.
    pub accepted: usize,
    /// How they ended.
    pub settled: BTreeMap<String, usize>,
    /// Orders that did not settle.
    pub lost: usize,
    /// Orders that the ledger has charged for more than they cost.
    pub charged_twice: usize,
    /// Orders paid but not confirmed, or confirmed but not paid, by the ledger.
    pub paid_for_nothing: usize,
    /// What the ledger has captured and refunded in all, in cents.
    pub money: (u64, u64),
    /// From the request to the 202, before, during and after the outages: p50, p99.
    pub accept: [(Duration, Duration); 3],
    /// From the moment everything was back to the moment all had settled.
    pub recovery: Duration,
    /// Settled orders that still have a message in a topic.
    pub restless: usize,
    /// What the audit found.
    pub discrepancies: Vec<String>,
}

impl Outcome {
    pub(super) fn new(
        bought: &[Bought],
        endings: &[Option<Ending>],
        ledger: &[Value],
        recovery: Duration,
        audit: &Audit,
    ) -> Self {
        let number = |entry: &Value, key: &str| entry[key].as_u64().unwrap_or_default();
        let charges: HashMap<&str, (u64, u64)> = ledger
            .iter()
            .filter_map(|entry| {
                Some((entry["booking_id"].as_str()?, (number(entry, "captured"), number(entry, "refunded"))))
            })
            .collect();
        let mut settled = BTreeMap::new();
        let (mut charged_twice, mut paid_for_nothing) = (0, 0);
        for (bought, ending) in bought.iter().zip(endings) {
            let Some(Ending { status, amount }) = ending else { continue };
            *settled.entry(status.clone()).or_default() += 1;
            let (captured, refunded) = charges.get(bought.id.as_str()).copied().unwrap_or_default();
            let due = if status == "confirmed" { *amount } else { 0 };
            charged_twice += usize::from(captured > *amount);
            paid_for_nothing += usize::from(captured.checked_sub(refunded) != Some(due));
        }
        let lost = endings.iter().filter(|ending| ending.is_none()).count();
        let accept = |phase: fn(Act) -> bool| {
            let mut times: Vec<_> =
                bought.iter().filter(|bought| phase(bought.act)).map(|bought| bought.accept).collect();
            times.sort_unstable();
            (quantile(&times, 0.5), quantile(&times, 0.99))
        };
        Self {
            accepted: bought.len(),
            lost,
            settled,
            charged_twice,
            paid_for_nothing,
            money: charges.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)),
            accept: [
                accept(|act| act == Act::Before),
                accept(|act| act != Act::Before && act != Act::After),
                accept(|act| act == Act::After),
            ],
            recovery,
            restless: (audit.orders - audit.at_rest).saturating_sub(lost),
            discrepancies: audit.discrepancies.iter().map(ToString::to_string).collect(),
        }
    }

    /// The number of broken promises.
    pub fn violations(&self) -> usize {
        self.lost + self.charged_twice + self.paid_for_nothing + self.restless + self.discrepancies.len()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let euros = |cents: u64| format!("EUR {}.{:02}", cents / 100, cents % 100);
        let states: Vec<_> = self.settled.iter().map(|(status, count)| format!("{count} {status}")).collect();
        writeln!(f, "accepted            {}", self.accepted)?;
        writeln!(f, "settled             {} ({})", self.settled.values().sum::<usize>(), states.join(", "))?;
        writeln!(f, "lost                {}", self.lost)?;
        writeln!(f, "charged twice       {}", self.charged_twice)?;
        writeln!(f, "paid for nothing    {}", self.paid_for_nothing)?;
        writeln!(f, "captured, refunded  {}, {}, by the ledger", euros(self.money.0), euros(self.money.1))?;
        for (phase, (half, most)) in ["before", "during", "after"].into_iter().zip(self.accept) {
            let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
            writeln!(f, "accept, {phase:<10}  p50 {:>9}   p99 {:>9}", ms(half), ms(most))?;
        }
        let recovery = self.recovery.as_secs_f64();
        writeln!(f, "recovery            {recovery:.1} s from everything back to all settled")?;
        match self.discrepancies.as_slice() {
            [] if self.restless > 0 => write!(f, "audit               {} orders not at rest", self.restless),
            [] => write!(f, "audit               clean"),
            found => write!(f, "audit               {} discrepancies\n{}", found.len(), found.join("\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(status: &str, captured: u64, refunded: u64) -> Outcome {
        let bought = Bought { id: "one".to_owned(), act: Act::Before, accept: Duration::ZERO };
        let ending = Ending::of(&json!({"settled": true, "status": status, "amount": {"value": 100}}));
        let ledger = [json!({"booking_id": "one", "captured": captured, "refunded": refunded})];
        let audit = Audit { orders: 1, at_rest: 1, ..Audit::default() };
        Outcome::new(&[bought], &[ending], &ledger, Duration::ZERO, &audit)
    }

    #[test]
    fn money_that_does_not_fit_the_order_is_a_violation() {
        for (status, captured, refunded, violations) in [
            ("confirmed", 100, 0, 0),
            ("cancelled", 100, 100, 0),
            ("rejected", 0, 0, 0),
            ("confirmed", 0, 0, 1),
            ("confirmed", 100, 100, 1),
            ("cancelled", 100, 0, 1),
            ("payment_declined", 100, 0, 1),
            ("confirmed", 200, 100, 1),
            ("confirmed", 200, 0, 2),
            ("cancelled", 100, 200, 1),
        ] {
            let found = outcome(status, captured, refunded).violations();
            assert_eq!(found, violations, "{status}, {captured} captured, {refunded} refunded");
        }
    }

    #[test]
    fn an_order_that_does_not_settle_is_lost() {
        let bought = Bought { id: "one".to_owned(), act: Act::After, accept: Duration::ZERO };
        let audit = Audit { orders: 1, at_rest: 0, ..Audit::default() };
        let outcome = Outcome::new(&[bought], &[None], &[], Duration::ZERO, &audit);
        assert_eq!((outcome.lost, outcome.violations()), (1, 1));
    }

    #[test]
    fn an_order_whose_last_message_never_arrives_is_a_violation() {
        let mut restless = outcome("confirmed", 100, 0);
        assert_eq!(restless.violations(), 0);
        restless.restless = 1;
        assert_eq!(restless.violations(), 1);
        assert!(restless.to_string().ends_with("1 orders not at rest"), "{restless}");
    }
}
