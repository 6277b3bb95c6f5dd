//! The result of the comparison: one table, and what the topics must not have done.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use system::audit::Audit;

use super::books::Charge;
use super::customer::{Answer, Bought};
use super::process::PRICE;
use super::{Phase, System};
use crate::load::report::quantile;

/// A ticket that was there within this time was there at once: as long as the chain waits for one reply.
const AT_ONCE: Duration = Duration::from_secs(5);

/// One phase of one system.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub system: System,
    /// What happened to it.
    pub phase: Phase,
    /// How many customers came.
    pub customers: usize,
    /// How many got an answer to their booking: made or accepted, or the card declined.
    pub answered: usize,
    /// How many were told to try another time, or nothing.
    pub turned_away: usize,
    /// How long a customer waited for any answer: p50, p99.
    pub answer: (Duration, Duration),
    /// How many had a ticket within 5 s.
    pub at_once: usize,
    /// How many had one in the end.
    pub tickets: usize,
    /// How many bookings without a ticket are charged, by the system's own ledger.
    pub charged_without_ticket: usize,
    /// How many charges are more than one for a customer, by the same.
    pub doubled: usize,
    /// Orders that were accepted and did not settle.
    pub lost: usize,
    /// Bookings a second, at full rate.
    pub rate: Option<f64>,
    /// The CPU time of the server for a booking, at full rate.
    pub cpu: Option<Duration>,
}

impl Row {
    pub(super) fn new(
        system: System,
        phase: Phase,
        bought: &[Bought],
        charges: &HashMap<String, Charge>,
        took: Option<Duration>,
        cpu: Option<Duration>,
    ) -> Self {
        let count = |is: fn(&Bought) -> bool| bought.iter().filter(|bought| is(bought)).count();
        let mut times: Vec<_> = bought.iter().map(|bought| bought.took).collect();
        times.sort_unstable();
        let with_ticket: HashSet<&str> =
            bought.iter().filter(|bought| bought.ticket.is_some()).filter_map(|b| b.id.as_deref()).collect();
        let kept = |charge: &Charge| charge.captured > charge.refunded;
        let charged = charges.iter().filter(|(_, charge)| kept(charge));
        let more_than_once = charges.values().filter(|charge| charge.captured > PRICE).count();
        let charges_kept = charges.values().filter(|charge| kept(charge)).count();
        let each = u32::try_from(bought.len().max(1)).unwrap_or(u32::MAX);
        Self {
            system,
            phase,
            customers: bought.len(),
            answered: count(|bought| matches!(bought.answer, Answer::Good | Answer::Declined | Answer::Lost)),
            turned_away: count(|bought| matches!(bought.answer, Answer::TurnedAway | Answer::None)),
            answer: (quantile(&times, 0.5), quantile(&times, 0.99)),
            at_once: count(|bought| bought.ticket.is_some_and(|after| after <= AT_ONCE)),
            tickets: with_ticket.len(),
            charged_without_ticket: charged.filter(|(id, _)| !with_ticket.contains(id.as_str())).count(),
            doubled: more_than_once + charges_kept.saturating_sub(bought.len()),
            lost: count(|bought| bought.answer == Answer::Lost),
            rate: took.map(|took| bought.len() as f64 / took.as_secs_f64()),
            cpu: cpu.map(|cpu| cpu / each),
        }
    }
}

/// The result.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Phase by phase, first the chain, then the topics.
    pub rows: Vec<Row>,
    /// What the audit of the topics found.
    pub discrepancies: Vec<String>,
}

impl Outcome {
    pub(super) fn new(rows: Vec<Row>, audit: &Audit) -> Self {
        Self { rows, discrepancies: audit.discrepancies.iter().map(ToString::to_string).collect() }
    }

    /// How often the topics broke a promise: an order lost or refused, a charge doubled or without a ticket, a
    /// discrepancy.
    pub fn violations(&self) -> usize {
        let broken = |row: &Row| row.lost + row.turned_away + row.charged_without_ticket + row.doubled;
        let topics = self.rows.iter().filter(|row| row.system == System::Topics);
        topics.map(broken).sum::<usize>() + self.discrepancies.len()
    }
}

/// What stands above the columns. An answer's columns are the time until it came.
const HEADS: [[&str; 13]; 2] = [
    ["", "", "", "", "turned", "answer", "answer", "tickets", "tickets", "charged", "", "bookings", "CPU"],
    [
        "phase",
        "system",
        "came",
        "answered",
        "away",
        "p50",
        "p99",
        "in 5 s",
        "in all",
        "no ticket",
        "doubled",
        "/s",
        "each",
    ],
];

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for head in HEADS {
            let [phase, system, came, answered, away, half, most, soon, all, charged, doubled, rate, cpu] =
                head;
            writeln!(
                f,
                "{phase:<12} {system:<6} {came:>5} {answered:>9} {away:>6} {half:>11} {most:>11} {soon:>7} {all:>7} {charged:>9} {doubled:>7} {rate:>8} {cpu:>8}"
            )?;
        }
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        for row in &self.rows {
            let rate = row.rate.map_or("–".to_owned(), |rate| format!("{rate:.0}"));
            let cpu = row.cpu.map_or("–".to_owned(), |cpu| format!("{:.2} ms", cpu.as_secs_f64() * 1e3));
            writeln!(
                f,
                "{:<12} {:<6} {:>5} {:>9} {:>6} {:>11} {:>11} {:>7} {:>7} {:>9} {:>7} {rate:>8} {cpu:>8}",
                row.phase,
                row.system,
                row.customers,
                row.answered,
                row.turned_away,
                ms(row.answer.0),
                ms(row.answer.1),
                row.at_once,
                row.tickets,
                row.charged_without_ticket,
                row.doubled,
            )?;
        }
        let lost: usize = self.rows.iter().map(|row| row.lost).sum();
        match self.discrepancies.as_slice() {
            [] => write!(f, "topics: {lost} lost, audit clean"),
            found => {
                write!(f, "topics: {lost} lost, audit {} discrepancies\n{}", found.len(), found.join("\n"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(system: System, answer: Answer, ticket: bool, charge: Charge) -> Row {
        let ticket = ticket.then_some(Duration::ZERO);
        let bought = Bought { id: Some("one".to_owned()), answer, took: Duration::ZERO, ticket };
        let charges = HashMap::from([("one".to_owned(), charge)]);
        Row::new(system, Phase::Healthy, &[bought], &charges, None, None)
    }

    fn violations(system: System, answer: Answer, ticket: bool, captured: u64, refunded: u64) -> usize {
        let row = row(system, answer, ticket, Charge { captured, refunded });
        Outcome { rows: vec![row], discrepancies: Vec::new() }.violations()
    }

    #[test]
    fn the_topics_may_lose_refuse_and_double_nothing() {
        use System::{Chain, Topics};
        assert_eq!(violations(Topics, Answer::Good, true, PRICE, 0), 0);
        assert_eq!(violations(Topics, Answer::Good, false, PRICE, PRICE), 0);
        assert_eq!(violations(Topics, Answer::Good, false, PRICE, 0), 1, "charged without a ticket");
        assert_eq!(violations(Topics, Answer::Good, true, 2 * PRICE, 0), 1, "doubled");
        assert_eq!(violations(Topics, Answer::TurnedAway, false, 0, 0), 1, "refused");
        assert_eq!(violations(Topics, Answer::None, false, 0, 0), 1, "not answered");
        assert_eq!(violations(Topics, Answer::Lost, false, 0, 0), 1, "lost");
        assert_eq!(violations(Chain, Answer::TurnedAway, false, PRICE, 0), 0, "the chain may");
        let found = Outcome { rows: Vec::new(), discrepancies: vec!["a seat".to_owned()] };
        assert_eq!(found.violations(), 1);
    }

    #[test]
    fn a_charge_of_no_known_booking_is_one_without_a_ticket() {
        let charges = HashMap::from([("lost".to_owned(), Charge { captured: PRICE, refunded: 0 })]);
        let bought = Bought { id: None, answer: Answer::TurnedAway, took: Duration::ZERO, ticket: None };
        let row = Row::new(System::Chain, Phase::RepliesLost, &[bought], &charges, None, None);
        assert_eq!((row.charged_without_ticket, row.turned_away, row.doubled), (1, 1, 0));
    }
}
