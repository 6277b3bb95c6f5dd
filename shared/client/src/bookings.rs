//! A server of bookings, by its URL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use serde_json::Value;

use crate::eventually;
use crate::request::{Client, ClientError, Request};

/// The pause between two polls.
const PAUSE: Duration = Duration::from_millis(5);

/// A server of bookings. It keeps the keys to what was booked with it, as a customer's browser does.
#[derive(Clone, Debug)]
pub struct Bookings {
    base: String,
    client: Client,
    /// The token of each booking, by its id.
    keys: Arc<Mutex<HashMap<String, String>>>,
}

impl Bookings {
    /// The server at that URL. Nothing is asked yet.
    ///
    /// # Errors
    /// It is not the URL of a server.
    pub fn at(url: &str) -> Result<Self, ClientError> {
        let base = url.trim_end_matches('/').to_owned();
        let is_http = base
            .parse::<Uri>()
            .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.authority().is_some());
        if !is_http {
            return Err(ClientError::BadUrl(url.to_owned()));
        }
        Ok(Self { base, client: Client::default(), keys: Arc::default() })
    }

    /// The same bookings, served at another URL.
    ///
    /// # Errors
    /// It is not the URL of a server.
    pub fn moved_to(&self, url: &str) -> Result<Self, ClientError> {
        Ok(Self { keys: self.keys.clone(), ..Self::at(url)? })
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// A request on a path of it.
    pub fn request(&self, method: &str, path: &str) -> Request {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// `GET`.
    ///
    /// # Errors
    /// It does not answer, or not with a success; so do all others.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.request("GET", path).send().await?.success()
    }

    /// Everything in a list that is answered in pages, in its order.
    pub async fn all(&self, path: &str) -> Result<Vec<Value>, ClientError> {
        let mut found = Vec::new();
        let mut page = self.get(&format!("{path}?limit=1000")).await?;
        loop {
            found.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
            let Some(next) = page["next"].as_str() else { return Ok(found) };
            page = self.get(&format!("{path}?limit=1000&after={next}")).await?;
        }
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.request("POST", path).json(body).send().await?.success()
    }

    /// `PUT` of a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.request("PUT", path).json(body).send().await?.success()
    }

    /// A request about a booking, with its key if there is one.
    pub fn about(&self, method: &str, id: &str) -> Request {
        let request = self.request(method, &format!("/bookings/{id}"));
        match self.keys().get(id) {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Keeps the key to a booking that was just made.
    pub fn keep_key(&self, booking: &Value) {
        if let (Some(id), Some(token)) = (booking["id"].as_str(), booking["manage_token"].as_str()) {
            self.keys().insert(id.to_owned(), token.to_owned());
        }
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels a booking.
    pub async fn cancel(&self, id: &str) -> Result<Value, ClientError> {
        self.about("DELETE", id).send().await?.success()
    }

    /// Books, and keeps the key; a repeat under the same idempotency key answers the same order.
    pub async fn book(&self, booking: &Value, key: Option<&str>) -> Result<Value, ClientError> {
        let request = self.request("POST", "/bookings").json(booking);
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        let booked = request.send().await?.success()?;
        self.keep_key(&booked);
        Ok(booked)
    }

    /// A booking.
    pub async fn booking(&self, id: &str) -> Result<Value, ClientError> {
        self.about("GET", id).send().await?.success()
    }

    /// A booking once it is settled.
    pub async fn settled(&self, id: &str, within: Duration) -> Result<Value, ClientError> {
        self.settled_by(id, within, PAUSE).await
    }

    /// A booking once it is settled, polled with that pause.
    pub async fn settled_by(
        &self,
        id: &str,
        within: Duration,
        pause: Duration,
    ) -> Result<Value, ClientError> {
        let look = || async {
            let booking = self.booking(id).await.map_err(|error| error.to_string())?;
            if booking["settled"] == true { Ok(booking) } else { Err(booking.to_string()) }
        };
        let what = || format!("booking {id} settles");
        eventually(within, pause, look).await.map_err(|last| too_long(what(), within, last))
    }

    /// Waits until no message waits, is in flight or is delayed; answers the topics.
    pub async fn at_rest(&self, within: Duration) -> Result<Value, ClientError> {
        let look = || async {
            let topics = self.get("/operator/topics").await.map_err(|error| error.to_string())?;
            let moves =
                |topic: &Value| ["waiting", "in_flight", "delayed"].iter().any(|state| topic[*state] != 0);
            let moving = topics.as_object().is_none_or(|topics| topics.values().any(moves));
            if moving { Err(topics.to_string()) } else { Ok(topics) }
        };
        let what = "no message is left in any topic".to_owned();
        eventually(within, PAUSE, look).await.map_err(|last| too_long(what, within, last))
    }
}

fn too_long(what: String, within: Duration, last: String) -> ClientError {
    ClientError::TooLong { what, within, last }
}
