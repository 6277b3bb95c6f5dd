//! The order's life, every state against every input.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use booking_gateway::erasure::Erasure;
use booking_gateway::order::{Applied, Command, Ignored, Input, Order, Request, State, Undoing, apply, owed};
use booking_gateway_contract::order as accepted;
use protocol::flight::{Route, TimeZoneName};
use protocol::messages::{EmailCommand, OrderUpdate, Payload};
use protocol::money::{Currency, Money};
use protocol::passenger::Passenger;
use protocol::reason::{Declined, Reason, Unavailable};
use protocol::time::Timestamp;
use protocol::topic::AnyMessage;

const STATES: [State; 10] = [
    State::Pending,
    State::TicketsReserved,
    State::Confirmed,
    State::Rejected,
    State::ReleasingDeclined,
    State::PaymentDeclined,
    State::Cancelling(Undoing::Both),
    State::Cancelling(Undoing::Tickets),
    State::Cancelling(Undoing::Payment),
    State::Cancelled,
];

/// Fails to compile when a state is added that `STATES` may lack.
fn name(state: State) -> &'static str {
    match state {
        State::Pending => "pending",
        State::TicketsReserved => "reserved",
        State::Confirmed => "confirmed",
        State::Rejected => "rejected",
        State::ReleasingDeclined => "declining",
        State::PaymentDeclined => "declined",
        State::Cancelling(Undoing::Both) => "undo-both",
        State::Cancelling(Undoing::Tickets) => "undo-seats",
        State::Cancelling(Undoing::Payment) => "undo-money",
        State::Cancelled => "cancelled",
    }
}

fn amount() -> Money {
    Money { value: 25_900, currency: Currency::parse("EUR").unwrap() }
}

fn departure() -> Timestamp {
    "2099-01-01T00:00:00Z".parse().unwrap()
}

fn route() -> Route {
    let time_zone = TimeZoneName::parse("Europe/Vienna").unwrap();
    Route { from: "Vienna".to_owned(), to: "Lisbon".to_owned(), time_zone }
}

/// Every input, each with the short name of its column.
fn inputs() -> Vec<(&'static str, Input)> {
    use OrderUpdate as U;
    let update = |column, update| (column, Input::Update(update));
    vec![
        update(
            "reserved",
            U::TicketsReserved { amount: amount(), departs_at: departure(), route: Some(route()) },
        ),
        update("unavail.", U::TicketsUnavailable { reason: Unavailable::SoldOut }),
        update("released", U::TicketsReleased),
        update("captured", U::PaymentCaptured),
        update("declined", U::PaymentDeclined { reason: Declined::CardDeclined }),
        update("expired", U::PaymentDeclined { reason: Declined::Expired }),
        update("reversed", U::PaymentReversed { refunded: Some(amount()) }),
        update("deadline", U::DeadlinePassed),
        ("cancel", Input::CancelRequested),
    ]
}

fn in_state(state: State) -> Order {
    let held = !matches!(state, State::Pending | State::Rejected);
    Order {
        state,
        amount: held.then(amount),
        departs_at: held.then(departure),
        route: held.then(route),
        reason: matches!(state, State::Cancelling(_) | State::Cancelled)
            .then_some(Reason::CancelledByCustomer),
        ..accepted(1, 0)
    }
}

fn later() -> Timestamp {
    accepted(1, 0).created_at + Duration::from_secs(5)
}

/// The whole of `apply`, one row a state, one column an input. An arrow names the next state;
/// `=` repeats; `-seats` and `-money` compensate; `.` ignores; `?` is too early.
const TABLE: &str = "
           reserved   unavail.   released   captured   declined   expired    reversed   deadline   cancel
pending    >reserved  >rejected  ?          ?          ?          ?          ?          >undo-seats >undo-seats
reserved   =          ?          ?          >confirmed >declining >undo-seats ?         >undo-both >undo-both
confirmed  .          ?          ?          =          ?          ?          ?          .          >undo-both
rejected   -seats     =          .          -money     .          .          .          .          .
declining  -seats     >declined  >declined  -money     =          =          .          .          .
declined   -seats     =          =          -money     .          .          .          .          .
undo-both  -seats     >undo-money >undo-money -money   >undo-seats >undo-seats >undo-seats .       =
undo-seats -seats     >cancelled >cancelled -money     =          =          =          .          =
undo-money -seats     =          =          -money     >cancelled >cancelled >cancelled .          =
cancelled  -seats     =          =          -money     =          =          =          .          =
";

fn cell(applied: &Applied) -> String {
    match applied {
        Applied::Advance(next) => format!(">{}", name(next.state)),
        Applied::Repeat => "=".to_owned(),
        Applied::Compensate(Command(command)) => match command.label().name {
            "release" => "-seats".to_owned(),
            "reverse" => "-money".to_owned(),
            _ => panic!("{command:?} neither releases nor reverses"),
        },
        Applied::Ignore(_) => ".".to_owned(),
        Applied::TooEarly => "?".to_owned(),
    }
}

#[test]
fn every_input_does_to_every_state_what_the_table_says() {
    let expected: Vec<Vec<&str>> =
        TABLE.trim().lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let row = |state| {
        let order = in_state(state);
        let cells = inputs().into_iter().map(|(_, input)| cell(&apply(&order, &input, later())));
        std::iter::once(name(state).to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let found: Vec<Vec<String>> = STATES.into_iter().map(row).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_advance_counts_a_version_and_adds_one_line_of_history() {
    for state in STATES {
        let order = in_state(state);
        for (_, input) in inputs() {
            if let Applied::Advance(next) = apply(&order, &input, later()) {
                assert_eq!(next.version, order.version + 1);
                assert_eq!(next.history.len(), order.history.len() + 1);
                let last = next.history.last().unwrap();
                assert_eq!((last.event.as_str(), last.status), (input.name(), next.state.status()));
                let kept = |order: &Order| {
                    let Request { flight_id, seats, passenger, expected_amount, .. } = order.request.clone();
                    (flight_id, seats, passenger, expected_amount, order.not_after)
                };
                assert_eq!(kept(&next), kept(&order));
            }
        }
    }
}

/// The input that led to a state, redelivered, must send what the state owes: this repairs a crash
/// between commit and send.
#[test]
fn the_input_that_led_to_a_state_is_a_repeat_there() {
    for state in STATES {
        let order = in_state(state);
        for (column, input) in inputs() {
            if let Applied::Advance(next) = apply(&order, &input, later()) {
                assert_eq!(apply(&next, &input, later()), Applied::Repeat, "{} by {column}", name(state));
            }
        }
    }
}

#[test]
fn held_seats_and_captured_money_are_used_or_undone_and_never_ignored() {
    for state in STATES {
        for (column, input) in
            inputs().into_iter().filter(|(column, _)| ["reserved", "captured"].contains(column))
        {
            let applied = apply(&in_state(state), &input, later());
            let has_it = state == State::Confirmed;
            assert!(has_it || !matches!(applied, Applied::Ignore(_)), "{} ignores {column}", name(state));
        }
    }
}

#[test]
fn every_state_is_reached_from_an_accepted_order_and_settles() {
    let mut reached: BTreeMap<&str, Order> = BTreeMap::new();
    let mut frontier = VecDeque::from([accepted(1, 0)]);
    while let Some(order) = frontier.pop_front() {
        if reached.insert(name(order.state), order.clone()).is_some() {
            continue;
        }
        for (_, input) in inputs() {
            if let Applied::Advance(next) = apply(&order, &input, later()) {
                frontier.push_back(*next);
            }
        }
    }
    assert_eq!(reached.len(), STATES.len(), "reached: {:?}", reached.keys());

    for order in reached.into_values() {
        let settles = |order: &Order| {
            let mut order = order.clone();
            for _ in 0..STATES.len() {
                let next = inputs().into_iter().find_map(|(_, input)| match apply(&order, &input, later()) {
                    Applied::Advance(next) if !order.state.is_settled() => Some(*next),
                    _ => None,
                });
                match next {
                    Some(next) => order = next,
                    None => break,
                }
            }
            order.state.is_settled()
        };
        assert!(settles(&order), "{} does not settle", name(order.state));
    }
}

#[test]
fn every_state_owes_what_it_awaits_and_a_settled_one_owes_its_mail() {
    let names = |state| {
        let owed = owed(&in_state(state)).into_iter();
        owed.map(|Command(command)| command.label().step).collect::<Vec<_>>().join("+")
    };
    let expected = [
        "reserve",
        "charge",
        "send-confirmed",
        "send-rejected",
        "release",
        "send-payment-declined",
        "release+reverse",
        "release",
        "reverse",
        "send-cancelled",
    ];
    assert_eq!(STATES.map(names), expected);
}

#[test]
fn the_route_that_the_seats_are_held_on_is_in_every_later_mail() {
    let mut order = accepted(1, 0);
    let held =
        OrderUpdate::TicketsReserved { amount: amount(), departs_at: departure(), route: Some(route()) };
    for update in [held, OrderUpdate::PaymentCaptured] {
        let Applied::Advance(next) = apply(&order, &Input::Update(update), later()) else {
            panic!("it moves")
        };
        order = *next;
    }
    for state in [State::Confirmed, State::PaymentDeclined, State::Cancelled] {
        let [Command(mail)] = <[_; 1]>::try_from(owed(&Order { state, ..order.clone() })).unwrap();
        let AnyMessage::Email(EmailCommand::Send(notice)) = mail else { panic!("a mail: {mail:?}") };
        assert_eq!(notice.route, Some(route()), "{}", name(state));
    }
}

/// The attack: a booking of a flight that never was has us write to an address of a stranger's choice.
#[test]
fn an_order_for_an_unknown_flight_owes_no_mail_and_every_other_rejected_one_does() {
    for (reason, mails) in [
        (Unavailable::UnknownFlight, 0),
        (Unavailable::SoldOut, 1),
        (Unavailable::Departed, 1),
        (Unavailable::PriceChanged, 1),
    ] {
        let input = Input::Update(OrderUpdate::TicketsUnavailable { reason });
        let Applied::Advance(rejected) = apply(&accepted(1, 0), &input, later()) else { panic!("it moves") };
        assert_eq!(owed(&rejected).len(), mails, "{reason:?}");
    }
}

#[test]
fn a_departed_flight_can_no_longer_be_cancelled() {
    let order = Order { departs_at: Some(later()), ..in_state(State::Confirmed) };
    assert_eq!(apply(&order, &Input::CancelRequested, later()), Applied::Ignore(Ignored::Departed));
}

#[test]
fn an_expiry_is_a_repeat_only_where_it_cancelled_the_order() {
    let passed = Input::Update(OrderUpdate::DeadlinePassed);
    for state in STATES.into_iter().filter(|state| matches!(state, State::Cancelling(_) | State::Cancelled)) {
        let expired = Order { reason: Some(Reason::Expired), ..in_state(state) };
        assert_eq!(apply(&expired, &passed, later()), Applied::Repeat);
    }
}

#[test]
fn history_never_runs_backwards_though_the_clock_does() {
    let order = accepted(1, 100);
    let Applied::Advance(next) = apply(&order, &Input::CancelRequested, accepted(1, 0).created_at) else {
        panic!()
    };
    assert_eq!(next.updated_at(), order.updated_at());
}

#[test]
fn the_payment_token_is_dropped_when_the_order_settles_and_never_before() {
    let dropped = |order: &Order| order.request.payment_method.as_str() == "pm_dropped";
    let mut frontier = vec![accepted(1, 0)];
    while let Some(order) = frontier.pop() {
        for (column, input) in inputs() {
            let Applied::Advance(next) = apply(&order, &input, later()) else { continue };
            let drops = dropped(&order) || next.state.is_settled();
            assert_eq!(dropped(&next), drops, "{} by {column}", name(order.state));
            frontier.push(*next);
        }
    }
}

/// A repeated request is compared with it, since there is no digest.
#[test]
fn an_order_of_before_keeps_its_payment_token() {
    let order = Order { digest: None, ..accepted(1, 0) };
    let input = Input::Update(OrderUpdate::TicketsUnavailable { reason: Unavailable::SoldOut });
    let Applied::Advance(rejected) = apply(&order, &input, order.created_at) else { panic!("it moves") };
    assert_eq!(rejected.request, order.request);
}

#[test]
fn an_id_opens_an_order_of_before_until_its_departure_and_no_other() {
    let new = accepted(1, 0);
    assert!(!new.is_opened_by_its_id(new.created_at));
    let before = Order { digest: None, departs_at: Some(departure()), ..new };
    assert!(before.is_opened_by_its_id(before.created_at));
    assert!(!before.is_opened_by_its_id(departure()));
    // Where no seats were held, the departure is not known.
    let unheld = Order { departs_at: None, ..before };
    assert!(unheld.is_opened_by_its_id(unheld.created_at));
    assert!(!unheld.is_opened_by_its_id(unheld.not_after));
}

#[test]
fn a_passenger_is_erased_once_nothing_more_is_to_be_done() {
    let departed = departure() + Duration::from_secs(1);
    for state in STATES {
        let order = Order { departs_at: Some(departure()), ..in_state(state) };
        let early = order.erase(later());
        match (order.state.is_settled(), state) {
            (false, _) => assert_eq!(early, Erasure::Unsettled, "{}", name(state)),
            (true, State::Confirmed) => assert_eq!(early, Erasure::NotDeparted),
            (true, _) => assert!(matches!(early, Erasure::Erased(_)), "{}", name(state)),
        }
        let Erasure::Erased(erased) = order.erase(departed) else { continue };
        assert_eq!((&erased.request.passenger, erased.version), (&Passenger::erased(), order.version + 1));
        assert_eq!((erased.state, &erased.history), (order.state, &order.history));
        assert_eq!(erased.erase(departed), Erasure::Before);
        assert!(erased.was_asked_for_by(&order), "a repeated request finds it");
    }
}
