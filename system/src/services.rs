//! The wiring: takes an adapter for every port, and makes the services. Every platform and every proof uses it.

use std::sync::Arc;

use axum::Router;
use billing_service::provider::Providers;
use booking_gateway::accept::Acceptor;
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Gateway;
use booking_gateway::limits::Limiter;
use email_service::mailer::Mailer;
use messaging::clock::Clock;
use messaging::consumer::{Consume, Consumer, Service};
use messaging::entropy::Entropy;
use messaging::topics::Topics;
use protocol::manage::{ManageLinks, ManageSecrets, PublicUrl};
use protocol::secret::Secret;
use protocol::topic::Topic;

/// Declares [`Stores`], and what consumes each topic, from one table. Its first token is a `$`, for the macro
/// that it declares.
macro_rules! services {
    (
        $dollar:tt on $ports:ident, $settings:ident and $gateway:ident;
        $($(#[doc = $doc:literal])+ $store:ident: $port:path, $topic:ident consumed by $service:expr;)+
    ) => {
        /// The store of each service.
        #[derive(Clone)]
        pub struct Stores {
            $($(#[doc = $doc])+ pub $store: Arc<dyn $port>,)+
        }

        impl Stores {
            /// One adapter that is the store of every service.
            pub fn of<A: $($port +)+ 'static>(adapter: A) -> Self {
                let adapter = Arc::new(adapter);
                Self { $($store: adapter.clone(),)+ }
            }
        }

        /// Hands the names of the stores to another macro, so that what is about each of them derives from
        /// this table.
        #[macro_export]
        macro_rules! each_store {
            ($dollar then:ident) => {
                $dollar then! { $($store,)+ }
            };
        }

        /// The service that consumes a topic, on its ports.
        fn consumer(
            topic: Topic,
            $ports: &Ports,
            $settings: &Settings,
            $gateway: &Gateway,
        ) -> Arc<dyn Consume> {
            match topic { $(Topic::$topic => consume($ports, $service),)+ }
        }
    };
}

services! {
    $ on ports, settings and gateway;

    /// The gateway's orders.
    orders: booking_gateway::store::OrderStore,
    OrderUpdates consumed by booking_gateway::updates::OrderUpdates(gateway.clone());

    /// The Ticket Service's flights and reservations.
    tickets: ticket_service::store::TicketStore,
    Tickets consumed by ticket_service::service::TicketService {
        store: ports.stores.tickets.clone(),
        clock: ports.clock.clone(),
    };

    /// The Billing Service's payments.
    payments: billing_service::store::PaymentStore,
    Billing consumed by billing_service::service::BillingService {
        store: ports.stores.payments.clone(),
        providers: ports.providers.clone(),
        clock: ports.clock.clone(),
    };

    /// The Email Service's records.
    mails: email_service::store::MailStore,
    Email consumed by email_service::service::EmailService {
        store: ports.stores.mails.clone(),
        mailer: ports.mailer.clone(),
        links: settings.links(),
    };
}

/// An adapter for every port of the services.
#[derive(Clone)]
pub struct Ports {
    /// The stores.
    pub stores: Stores,
    /// The payment providers.
    pub providers: Providers,
    /// Delivers mail.
    pub mailer: Arc<dyn Mailer>,
    /// The topics.
    pub topics: Arc<dyn Topics>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Counts the orders of each client, if there are limits.
    pub limiter: Option<Arc<dyn Limiter>>,
}

/// The settings of a deployment.
#[derive(Clone)]
pub struct Settings {
    /// What ids are derived from idempotency keys with.
    pub id_secret: Secret,
    /// What the customers' keys to their bookings are derived with.
    pub manage: ManageSecrets,
    /// Where customers find the page; without it mail has no link.
    pub public_url: Option<PublicUrl>,
    /// How long an order may take.
    pub deadlines: DeadlinePolicy,
}

impl Settings {
    /// Makes the links in mail.
    pub fn links(&self) -> Option<ManageLinks> {
        let (url, secrets) = (self.public_url.clone()?, self.manage.clone());
        Some(ManageLinks { url, secrets })
    }
}

/// The wired services.
#[derive(Clone)]
pub struct Services {
    /// Accepts orders; has the gateway.
    pub acceptor: Acceptor,
    tickets: Arc<dyn ticket_service::store::TicketStore>,
    consumers: [Arc<dyn Consume>; Topic::COUNT],
}

impl Services {
    /// Wires every service to its ports.
    pub fn new(ports: &Ports, settings: Settings) -> Self {
        let gateway = Gateway {
            orders: ports.stores.orders.clone(),
            topics: ports.topics.clone(),
            clock: ports.clock.clone(),
            deadlines: settings.deadlines,
        };
        let consumers = Topic::ALL.map(|topic| consumer(topic, ports, &settings, &gateway));
        let Settings { id_secret, manage, .. } = settings;
        let (entropy, limiter) = (ports.entropy.clone(), ports.limiter.clone());
        let acceptor = Acceptor { gateway, entropy, id_secret, manage, limiter };
        Self { acceptor, tickets: ports.stores.tickets.clone(), consumers }
    }

    /// The gateway: reads and cancels orders, and drives waiting ones on.
    pub fn gateway(&self) -> &Gateway {
        &self.acceptor.gateway
    }

    /// The consumer of a topic.
    pub fn consumer(&self, topic: Topic) -> &Arc<dyn Consume> {
        // In the order of `Topic::ALL`, which is that of the enum.
        &self.consumers[topic as usize]
    }

    /// The bookings API, the page and the flights API. The caller adds the outer layers (`shared_http::close`).
    pub fn router(&self) -> Router {
        booking_gateway::api::router(self.acceptor.clone())
            .merge(ticket_service::api::router(self.tickets.clone(), self.acceptor.gateway.clock.clone()))
    }
}

fn consume(ports: &Ports, service: impl Service + 'static) -> Arc<dyn Consume> {
    Arc::new(Consumer::new(service, ports.clock.clone(), ports.entropy.clone()))
}
