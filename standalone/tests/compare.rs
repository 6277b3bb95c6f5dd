//! The comparison, small. No times are asserted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::bookings;

const PHASES: [&str; 5] = ["full rate", "healthy", "billing down", "replies lost", "killed"];

/// Customers of a phase, and how many of them have a card that pays.
fn customers(phase: &str) -> (u32, u32) {
    match phase {
        "full rate" => (100, 90),
        _ => (60, 54),
    }
}

/// Customers, answered, turned away, tickets in the end, charged without a ticket, doubled.
fn outcome(table: &str, phase: &str, system: &str) -> [u32; 6] {
    let line = table.lines().find_map(|line| line.strip_prefix(phase)?.trim().strip_prefix(system));
    let line = line.unwrap_or_else(|| panic!("{phase}, {system}: {table}"));
    // Units aside: after the first three the two times and the tickets at once.
    let numbers: Vec<&str> = line.split_whitespace().filter(|word| *word != "ms").collect();
    [0, 1, 2, 6, 7, 8].map(|column| numbers[column].parse().unwrap_or_else(|_| panic!("{line}")))
}

#[test]
fn in_the_same_outages_the_chain_turns_customers_away_and_the_topics_lose_refuse_and_double_nothing() {
    let compare = ["compare", "--bookings", "100", "--rate", "30", "--outage", "2s"];
    let output = bookings().args(compare).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let story = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{table}{story}");
    for phase in PHASES {
        let (all, paying) = customers(phase);
        assert_eq!(outcome(&table, phase, "topics"), [all, all, 0, paying, 0, 0], "{phase}: {table}");
        let chain = outcome(&table, phase, "chain");
        let expected = match phase {
            "billing down" => [all, 0, all, 0, 0, 0],
            // The money is taken, and the chain does not know.
            "replies lost" => [all, 0, all, 0, paying, 0],
            // A customer who sends the same request again is not charged again.
            _ => [all, all, 0, paying, 0, 0],
        };
        assert_eq!(chain, expected, "{phase}: {table}");
        assert!(story.contains(&format!("chain: {phase}")) && story.contains(&format!("topics: {phase}")));
    }
    assert!(table.trim_end().ends_with("topics: 0 lost, audit clean"), "{table}");
}
