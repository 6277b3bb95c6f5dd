//! The calls of the ports, each with one name.

use std::fmt;

/// What a call does to the records behind its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It changes nothing.
    Reads,
    /// It may change something.
    Writes,
}

/// Declares [`PortCall`] from its one table. The lists are derived from it, so a new row cannot be
/// missing in them.
macro_rules! port_calls {
    (
        order_path { $($on_path:ident = $port:ident::$function:ident, $access:ident;)+ }
        elsewhere { $($other:ident = $other_port:ident::$other_function:ident, $other_access:ident;)+ }
    ) => {
        /// A call of a port.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PortCall {
            $(
                #[doc = concat!("`", stringify!($port), "::", stringify!($function), "`.")]
                $on_path,
            )+
            $(
                #[doc = concat!("`", stringify!($other_port), "::", stringify!($other_function), "`.")]
                $other,
            )+
        }

        impl PortCall {
            /// All of them.
            pub const ALL: &[PortCall] = &[$(PortCall::$on_path,)+ $(PortCall::$other,)+];

            /// Those that a service makes to finish an order. The fault matrix covers each of them.
            pub const ORDER_PATH: &[PortCall] = &[$(PortCall::$on_path,)+];

            /// The port and its function, `OrderStore::create`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(PortCall::$on_path => concat!(stringify!($port), "::", stringify!($function)),)+
                    $(PortCall::$other => concat!(stringify!($other_port), "::", stringify!($other_function)),)+
                }
            }

            /// Whether it reads or writes.
            pub const fn access(self) -> Access {
                match self {
                    $(PortCall::$on_path => Access::$access,)+
                    $(PortCall::$other => Access::$other_access,)+
                }
            }
        }
    };
}

port_calls! {
    order_path {
        OrderStoreCreate = OrderStore::create, Writes;
        OrderStoreGet = OrderStore::get, Reads;
        OrderStoreGetMany = OrderStore::get_many, Reads;
        OrderStoreUpdate = OrderStore::update, Writes;
        OrderStoreDue = OrderStore::due, Reads;
        OrderStorePostpone = OrderStore::postpone, Writes;
        TicketStoreHold = TicketStore::hold, Writes;
        TicketStoreDecide = TicketStore::decide, Writes;
        TicketStoreRelease = TicketStore::release, Writes;
        PaymentStoreFind = PaymentStore::find, Reads;
        PaymentStoreBegin = PaymentStore::begin, Writes;
        PaymentStoreReplace = PaymentStore::replace, Writes;
        ProviderOpen = PaymentProvider::open, Writes;
        ProviderCapture = PaymentProvider::capture, Writes;
        ProviderRetrieve = PaymentProvider::retrieve, Reads;
        ProviderVoid = PaymentProvider::void, Writes;
        ProviderRefund = PaymentProvider::refund, Writes;
        MailStoreLast = MailStore::last, Reads;
        MailStoreLastOfMany = MailStore::last_of_many, Reads;
        MailStoreMark = MailStore::mark, Writes;
        MailerSend = Mailer::send, Writes;
        TopicsSend = Topics::send, Writes;
    }
    elsewhere {
        TicketStoreFind = TicketStore::find, Reads;
        TicketStoreOffers = TicketStore::offers, Reads;
        TicketStorePutFlight = TicketStore::put_flight, Writes;
        ClockNow = Clock::now, Reads;
    }
}

impl PortCall {
    /// Whether it is a request to the payment provider.
    pub const fn is_to_the_provider(self) -> bool {
        matches!(self, Self::ProviderOpen | Self::ProviderRetrieve) || self.moves_money()
    }

    /// Whether it asks the payment provider to move money, or to close the way for it.
    pub const fn moves_money(self) -> bool {
        matches!(self, Self::ProviderCapture | Self::ProviderVoid | Self::ProviderRefund)
    }
}

impl fmt::Display for PortCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_call_has_a_name_of_its_own() {
        let names: BTreeSet<_> = PortCall::ALL.iter().map(|call| call.name()).collect();
        assert_eq!(names.len(), PortCall::ALL.len());
        assert_eq!(PortCall::OrderStoreCreate.name(), "OrderStore::create");
    }
}
