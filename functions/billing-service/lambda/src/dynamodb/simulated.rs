//! The simulated provider's own books, for trial stacks: an item for each payment that moved money, in
//! the billing service's table but apart from its records.
//!
//! A payment's name holds all its data when it is opened, so opening writes nothing.

use async_trait::async_trait;
use aws::dynamodb::{Item, body, record, store_error, string};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use billing_service::provider::{
    Captured, Opened, PaymentProvider, PaymentRef, PaymentStatus, ProviderError, Voided,
};
use billing_service::simulated::{Account, SIMULATED, Stage};
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::money::{Currency, Money};
use protocol::payment::PaymentMethod;

/// The simulated provider, its books in a table.
pub struct DynamoSimulatedProvider {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub table: String,
}

/// `sim_<order>_<amount>_<currency>_<pays or refuses>`.
fn name(order: OrderId, account: &Account) -> PaymentRef {
    let Money { value, currency } = &account.amount;
    let card = if account.pays { "pays" } else { "refuses" };
    PaymentRef(format!("{SIMULATED}{order}_{value}_{}_{card}", currency.as_str()))
}

/// The payment of that name, as it was opened.
fn opened(reference: &PaymentRef) -> Result<Account, ProviderError> {
    let parse = || {
        let mut parts = reference.0.strip_prefix(SIMULATED)?.split('_');
        let (_order, value, currency, card) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let amount = Money { value: value.parse().ok()?, currency: Currency::parse(currency).ok()? };
        Some(Account { amount, pays: card == "pays", stage: Stage::Open })
    };
    parse().ok_or_else(|| ProviderError::Refused(format!("{reference} is not a simulated payment")))
}

/// How the keys of these books begin.
const BOOKS: &str = "simulated/";

fn key(reference: &PaymentRef) -> AttributeValue {
    string(format!("{BOOKS}{reference}"))
}

/// The account of an item of these books, with its order; `None` for any other item of the table.
///
/// # Errors
/// The account cannot be read.
pub fn account(item: &Item) -> Result<Option<(OrderId, Account)>, StoreError> {
    let order = || {
        let name = item.get("order_id")?.as_s().ok()?.strip_prefix(BOOKS)?;
        name.strip_prefix(SIMULATED)?.split('_').next()?.parse().ok()
    };
    order().map(|order| Ok((order, record(item)?))).transpose()
}

/// The key of the account of an order of that amount. Only a card that pays is opened.
pub fn account_key(order: OrderId, amount: &Money) -> AttributeValue {
    let account = Account { amount: amount.clone(), pays: true, stage: Stage::Open };
    key(&name(order, &account))
}

fn unknown(error: StoreError) -> ProviderError {
    ProviderError::Unknown(error.to_string())
}

impl DynamoSimulatedProvider {
    /// The account of an order of that amount, if money ever moved for it.
    ///
    /// # Errors
    /// The books cannot be read.
    pub async fn find(&self, order: OrderId, amount: &Money) -> Result<Option<Account>, StoreError> {
        let key = account_key(order, amount);
        let get = self.client.get_item().table_name(&self.table).key("order_id", key).consistent_read(true);
        get.send().await.map_err(store_error)?.item().map(record).transpose()
    }

    /// Changes a payment, and answers what `change` does. One write, if no other call changes it.
    async fn change<T>(
        &self,
        reference: &PaymentRef,
        change: impl Fn(&mut Account) -> T,
    ) -> Result<T, ProviderError> {
        let mut account = opened(reference)?;
        let mut before: Option<AttributeValue> = None;
        loop {
            let stood = account.clone();
            let answer = change(&mut account);
            if account == stood && before.is_some() {
                return Ok(answer);
            }
            match self.write(reference, &account, before).await.map_err(unknown)? {
                None => return Ok(answer),
                Some((stands, words)) => (account, before) = (stands, Some(words)),
            }
        }
    }

    /// Writes a payment if it is as it was `before`; otherwise answers how it is.
    async fn write(
        &self,
        reference: &PaymentRef,
        account: &Account,
        before: Option<AttributeValue>,
    ) -> Result<Option<(Account, AttributeValue)>, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("order_id", key(reference))
            .item("body", body(account)?)
            .expression_attribute_names("#body", "body")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match before {
            None => put.condition_expression("attribute_not_exists(#body)"),
            Some(words) => {
                put.condition_expression("#body = :before").expression_attribute_values(":before", words)
            }
        };
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    let item = failed.item();
                    let stands = item.and_then(|item| Some((record(item).ok()?, item.get("body")?.clone())));
                    stands
                        .map(Some)
                        .ok_or_else(|| StoreError::unreadable("a payment of the simulated provider"))
                }
                _ => Err(store_error(error)),
            },
        }
    }
}

#[async_trait]
impl PaymentProvider for DynamoSimulatedProvider {
    async fn open(
        &self,
        order: OrderId,
        amount: &Money,
        method: &PaymentMethod,
    ) -> Result<Opened, ProviderError> {
        let account = Account::open_if_it_pays(amount.clone(), method);
        Ok(if account.pays { Opened::Open(name(order, &account)) } else { Opened::Declined })
    }

    async fn capture(&self, _: OrderId, reference: &PaymentRef) -> Result<Captured, ProviderError> {
        self.change(reference, Account::capture).await
    }

    async fn retrieve(&self, reference: &PaymentRef) -> Result<PaymentStatus, ProviderError> {
        let get = self.client.get_item().table_name(&self.table).key("order_id", key(reference));
        let got = get.consistent_read(true).send().await.map_err(store_error).map_err(unknown)?;
        let account = match got.item() {
            Some(item) => record(item).map_err(unknown)?,
            None => opened(reference)?,
        };
        Ok(account.status())
    }

    async fn void(&self, reference: &PaymentRef) -> Result<Voided, ProviderError> {
        self.change(reference, Account::void).await
    }

    async fn refund(&self, _: OrderId, reference: &PaymentRef) -> Result<Money, ProviderError> {
        let refunded = self.change(reference, Account::refund).await?;
        refunded.ok_or_else(|| ProviderError::Unavailable(format!("{reference} was not captured")))
    }
}
