//! The wiring: from an adapter for every port to the services at work. The one place where they
//! meet; a platform, and every proof, hands its adapters in.

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

/// What the services stand on: an adapter for every port.
#[derive(Clone)]
pub struct Ports {
    /// The gateway's orders.
    pub orders: Arc<dyn OrderStore>,
    /// The Ticket Service's flights and reservations.
    pub tickets: Arc<dyn TicketStore>,
    /// The Billing Service's payments.
    pub payments: Arc<dyn PaymentStore>,
    /// What moves the money.
    pub providers: Providers,
    /// What the Email Service has mailed.
    pub mails: Arc<dyn MailStore>,
    /// Who delivers mail.
    pub mailer: Arc<dyn Mailer>,
    /// Where every message is sent.
    pub topics: Arc<dyn Topics>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What a deployment decides.
#[derive(Clone)]
pub struct Settings {
    /// Its secret, which ids are derived from idempotency keys with.
    pub secret: Secret,
    /// How long an order may take.
    pub deadlines: DeadlinePolicy,
}

/// The services at work.
#[derive(Clone)]
pub struct Services {
    /// Where orders are accepted, and the gateway behind it.
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

    /// The gateway: reads orders, cancels them, drives those on that wait.
    pub fn gateway(&self) -> &Gateway {
        &self.acceptor.gateway
    }

    /// What consumes a topic.
    pub fn consumer(&self, topic: Topic) -> &Arc<dyn Consume> {
        // In the order of `Topic::ALL`, which is that of the enum.
        &self.consumers[topic as usize]
    }

    /// The bookings API, the page and the flights API. To be closed by who serves it.
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
    Arc::new(Consumer::new(service, ports.entropy.clone()))
}
