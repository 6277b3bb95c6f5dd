//! A client of a bookings server over HTTP, for the commands (load, drill, dead letters) and the tests.
//!
//! | noun | module |
//! |---|---|
//! | a request and its answer | [`request`] |
//! | a server of bookings: its paths, and waiting until it is done | [`bookings`] |
//! | a server that is a process of its own | [`process`] |
//! | polling until a result is there | [`eventually`] |

pub mod bookings;
mod eventually;
pub mod process;
pub mod request;

pub use bookings::Bookings;
pub use eventually::eventually;
pub use process::{ProcessError, ServerProcess};
pub use request::{Client, ClientError, Request, Response};
