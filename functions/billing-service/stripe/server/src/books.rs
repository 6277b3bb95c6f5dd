//! What a Stripe account holds: intents and refunds, by Stripe's documented rules.

use std::collections::BTreeMap;

use protocol::time::Timestamp;
use serde_json::{Value, json};

/// An answer: its status, its body, and whether Stripe would repeat it under the same key. A request
/// that is refused before it runs is not stored.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) stored: bool,
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self { status: 200, body, stored: true }
    }

    pub(super) fn error(status: u16, kind: &str, code: &str, param: Option<&str>) -> Self {
        let message = "words for people, perhaps with pm_card_visa in them";
        let error = json!({"type": kind, "code": code, "param": param, "message": message});
        Self { status, body: json!({ "error": error }), stored: true }
    }

    fn invalid(code: &str, param: &str) -> Self {
        let answer = Self::error(400, "invalid_request_error", code, Some(param));
        Self { stored: false, ..answer }
    }
}

/// The parameters of a request.
pub(super) type Form = BTreeMap<String, String>;

/// How an intent stands. The names are Stripe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The card was refused.
    RequiresPaymentMethod,
    /// Not confirmed yet.
    RequiresConfirmation,
    /// Its owner must act.
    RequiresAction,
    /// Stripe does not know yet.
    Processing,
    /// Authorized.
    RequiresCapture,
    /// Taken.
    Succeeded,
    /// Closed.
    Canceled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

#[derive(Clone, Debug)]
struct Intent {
    order: String,
    amount: u64,
    currency: String,
    method: String,
    status: Status,
    charges: u64,
}

#[derive(Clone, Debug)]
struct Refund {
    intent: String,
    amount: u64,
    status: &'static str,
    order: String,
    created: i64,
}

/// What the account says of one order, over all of its intents, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// How many intents were opened.
    pub intents: u64,
    /// How often money was taken.
    pub charges: u64,
    /// All that was taken.
    pub captured: u64,
    /// All that was refunded.
    pub refunded: u64,
}

#[derive(Default)]
pub(super) struct Books {
    /// No page of a list is longer.
    pub(super) largest_page: Option<usize>,
    intents: BTreeMap<String, Intent>,
    refunds: BTreeMap<String, Refund>,
}

impl Books {
    pub(super) fn create(&mut self, form: &Form) -> Answer {
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let Some(amount) = field("amount").parse().ok().filter(|amount| *amount > 0) else {
            return Answer::invalid("parameter_invalid_integer", "amount");
        };
        let currency = field("currency");
        if currency.len() != 3 || currency.bytes().any(|b| !b.is_ascii_lowercase()) {
            return Answer::invalid("currency_not_supported", "currency");
        }
        let method = field("payment_method");
        if !method.starts_with("pm_card_") {
            return Answer::invalid("resource_missing", "payment_method");
        }
        if field("payment_method_types[]") != "card" || field("confirm") == "true" {
            return Answer::invalid("parameter_unknown", "confirm");
        }
        let id = format!("pi_{}", self.intents.len() + 1);
        let (order, status) = (field("metadata[order_id]"), Status::RequiresConfirmation);
        self.intents.insert(id.clone(), Intent { order, amount, currency, method, status, charges: 0 });
        self.show(&id)
    }

    pub(super) fn show(&self, id: &str) -> Answer {
        let Some(intent) = self.intents.get(id) else { return missing() };
        Answer::ok(Self::object(id, intent))
    }

    fn object(id: &str, intent: &Intent) -> Value {
        let declined = intent.status == Status::RequiresPaymentMethod;
        let received = if intent.status == Status::Succeeded { intent.amount } else { 0 };
        json!({
            "id": id, "object": "payment_intent", "status": intent.status.name(),
            "amount": intent.amount, "amount_received": received, "currency": intent.currency,
            "last_payment_error": if declined { json!({"code": "card_declined"}) } else { Value::Null },
            "metadata": {"order_id": intent.order},
        })
    }

    pub(super) fn confirm(&mut self, id: &str, form: &Form) -> Answer {
        let Some(intent) = self.intents.get_mut(id) else { return missing() };
        if intent.status != Status::RequiresConfirmation {
            return unexpected(id, intent);
        }
        let refuses_actions = form.get("error_on_requires_action").is_some_and(|value| value == "true");
        let (status, code) = match intent.method.as_str() {
            "pm_card_visa" | "pm_card_refundFail" | "pm_card_pendingRefund" => (Status::Succeeded, None),
            "pm_card_processing" => (Status::Processing, None),
            "pm_card_authenticationRequired" if !refuses_actions => (Status::RequiresAction, None),
            "pm_card_authenticationRequired" => {
                (Status::RequiresPaymentMethod, Some("authentication_required"))
            }
            "pm_card_usedUp" => {
                let mut refused = Answer::error(400, "invalid_request_error", "", None);
                refused.body["error"]["code"] = Value::Null;
                return refused;
            }
            _ => (Status::RequiresPaymentMethod, Some("card_declined")),
        };
        intent.status = status;
        intent.charges += u64::from(status == Status::Succeeded);
        match code {
            None => Answer::ok(Self::object(id, intent)),
            Some(code) => Answer::error(402, "card_error", code, None),
        }
    }

    pub(super) fn cancel(&mut self, id: &str) -> Answer {
        let Some(intent) = self.intents.get_mut(id) else { return missing() };
        if matches!(intent.status, Status::Succeeded | Status::Canceled | Status::Processing) {
            return unexpected(id, intent);
        }
        intent.status = Status::Canceled;
        Answer::ok(Self::object(id, intent))
    }

    pub(super) fn refund(&mut self, form: &Form, now: Timestamp) -> Answer {
        let id = form.get("payment_intent").cloned().unwrap_or_default();
        let Some(intent) = self.intents.get(&id) else { return missing() };
        if intent.status != Status::Succeeded {
            return unexpected(&id, intent);
        }
        // What is pending counts: no two refunds come to more than was taken.
        let under_way = |refund: &&Refund| refund.intent == id && refund.status != "failed";
        let asked: u64 = self.refunds.values().filter(under_way).map(|refund| refund.amount).sum();
        let left = intent.amount - asked;
        if left == 0 {
            return Answer::error(400, "invalid_request_error", "charge_already_refunded", None);
        }
        let status = if intent.method == "pm_card_pendingRefund" { "pending" } else { "succeeded" };
        let refund = format!("re_{:04}", self.refunds.len() + 1);
        let order = form.get("metadata[order_id]").cloned().unwrap_or_default();
        let created = now.as_millis() / 1_000;
        self.refunds.insert(refund.clone(), Refund { intent: id, amount: left, status, order, created });
        Answer::ok(self.refund_object(&refund))
    }

    fn refund_object(&self, id: &str) -> Value {
        let Refund { intent, amount, status, order, created } = &self.refunds[id];
        let metadata = if order.is_empty() { json!({}) } else { json!({"order_id": order}) };
        let mut object = json!({
            "id": id, "object": "refund", "status": status, "amount": amount, "payment_intent": intent,
            "currency": self.intents[intent].currency, "created": created, "metadata": metadata,
        });
        if *status == "failed" {
            object["failure_reason"] = json!("expired_or_canceled_card");
        }
        object
    }

    /// A page of refunds, newest first.
    pub(super) fn list_refunds(&self, form: &Form) -> Answer {
        let since = form.get("created[gte]").map_or(i64::MIN, |since| since.parse().unwrap());
        let of = form.get("payment_intent");
        let matching: Vec<_> = self
            .refunds
            .iter()
            .rev()
            .filter(|(_, refund)| of.is_none_or(|intent| refund.intent == *intent) && refund.created >= since)
            .map(|(id, _)| id)
            .collect();
        let begin = match form.get("starting_after") {
            None => 0,
            Some(after) => match matching.iter().position(|id| *id == after) {
                Some(place) => place + 1,
                None => return missing(),
            },
        };
        let asked = form.get("limit").map_or(10, |limit| limit.parse().unwrap());
        let limit = self.largest_page.map_or(asked, |most| asked.min(most));
        let page = &matching[begin..matching.len().min(begin + limit)];
        let data: Vec<_> = page.iter().map(|id| self.refund_object(id)).collect();
        Answer::ok(json!({"object": "list", "has_more": begin + limit < matching.len(), "data": data}))
    }

    /// Forgets what the refunds were said to be about, as if they had been made by hand.
    pub(super) fn forget_orders_of_refunds(&mut self) {
        self.refunds.values_mut().for_each(|refund| refund.order.clear());
    }

    /// Moves every intent of an order on, as time does.
    pub(super) fn set_status(&mut self, order: &str, status: Status) {
        for intent in self.intents.values_mut().filter(|intent| intent.order == order) {
            intent.charges += u64::from(status == Status::Succeeded && intent.charges == 0);
            intent.status = status;
        }
    }

    /// Moves every refund on, as time does.
    pub(super) fn set_refunds(&mut self, from: &str, to: &'static str) {
        for refund in self.refunds.values_mut().filter(|refund| refund.status == from) {
            refund.status = to;
        }
    }

    pub(super) fn entry(&self, order: &str) -> Entry {
        let mut entry = Entry::default();
        for (id, intent) in self.intents.iter().filter(|(_, intent)| intent.order == order) {
            let refunds = self.refunds.values();
            let done = refunds.filter(|refund| refund.intent == *id && refund.status == "succeeded");
            entry.intents += 1;
            entry.charges += intent.charges;
            entry.captured += intent.charges * intent.amount;
            entry.refunded += done.map(|refund| refund.amount).sum::<u64>();
        }
        entry
    }
}

fn missing() -> Answer {
    Answer {
        stored: false,
        ..Answer::error(404, "invalid_request_error", "resource_missing", Some("intent"))
    }
}

fn unexpected(id: &str, intent: &Intent) -> Answer {
    let mut answer = Answer::error(400, "invalid_request_error", "payment_intent_unexpected_state", None);
    answer.body["error"]["payment_intent"] = Books::object(id, intent);
    answer
}
