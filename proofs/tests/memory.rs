//! Every port's contract, kept by the adapters in memory that the model runs on.
//!
//! The topics have no suite here: the model is their other end, and promises less than the contract does.

use std::sync::Arc;

use proofs::memory::Memory;

mod orders {
    use booking_gateway::store::OrderStore;

    use super::*;

    async fn fresh() -> (Arc<dyn OrderStore>, ()) {
        (Arc::new(Memory::default()), ())
    }

    booking_gateway_contract::order_store_contract!(fresh);
}

mod tickets {
    use ticket_service::store::TicketStore;

    use super::*;

    async fn fresh() -> (Arc<dyn TicketStore>, ()) {
        (Arc::new(Memory::default()), ())
    }

    ticket_service_contract::ticket_store_contract!(fresh);
}

mod payments {
    use billing_service::store::PaymentStore;

    use super::*;

    async fn fresh() -> (Arc<dyn PaymentStore>, ()) {
        (Arc::new(Memory::default()), ())
    }

    billing_service_contract::payment_store_contract!(fresh);
}

mod provider {
    use billing_service::provider::PaymentProvider;

    use super::*;

    async fn fresh() -> (Arc<dyn PaymentProvider>, ()) {
        (Arc::new(Memory::default()), ())
    }

    billing_service_contract::payment_provider_contract!(fresh);
}

mod mails {
    use email_service::store::MailStore;

    use super::*;

    async fn fresh() -> (Arc<dyn MailStore>, ()) {
        (Arc::new(Memory::default()), ())
    }

    email_service_contract::mail_store_contract!(fresh);
}

mod mailer {
    use super::*;

    async fn fresh() -> (Memory, ()) {
        (Memory::default(), ())
    }

    email_service_contract::mailer_contract!(fresh);
}
