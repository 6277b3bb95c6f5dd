//! One account: its books, the keys it remembers, and what goes wrong with the next requests.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use messaging::entropy::{Entropy, SeededEntropy};
use protocol::time::Timestamp;
use serde_json::{Value, json};

use super::books::{Answer, Books, Form};
use super::{Asked, Call, Fault};

/// For how long an idempotency key is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

struct Stored {
    path: String,
    form: Form,
    at: Timestamp,
    status: u16,
    body: Value,
}

#[derive(Default)]
pub(super) struct Account {
    pub(super) books: Books,
    keys: HashMap<String, Stored>,
    pub(super) faults: VecDeque<(Call, Fault)>,
    /// Each request goes wrong with this probability, in percent, in a way drawn from the seed.
    pub(super) chaos: Option<(SeededEntropy, u64)>,
    pub(super) asked: Vec<Asked>,
    pub(super) late: Vec<Asked>,
}

impl Account {
    /// What goes wrong with this request.
    fn fault(&mut self, call: Call) -> Option<Fault> {
        if let Some(place) = self.faults.iter().position(|(of, _)| *of == call) {
            return self.faults.remove(place).map(|(_, fault)| fault);
        }
        let (entropy, percent) = self.chaos.as_ref()?;
        if entropy.below(100) >= *percent {
            return None;
        }
        let rate_limit = json!({"error": {"type": "invalid_request_error", "code": "lock_timeout"}});
        let in_use = json!({"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}});
        Some(match entropy.below(7) {
            0 => Fault::ReplyLost,
            1 => Fault::LandsLate,
            2 => Fault::ErrorBefore,
            3 => Fault::ErrorAfter,
            4 => Fault::Answer(429, rate_limit),
            5 => Fault::Answer(409, in_use),
            _ => Fault::Answer(503, Value::Null),
        })
    }

    /// Does what is asked, or repeats what was answered under the same key.
    pub(super) fn keyed(&mut self, asked: &Asked, now: Timestamp) -> (Answer, bool) {
        self.keys.retain(|_, stored| now.since(stored.at) < REMEMBERED);
        if let Some(stored) = asked.key.as_ref().and_then(|key| self.keys.get(key)) {
            if stored.path != asked.path || stored.form != asked.form {
                let code = Answer::error(400, "idempotency_error", "", None);
                return (code, false);
            }
            let answer = Answer { status: stored.status, body: stored.body.clone(), stored: true };
            return (answer, true);
        }
        let answer = self.work(asked, now);
        if answer.stored {
            self.store(asked, &answer, now);
        }
        (answer, false)
    }

    fn store(&mut self, asked: &Asked, answer: &Answer, now: Timestamp) {
        if let Some(key) = &asked.key {
            let (path, form) = (asked.path.clone(), asked.form.clone());
            let (status, body) = (answer.status, answer.body.clone());
            self.keys.insert(key.clone(), Stored { path, form, at: now, status, body });
        }
    }

    fn work(&mut self, asked: &Asked, now: Timestamp) -> Answer {
        let id = asked.path.split('/').nth(3).unwrap_or_default();
        match asked.call {
            Call::Create => self.books.create(&asked.form),
            Call::Show => self.books.show(id),
            Call::Confirm => self.books.confirm(id, &asked.form),
            Call::Cancel => self.books.cancel(id),
            Call::Refund => self.books.refund(&asked.form, now),
            Call::ListRefunds => self.books.list_refunds(&asked.form),
        }
    }

    /// The answer, and whether it is a repeated one; an error if the caller gets no answer.
    pub(super) fn answer(&mut self, asked: &Asked, now: Timestamp) -> Result<(Answer, bool), Fault> {
        self.asked.push(asked.clone());
        let seen = asked.key.as_ref().is_some_and(|key| self.keys.contains_key(key));
        let broken = || Answer::error(500, "api_error", "", None);
        match self.fault(asked.call) {
            None => Ok(self.keyed(asked, now)),
            Some(Fault::LandsLate) => {
                self.late.push(asked.clone());
                Err(Fault::LandsLate)
            }
            Some(Fault::Answer(status, body)) => Ok((Answer { status, body, stored: false }, false)),
            // A stored answer is repeated, even while the server is broken.
            Some(Fault::ErrorBefore | Fault::ErrorAfter) if seen => Ok(self.keyed(asked, now)),
            Some(Fault::ErrorBefore) => {
                self.store(asked, &broken(), now);
                Ok((broken(), false))
            }
            Some(Fault::ErrorAfter) => {
                self.keyed(asked, now);
                self.store(asked, &broken(), now);
                Ok((broken(), false))
            }
            Some(fault) => {
                self.keyed(asked, now);
                Err(fault)
            }
        }
    }
}
