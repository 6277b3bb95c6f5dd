//! The model: the product's own handlers, run in every order that a network, crashes and an unreliable
//! payment provider can bring about.
//!
//! | noun | module |
//! |---|---|
//! | everything there is between two steps | [`state`] |
//! | a message in a topic | [`message`] |
//! | the product's handlers, run one port call at a time | [`handlers`] |
//! | which actions each state has | `actions` |
//! | which state comes of an action | [`transitions`] |
//! | the customers, and the bounds of a check | [`bounds`] |
//! | what must hold | `properties` |
//! | what must be reached | `coverage` |
//!
//! Nothing of the product is copied. `POST` is `Acceptor::accept`, `DELETE` is `Gateway::cancel`, the
//! reconciler is `Gateway::reconcile`, and each message goes through `Consume::consume` to its service, two `reserve`
//! commands also in one batch.
//! [`system::Services`] wires them to the adapters of [`crate::memory`].
//!
//! **Steps.** A handler is stopped at each of its port calls, so two handlers interleave call by call,
//! and a crash comes between any two calls. Sends are taken together with the call before them
//! ([`StepFault::Send`](crate::memory::script::StepFault::Send) comes in between).
//!
//! **Network.** Any message that waits may be the next one, so messages overtake each other and wait
//! for any time. A message may be delivered once more than it was sent (a copy). After a crash, or a
//! send that fails, the message that was worked on is redelivered.
//!
//! **Provider.** It refuses a call, its reply is lost, a request lands at any later time, or it has
//! forgotten the idempotency key of a payment.
//!
//! **Time** has three phases: before the deadline, past it, past the reconciler's grace. The reconciler
//! may check an order once its messages are all used up; earlier only within a bound.
//!
//! **What is left out**, since it leads to no other state: which of two handlers goes first that touch
//! different records (the one that began last runs on; its calls and the other's commute); mails before
//! everything else is done; time that passes when neither a charge nor the reconciler can notice; times
//! in messages and histories, and the dates of checks.

mod actions;
pub mod bounds;
mod coverage;
pub mod handlers;
pub mod message;
mod properties;
pub mod state;
pub mod transitions;
