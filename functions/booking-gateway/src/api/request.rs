//! Reading a `POST /bookings`: parsed, not validated, and every bad field named at once.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use protocol::Invalid;
use protocol::flight::{FlightId, SeatCount};
use protocol::money::{Currency, Money};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::payment::PaymentMethod;
use serde_json::{Map, Value};
use shared_http::{FieldError, Problem};

use super::IDEMPOTENCY_KEY;
use crate::idempotency::IdempotencyKey;
use crate::order::Request;

/// The request's key, if it has one.
///
/// # Errors
/// `400`: it is sent more than once, or is not 1 to 255 visible ASCII characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let bad = |message: &str| {
        Err(Problem::fields(vec![FieldError {
            field: "Idempotency-Key".to_owned(),
            message: message.to_owned(),
        }]))
    };
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => bad("must be sent once"),
        (Some(key), None) => {
            IdempotencyKey::parse(key.as_bytes()).map(Some).or_else(|invalid| bad(invalid.0))
        }
    }
}

/// The body as a request.
///
/// # Errors
/// `415` another content type, `413` too large, `400` with every bad field.
pub async fn parse(headers: &HeaderMap, body: Body) -> Result<Request, Problem> {
    if !shared_http::is_json(headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be sent as Content-Type: application/json",
        ));
    }
    let bytes = shared_http::read(body).await?;
    let bad_body = |message: String| Problem::fields(vec![FieldError { field: "body".to_owned(), message }]);
    let not_json = |what: String| bad_body(format!("is not JSON: {what}"));
    let text = std::str::from_utf8(&bytes).map_err(|error| not_json(error.to_string()))?;
    let value: Value = serde_json::from_str(text).map_err(|error| not_json(error.to_string()))?;
    let Value::Object(body) = value else {
        return Err(bad_body("must be a JSON object".to_owned()));
    };
    request(body).map_err(Problem::fields)
}

fn request(body: Map<String, Value>) -> Result<Request, Vec<FieldError>> {
    let mut fields = Fields { path: "", object: body, errors: Vec::new() };
    let flight_id = fields.text("flight_id", FlightId::parse);
    let seats = fields.seats("seats");
    let payment_method = fields.text("payment_method", PaymentMethod::parse);
    let passenger = fields.take("passenger").and_then(|value| match value {
        Value::Object(object) => Some(object),
        _ => {
            fields.refuse("passenger", "must be an object with name and email");
            None
        }
    });
    let passenger = passenger.and_then(|object| {
        let mut inner = Fields { path: "passenger.", object, errors: Vec::new() };
        let name = inner.text("name", PassengerName::of_new_booking);
        let email = inner.text("email", EmailAddress::of_new_booking);
        fields.errors.extend(inner.finish());
        Some(Passenger { name: name?, email: email? })
    });
    let expected_amount = fields.amount("expected_amount");
    let errors = fields.finish();
    match (flight_id, seats, passenger, payment_method) {
        (Some(flight_id), Some(seats), Some(passenger), Some(payment_method)) if errors.is_empty() => {
            Ok(Request { flight_id, seats, passenger, payment_method, expected_amount })
        }
        _ => Err(errors),
    }
}

/// The largest whole number that every reader of JSON reads as it is written: 2⁵³ − 1.
const LARGEST_NUMBER: u64 = 9_007_199_254_740_991;

/// JSON has one kind of number, and `2.0` is as whole as `2`.
fn whole_number(value: &Value) -> Option<u64> {
    let whole = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and compared below")]
    let number = value.as_u64().or(whole.map(|number| number as u64))?;
    (number <= LARGEST_NUMBER).then_some(number)
}

/// The fields of one object, taken out one by one; what is left over is unknown.
struct Fields {
    path: &'static str,
    object: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    fn refuse(&mut self, field: &str, message: &str) {
        self.errors.push(FieldError { field: format!("{}{field}", self.path), message: message.to_owned() });
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        let value = self.object.remove(field);
        if value.is_none() {
            self.refuse(field, "is missing");
        }
        value
    }

    fn text<T>(&mut self, field: &str, parse: fn(&str) -> Result<T, Invalid>) -> Option<T> {
        let value = self.take(field)?;
        let parsed = value.as_str().ok_or(Invalid("must be a string")).and_then(parse);
        parsed.map_err(|Invalid(message)| self.refuse(field, message)).ok()
    }

    fn seats(&mut self, field: &str) -> Option<SeatCount> {
        let value = self.take(field)?;
        // A value that is not a whole number is refused as 0 is.
        let parsed = SeatCount::try_from(whole_number(&value).unwrap_or(0));
        parsed.map_err(|Invalid(message)| self.refuse(field, message)).ok()
    }

    /// An amount of money, which may be absent.
    fn amount(&mut self, field: &'static str) -> Option<Money> {
        let Value::Object(object) = self.object.remove(field)? else {
            self.refuse(field, "must be an object with value and currency");
            return None;
        };
        let mut inner = Fields { path: "expected_amount.", object, errors: Vec::new() };
        let value = inner.take("value").and_then(|value| {
            let parsed = whole_number(&value);
            if parsed.is_none() {
                inner.refuse("value", "must be a whole number of minor units, at most 9007199254740991");
            }
            parsed
        });
        let currency = inner.text("currency", Currency::parse);
        self.errors.extend(inner.finish());
        Some(Money { value: value?, currency: currency? })
    }

    fn finish(mut self) -> Vec<FieldError> {
        for field in std::mem::take(&mut self.object).keys() {
            let shown: String = field.chars().filter(|c| !c.is_control()).take(64).collect();
            self.refuse(&shown, "is not a field of a booking");
        }
        self.errors
    }
}
