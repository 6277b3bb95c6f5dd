//! The customers of the server that is recorded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::ClientError;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::support::{Http, booking};

const CLIENTS: usize = 16;

/// A customer, by number.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) number: usize,
    /// The booking that the customer knows of.
    pub(crate) id: Option<String>,
}

impl Customer {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, id: None }
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

    /// Books; every ninth cancels at once, the others mostly wait until it is settled. Stops where there is no answer.
    async fn visit(&mut self, http: &Http) -> Result<(), ClientError> {
        let booked = http.0.book(&self.request(), Some(&self.key())).await?;
        let id = booked["id"].as_str().unwrap().to_owned();
        self.id = Some(id.clone());
        if self.number.is_multiple_of(9) {
            // It may be too late.
            http.0.about("DELETE", &id).send().await?;
        } else if !self.number.is_multiple_of(4) {
            while http.0.booking(&id).await?["settled"] != true {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }
}

/// All of them book, from several clients; answers them as they are then. `visited` counts those who have gone.
pub(crate) async fn book(
    http: &Http,
    customers: Vec<Customer>,
    visited: &watch::Sender<usize>,
) -> Vec<Customer> {
    let coming = Arc::new(Mutex::new(customers.into_iter()));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (http, coming, visited) = (http.clone(), coming.clone(), visited.clone());
        clients.spawn(async move {
            let mut gone = Vec::new();
            loop {
                let next = coming.lock().unwrap().next();
                let Some(mut customer) = next else { return gone };
                match customer.visit(&http).await {
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
