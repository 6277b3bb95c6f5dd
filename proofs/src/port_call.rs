//! The calls of the ports, each with one name.

use std::fmt;

/// What a call does to the records behind its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// It changes nothing.
    Reads,
    /// It may change something.
    Writes,
}

/// A call of a port. Those of a store are declared beside its adapters, in [`crate::stores`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortCall {
    name: &'static str,
    access: Access,
}

/// Declares calls, and the list of those that a service makes to finish an order.
macro_rules! port_calls {
    (
        order_path { $($on_path:ident = $port:ident::$function:ident, $access:ident;)+ }
        elsewhere { $($other:ident = $other_port:ident::$other_function:ident, $other_access:ident;)* }
    ) => {
        impl $crate::port_call::PortCall {
            $(
                #[doc = concat!("`", stringify!($port), "::", stringify!($function), "`.")]
                pub const $on_path: Self =
                    Self::new(concat!(stringify!($port), "::", stringify!($function)), $crate::port_call::Access::$access);
            )+
            $(
                #[doc = concat!("`", stringify!($other_port), "::", stringify!($other_function), "`.")]
                pub const $other: Self =
                    Self::new(concat!(stringify!($other_port), "::", stringify!($other_function)), $crate::port_call::Access::$other_access);
            )*
        }

        pub(crate) const ORDER_PATH: &[$crate::port_call::PortCall] =
            &[$($crate::port_call::PortCall::$on_path,)+];
    };
}
pub(crate) use port_calls;

port_calls! {
    order_path {
        PROVIDER_OPEN = PaymentProvider::open, Writes;
        PROVIDER_CAPTURE = PaymentProvider::capture, Writes;
        PROVIDER_RETRIEVE = PaymentProvider::retrieve, Reads;
        PROVIDER_VOID = PaymentProvider::void, Writes;
        PROVIDER_REFUND = PaymentProvider::refund, Writes;
        MAILER_SEND = Mailer::send, Writes;
        TOPICS_SEND = Topics::send, Writes;
    }
    elsewhere {
        CLOCK_NOW = Clock::now, Reads;
    }
}

impl PortCall {
    pub(crate) const fn new(name: &'static str, access: Access) -> Self {
        Self { name, access }
    }

    /// Those that a service makes to finish an order. The fault matrix covers each of them.
    pub fn order_path() -> impl Iterator<Item = PortCall> {
        crate::stores::ORDER_PATH.iter().copied().chain([ORDER_PATH]).flatten().copied()
    }

    /// The port and its function, `OrderStore::create`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether it reads or writes.
    pub const fn access(self) -> Access {
        self.access
    }

    /// Whether it is a request to the payment provider.
    pub fn is_to_the_provider(self) -> bool {
        matches!(self, Self::PROVIDER_OPEN | Self::PROVIDER_RETRIEVE) || self.moves_money()
    }

    /// Whether it asks the payment provider to move money, or to close the way for it.
    pub fn moves_money(self) -> bool {
        matches!(self, Self::PROVIDER_CAPTURE | Self::PROVIDER_VOID | Self::PROVIDER_REFUND)
    }
}

impl fmt::Display for PortCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_named_after_its_port_and_function() {
        assert_eq!(PortCall::ORDER_STORE_CREATE.name(), "OrderStore::create");
        assert_eq!(PortCall::CLOCK_NOW.name(), "Clock::now");
    }
}
