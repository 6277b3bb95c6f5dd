//! The model: the product's own handlers, run in every order that a network, crashes and an
//! unreliable payment provider can bring about.
//!
//! | noun | module |
//! |---|---|
//! | what the world looks like between two steps | [`state`] |
//! | running the product, one port call at a time | [`running`] |
//! | what a step makes of the world | [`booking`] |
//! | which steps there are | [`steps`] |
//! | the customers, and the bounds of a check | [`stories`] |
//! | what must hold, and what must be reached | [`properties`] |
//!
//! Nothing of the product is copied. `POST` is `BookingDesk::accept`, `DELETE` is
//! `Gateway::cancel`, the reconciler is `Gateway::reconcile`, and each message goes through
//! `Consumer::consume` to its service, all over the adapters of [`crate::memory`].
//!
//! **Steps.** A handler is stopped at each of its port calls, so that two of them interleave call
//! by call, and a crash comes between any two calls. Sends are taken together with the call before
//! them ([`DiesUnsent`] and [`NotSent`] come in between).
//!
//! **Network.** Any message that waits may be the next one, so messages overtake each other and
//! wait as long as they like. A message may be delivered once more than it was sent (a copy). A
//! crash, and a send that fails, bring the message that was worked on again.
//!
//! **Provider.** A call is refused, or its reply is lost, or its request lands at any later time,
//! or it has forgotten that it opened a payment.
//!
//! **Time** has three phases: before the deadline, past it, past the reconciler's grace. The
//! reconciler may look at an order once its messages are all used up; earlier only within a bound.
//!
//! **What is left out**, since it leads to no other state: which of two handlers goes first that
//! touch different records (the one that began last runs on; its calls and the other's commute);
//! mails before everything else is done; time that passes when neither a charge nor the reconciler
//! is there to notice; times in messages and histories, and the dates of checks.
//!
//! [`DiesUnsent`]: crate::memory::script::Fault::DiesUnsent
//! [`NotSent`]: crate::memory::script::Fault::NotSent

pub mod booking;
pub mod properties;
pub mod running;
pub mod state;
pub mod steps;
pub mod stories;
