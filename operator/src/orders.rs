//! Lists of orders. The unsettled are in an index by their next check; all others are found by a scan, in no order beyond a
//! page: a page is sorted, newest first.

use std::collections::BTreeMap;

use aws::dynamodb::{Item, scan, store_error, string};
use booking_gateway::check::NextCheck;
use booking_gateway::order::{Order, Status};
use booking_gateway::store::{Check, From, OrderStore};
use booking_gateway_lambda::dynamodb::{is_order, order};
use futures_util::future::try_join_all;
use messaging::store::StoreError;
use protocol::ids::OrderId;
use protocol::time::Timestamp;
use system::view::{Filter, Page, PageError, Paged};

use crate::records::Records;

/// Later than every check: the year 9999.
const END: i64 = 253_402_300_799_000;

/// A page of orders.
pub async fn list(records: &Records, filter: Filter, page: &Page) -> Result<Paged<Order>, PageError> {
    if filter == Filter::UNSETTLED {
        return unsettled(records, page).await;
    }
    let Filter { status, settled } = filter;
    let is_wanted = move |order: &Order| {
        status.is_none_or(|status| order.state.status() == status)
            && settled.is_none_or(|settled| order.state.is_settled() == settled)
    };
    scanned(records, page, is_wanted).await
}

/// How many orders have each status: a scan.
pub async fn by_status(records: &Records) -> Result<Vec<(Status, u64)>, StoreError> {
    let (client, table) = records.orders_table();
    let mut counts: BTreeMap<String, (Status, u64)> = BTreeMap::new();
    scan(client, table, |item| {
        if is_order(item) {
            let status = order(item)?.state.status();
            counts.entry(format!("{status:?}")).or_insert((status, 0)).1 += 1;
        }
        Ok(())
    })
    .await?;
    Ok(counts.into_values().collect())
}

/// Those that are not settled, by their next check.
async fn unsettled(records: &Records, page: &Page) -> Result<Paged<Order>, PageError> {
    let after = page.after.as_deref().map(|after| parse(after).ok_or(PageError::After)).transpose()?;
    let store = records.orders();
    let shards = (0..store.shards()).map(|shard| {
        let from = From::Oldest(after.as_ref());
        store.due(shard, Timestamp::from_millis(END), from, page.limit + 1)
    });
    let mut checks: Vec<Check> = try_join_all(shards).await?.into_iter().flatten().collect();
    checks.sort_unstable();
    let page = Paged::of(checks, page.limit, cursor);
    let ids: Vec<_> = page.items.iter().map(|check| check.order).collect();
    let mut orders = store.get_many(&ids).await?;
    let next = page.next;
    // One that was settled since is left out.
    let unsettled = ids.iter().filter_map(|id| orders.remove(id)).filter(|order| !order.state.is_settled());
    Ok(Paged { items: unsettled.collect(), next })
}

fn cursor(check: &Check) -> String {
    format!("{}.{}.{}", check.at.as_millis(), check.count, check.order)
}

fn parse(after: &str) -> Option<Check> {
    let mut parts = after.split('.');
    let (at, count, order) = (parts.next()?, parts.next()?, parts.next()?);
    let next = NextCheck { at: Timestamp::from_millis(at.parse().ok()?), count: count.parse().ok()? };
    parts.next().is_none().then_some(())?;
    Some(Check::of(order.parse().ok()?, next))
}

async fn scanned(
    records: &Records,
    page: &Page,
    wanted: impl Fn(&Order) -> bool,
) -> Result<Paged<Order>, PageError> {
    let key = |id: OrderId| Item::from([("id".to_owned(), string(id.to_string()))]);
    let after = page.after.as_deref().map(|after| after.parse().map(key).map_err(|_| PageError::After));
    let mut start = after.transpose()?;
    let (client, table) = records.orders_table();
    let mut found: Vec<Order> = Vec::new();
    // One more shows that there is another page.
    while found.len() <= page.limit {
        let ask = client.scan().table_name(table).set_exclusive_start_key(start);
        let ask = ask.limit(i32::try_from(page.limit + 1).unwrap_or(i32::MAX)).consistent_read(true);
        let answer = ask.send().await.map_err(store_error)?;
        for item in answer.items().iter().filter(|item| is_order(item)) {
            let order = order(item)?;
            found.extend(wanted(&order).then_some(order));
        }
        start = answer.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    // In the order of the scan, in which the next page goes on.
    let mut page = Paged::of(found, page.limit, |order| order.id.to_string());
    page.items.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
    Ok(page)
}
