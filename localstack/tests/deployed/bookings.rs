//! Bookings on the deployed stack.

use serde_json::Value;

use crate::stack::{alone, skipped};

#[tokio::test]
async fn a_confirmed_booking_is_mailed_once_by_ses() {
    alone(async |stack| {
        let id = stack.book("pm_card_visa").await;
        stack.becomes("a booking", &id, "confirmed").await;
        // Once the topics are empty, no second mail can follow.
        stack.comes_to_rest().await;
        assert_eq!(stack.mails(&id).await, 1, "mails about the booking {id}");
    })
    .await;
}

#[tokio::test]
async fn the_flights_of_the_last_deploy_are_on_offer() {
    let Ok(file) = std::env::var("FLIGHTS") else {
        skipped("it needs FLIGHTS, the file that localstack/deploy.sh --flights was given");
        return;
    };
    let flights: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(!flights.is_empty(), "{file} has flights");
    alone(async |stack| {
        let offers = stack.api.get("/flights").await.unwrap();
        for flight in &flights {
            let mut offers = offers.as_array().unwrap().iter();
            assert!(offers.any(|offer| offer["id"] == flight["id"]), "{} is on offer", flight["id"]);
        }
    })
    .await;
}
