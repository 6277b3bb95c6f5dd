//! The result of the load command.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{Counted, Load, Seen};

/// What is collected while the load runs.
pub(super) struct Tally {
    bookings: usize,
    seen: usize,
    accept: Vec<Duration>,
    settle: Vec<Duration>,
    states: BTreeMap<String, usize>,
    memory_early: Option<u64>,
}

impl Tally {
    pub(super) fn new(bookings: usize) -> Self {
        let (accept, settle) = (Vec::with_capacity(bookings), Vec::with_capacity(bookings));
        Self { bookings, seen: 0, accept, settle, states: BTreeMap::new(), memory_early: None }
    }

    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    pub(super) fn take(&mut self, seen: Seen) {
        self.seen += 1;
        self.accept.extend(seen.accept);
        if let Some((settle, status)) = seen.settle {
            self.settle.push(settle);
            *self.states.entry(status).or_default() += 1;
        }
        // After a tenth of the load the server has allocated what it needs.
        if self.seen == self.bookings.div_ceil(10) {
            self.memory_early = resident();
        }
    }

    pub(super) fn report(mut self, load: &Load, flights: usize, seats: u64, took: Duration) -> Report {
        self.accept.sort_unstable();
        self.settle.sort_unstable();
        let own_server = load.url.is_none();
        Report {
            bookings: load.bookings,
            concurrency: load.concurrency,
            flights,
            seats,
            took,
            refused: load.bookings - self.accept.len(),
            lost: self.accept.len() - self.settle.len(),
            accept: (quantile(&self.accept, 0.5), quantile(&self.accept, 0.99)),
            settle: (quantile(&self.settle, 0.5), quantile(&self.settle, 0.99)),
            settled: self.settle.len(),
            states: self.states,
            memory: self.memory_early.zip(resident()).filter(|_| own_server),
            counters: None,
        }
    }
}

/// The outcome of a load.
#[derive(Clone, Debug)]
pub struct Report {
    /// Orders that were to be made.
    pub bookings: usize,
    /// Customers who made them.
    pub concurrency: usize,
    /// Flights they were spread over.
    pub flights: usize,
    /// Seats that were free on these.
    pub seats: u64,
    /// From the first request to the last order seen settled.
    pub took: Duration,
    /// Orders that got no 202.
    pub refused: usize,
    /// Orders that got a 202 and were not seen to settle.
    pub lost: usize,
    /// From the request to the 202: p50, p99.
    pub accept: (Duration, Duration),
    /// From the request to the moment the customer saw the order settled: p50, p99.
    pub settle: (Duration, Duration),
    /// Orders seen settled.
    pub settled: usize,
    /// How they ended.
    pub states: BTreeMap<String, usize>,
    /// Resident memory of the process, in bytes, after a tenth of the load and at its end; if the server
    /// runs in it.
    pub memory: Option<(u64, u64)>,
    /// What the database did.
    pub counters: Option<Counted>,
}

impl Report {
    /// Orders settled a second.
    pub fn rate(&self) -> f64 {
        self.settled as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| format!("{:.1} ms", duration.as_secs_f64() * 1000.0);
        let Self { bookings, concurrency, flights, seats, .. } = self;
        writeln!(
            f,
            "load      {bookings} bookings by {concurrency} customers, one seat each, on {flights} flights with {seats} free seats"
        )?;
        writeln!(f, "accept    p50 {:>9}   p99 {:>9}", ms(self.accept.0), ms(self.accept.1))?;
        writeln!(f, "settle    p50 {:>9}   p99 {:>9}", ms(self.settle.0), ms(self.settle.1))?;
        writeln!(
            f,
            "rate      {:.0} bookings/s end to end, {:.1} s in all",
            self.rate(),
            self.took.as_secs_f64()
        )?;
        let states: Vec<_> = self.states.iter().map(|(status, count)| format!("{count} {status}")).collect();
        writeln!(f, "settled   {} ({})", self.settled, states.join(", "))?;
        writeln!(f, "refused   {}", self.refused)?;
        write!(f, "lost      {}", self.lost)?;
        if let Some((early, late)) = self.memory {
            let mib = |bytes| bytes / (1024 * 1024);
            write!(
                f,
                "\nmemory    {} MiB after a tenth of the load, {} MiB at its end",
                mib(early),
                mib(late)
            )?;
        }
        if let Some(counters) = &self.counters {
            write!(f, "\ncounted   {}", counters.a_booking(self.settled))?;
        }
        Ok(())
    }
}

/// That quantile of sorted times.
pub(crate) fn quantile(sorted: &[Duration], quantile: f64) -> Duration {
    let index = ((sorted.len() as f64) * quantile) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The process's resident memory in bytes, if the system reports it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
