//! Customers, and what they were answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::ClientError;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::recording::Position;
use super::support::{Http, booking};

const CLIENTS: usize = 16;

/// A customer, by number, and what it was answered; each with a position in the trace after the answer came.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) number: usize,
    /// The id of the booking that was answered `202`.
    pub(crate) booked: Option<(u64, String)>,
    /// That the booking can be or is being cancelled.
    pub(crate) cancelled: Option<u64>,
    /// How the booking has ended. Not looked for where it is cancelled.
    pub(crate) ended: Option<(u64, String)>,
}

impl Customer {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, booked: None, cancelled: None, ended: None }
    }

    /// Mostly tickets, some of which are sold out, some on no flight, some with a card that is declined.
    pub(crate) fn request(&self) -> Value {
        match self.number % 10 {
            3 => booking("PL-FULL", 1, "pm_card_visa"),
            5 => booking("PL-NONE", 1, "pm_card_visa"),
            7 => booking("PL-1", 2, "pm_card_chargeDeclined"),
            number => booking(if number % 2 == 0 { "PL-1" } else { "PL-2" }, 1, "pm_card_visa"),
        }
    }

    pub(crate) fn key(&self) -> String {
        format!("customer-{}", self.number)
    }

    /// Books; every ninth cancels at once, the others mostly wait until it has ended. Stops where there is no answer.
    async fn visit(&mut self, http: &Http, position: &Position) -> Result<(), ClientError> {
        let booked = http.0.book(&self.request(), Some(&self.key())).await?;
        let id = booked["id"].as_str().unwrap().to_owned();
        self.booked = Some((position.now(), id.clone()));
        if self.number.is_multiple_of(9) {
            let answer = http.0.about("DELETE", &id).send().await?;
            self.cancelled = (answer.status < 300).then(|| position.now());
        } else if !self.number.is_multiple_of(4) {
            loop {
                let seen = http.0.booking(&id).await?;
                if seen["settled"] == true {
                    self.ended = Some((position.now(), seen["status"].as_str().unwrap().to_owned()));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }
}

/// All of them book, from several clients; answers them as they are then. `visited` counts those who have gone.
pub(crate) async fn book(
    position: &Position,
    http: &Http,
    customers: Vec<Customer>,
    visited: &watch::Sender<usize>,
) -> Vec<Customer> {
    let coming = Arc::new(Mutex::new(customers.into_iter()));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (position, http, coming) = (position.clone(), http.clone(), coming.clone());
        let visited = visited.clone();
        clients.spawn(async move {
            let mut gone = Vec::new();
            loop {
                let next = coming.lock().unwrap().next();
                let Some(mut customer) = next else { return gone };
                match customer.visit(&http, &position).await {
                    Ok(()) | Err(ClientError::NoAnswer { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                gone.push(customer);
                visited.send_modify(|visited| *visited += 1);
            }
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}
