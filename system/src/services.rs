//! The wiring: takes an adapter for every port, and makes the services. Every platform and every proof uses it.

use std::sync::Arc;

use axum::Router;
use billing_service::provider::Providers;
use billing_service::service::BillingService;
use billing_service::store::PaymentStore;
use booking_gateway::accept::{Acceptor, Secret};
use booking_gateway::deadline::DeadlinePolicy;
use booking_gateway::gateway::Gateway;
use booking_gateway::store::OrderStore;
use booking_gateway::updates::OrderUpdates;
use email_service::mailer::Mailer;
use email_service::service::EmailService;
use email_service::store::MailStore;
use messaging::clock::Clock;
use messaging::consumer::{Consume, Consumer, Service};
use messaging::entropy::Entropy;
use messaging::topics::Topics;
use protocol::topic::Topic;
use ticket_service::service::TicketService;
use ticket_service::store::TicketStore;

/// An adapter for every port of the services.
#[derive(Clone)]
pub struct Ports {
    /// The gateway's orders.
    pub orders: Arc<dyn OrderStore>,
    /// The Ticket Service's flights and reservations.
    pub tickets: Arc<dyn TicketStore>,
    /// The Billing Service's payments.
    pub payments: Arc<dyn PaymentStore>,
    /// The payment providers.
    pub providers: Providers,
    /// The Email Service's records.
    pub mails: Arc<dyn MailStore>,
    /// Delivers mail.
    pub mailer: Arc<dyn Mailer>,
    /// The topics.
    pub topics: Arc<dyn Topics>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// The settings of a deployment.
#[derive(Clone)]
pub struct Settings {
    /// The secret for deriving ids from idempotency keys.
    pub secret: Secret,
    /// How long an order may take.
    pub deadlines: DeadlinePolicy,
}

/// The wired services.
#[derive(Clone)]
pub struct Services {
    /// Accepts orders; has the gateway.
    pub acceptor: Acceptor,
    tickets: Arc<dyn TicketStore>,
    consumers: [Arc<dyn Consume>; Topic::COUNT],
}

impl Services {
    /// Wires every service to its ports.
    pub fn new(ports: &Ports, settings: Settings) -> Self {
        let Settings { secret, deadlines } = settings;
        let gateway = Gateway {
            orders: ports.orders.clone(),
            topics: ports.topics.clone(),
            clock: ports.clock.clone(),
            deadlines,
        };
        let consumers = Topic::ALL.map(|topic| consumer(topic, ports, &gateway));
        let acceptor = Acceptor { gateway, entropy: ports.entropy.clone(), secret };
        Self { acceptor, tickets: ports.tickets.clone(), consumers }
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
            .merge(ticket_service::api::router(self.tickets.clone()))
    }
}

/// The service that consumes a topic, on its ports.
fn consumer(topic: Topic, ports: &Ports, gateway: &Gateway) -> Arc<dyn Consume> {
    let clock = ports.clock.clone();
    match topic {
        Topic::Tickets => consume(ports, TicketService { store: ports.tickets.clone(), clock }),
        Topic::OrderUpdates => consume(ports, OrderUpdates(gateway.clone())),
        Topic::Billing => {
            let (store, providers) = (ports.payments.clone(), ports.providers.clone());
            consume(ports, BillingService { store, providers, clock })
        }
        Topic::Email => {
            consume(ports, EmailService { store: ports.mails.clone(), mailer: ports.mailer.clone() })
        }
    }
}

fn consume(ports: &Ports, service: impl Service + 'static) -> Arc<dyn Consume> {
    Arc::new(Consumer::new(service, ports.clock.clone(), ports.entropy.clone()))
}
