//! The port of the operator's view, on a stack.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use billing_service::provider::ProviderName;
use booking_gateway::order::{Order, Status};
use messaging::clock::Clock;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::topic::Topic;
use system::audit::{Audit, Case};
use system::journal::Journal;
use system::view::{
    DeadLetter, Filter, LetterId, Local, Page, PageError, Paged, Provider, Switches, TopicState, View,
};
use tracing::warn;

use crate::audit::StackAudit;
use crate::letters::{Letters, Looked};
use crate::mappings::Mappings;
use crate::orders;
use crate::queues::SqsQueues;
use crate::records::{Records, Size, Sizes};
use crate::stack::Stack;

/// A stack, as its operator sees it.
pub struct AwsView {
    queues: SqsQueues,
    letters: Letters,
    mappings: Mappings,
    records: Records,
    clock: Arc<dyn Clock>,
    simulates_payments: bool,
}

impl AwsView {
    /// The view of that stack, with the credentials of `config`; it redrives at most so many letters a second.
    pub fn new(config: &SdkConfig, stack: Stack, clock: Arc<dyn Clock>, redrives_a_second: u32) -> Self {
        let simulates_payments = stack.simulates_payments;
        let client = aws_sdk_sqs::Client::new(config);
        let queues = SqsQueues { client, stack: stack.clone() };
        let mappings = Mappings::new(aws_sdk_lambda::Client::new(config), queues.clone());
        let letters = Letters::new(queues.clone(), redrives_a_second);
        let records = Records::new(aws_sdk_dynamodb::Client::new(config), stack);
        Self { queues, letters, mappings, records, clock, simulates_payments }
    }

    /// The dead letters, and how many could not be seen.
    ///
    /// # Errors
    /// SQS does not show them.
    pub async fn look(&self) -> Result<Looked, StoreError> {
        self.letters.look().await
    }

    /// How much an audit reads.
    ///
    /// # Errors
    /// DynamoDB does not tell.
    pub async fn sizes(&self) -> Result<Sizes, StoreError> {
        self.records.sizes().await
    }

    /// How much a list of all orders reads.
    ///
    /// # Errors
    /// DynamoDB does not tell.
    pub async fn size_of_orders(&self) -> Result<Size, StoreError> {
        self.records.size_of_orders().await
    }

    fn stack_audit(&self) -> StackAudit<'_> {
        let Self { records, queues, letters, .. } = self;
        StackAudit { records, queues, letters, books: self.books(), now: self.clock.now() }
    }
}

#[async_trait]
impl View for AwsView {
    fn platform(&self) -> &'static str {
        "aws"
    }

    fn reads_freely(&self) -> bool {
        false
    }

    fn counts_exactly(&self) -> bool {
        false
    }

    async fn topics(&self) -> Result<Vec<(Topic, TopicState)>, StoreError> {
        let (states, ()) = futures_util::try_join!(self.queues.states(), self.mappings.look())?;
        Ok(states)
    }

    async fn orders_by_status(&self) -> Result<Vec<(Status, u64)>, StoreError> {
        orders::by_status(&self.records).await
    }

    async fn orders(&self, filter: Filter, page: &Page) -> Result<Paged<Order>, PageError> {
        orders::list(&self.records, filter, page).await
    }

    async fn case(&self, order: OrderId) -> Result<Case, StoreError> {
        self.stack_audit().case(order).await
    }

    async fn audit(&self) -> Result<Audit, StoreError> {
        self.stack_audit().all().await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.letters.look().await?.letters)
    }

    async fn redrive(&self, one: Option<LetterId>) -> Result<usize, StoreError> {
        self.letters.redrive(one.as_ref()).await
    }

    /// The record of it is a line of this program's log: SQS keeps none.
    async fn discard(&self, letter: LetterId, reason: &str) -> Result<usize, StoreError> {
        let discarded = self.letters.discard(&letter).await?;
        for DeadLetter { id, topic, failure, attempts, .. } in &discarded {
            warn!(%topic, failure, attempts, reason, "the dead letter {id} of {topic} is discarded");
        }
        Ok(discarded.len())
    }

    fn provider(&self) -> Provider<'_> {
        if self.simulates_payments { Provider::Unbreakable } else { Provider::Stripe }
    }

    fn books(&self) -> BTreeSet<ProviderName> {
        [ProviderName::SIMULATED].into()
    }

    fn journal(&self) -> Option<&Journal> {
        None
    }

    fn switches(&self) -> Option<&dyn Switches> {
        Some(self)
    }

    fn local(&self) -> Option<&dyn Local> {
        None
    }
}

#[async_trait]
impl Switches for AwsView {
    fn is_running(&self, topic: Topic) -> bool {
        self.mappings.is_running(topic)
    }

    async fn switch(&self, topic: Topic, running: bool) -> Result<(), StoreError> {
        self.mappings.switch(topic, running).await
    }
}
