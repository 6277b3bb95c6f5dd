//! The port to what the operator has switched off or broken.

/// A server of the chain that can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The ticket server.
    Tickets,
    /// The billing server.
    Billing,
    /// The email server.
    Email,
}

/// How the simulated payment provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderMode {
    /// Works.
    Up,
    /// Refuses every call before doing anything, as with a `503`.
    Unavailable,
    /// Takes the money, but its reply is lost after 2 s.
    Timeout,
    /// Takes 2 s a call.
    Slow,
}

/// What the operator has switched off or broken, so that one switch breaks both systems. Asked on every call: it must
/// answer from memory.
///
/// **Crash contract:** it is only read; keeping it over a restart is the platform's.
pub trait Switches: Send + Sync {
    /// Whether that server runs. A stopped one answers `503` at once.
    fn is_running(&self, link: Link) -> bool;

    /// How the payment provider behaves now.
    fn provider(&self) -> ProviderMode;
}
