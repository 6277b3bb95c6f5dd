//! The gateway's ports, kept by the DynamoDB adapter.

use std::sync::Arc;

use booking_gateway::store::OrderStore;
use booking_gateway_lambda::dynamodb::DynamoOrders;
use testkit::dynamodb;

async fn fresh() -> (Arc<dyn OrderStore>, ()) {
    let client = dynamodb::client();
    let table = dynamodb::table(&client, "OrdersTable").await;
    (Arc::new(DynamoOrders { client, table }), ())
}

booking_gateway_contract::order_store_contract!(fresh);

mod limits {
    use booking_gateway::limits::Limits;
    use booking_gateway_lambda::limits::DynamoLimiter;
    use std::net::IpAddr;

    use aws::dynamodb::string;
    use booking_gateway::limits::Limiter;
    use messaging::clock::ManualClock;
    use protocol::passenger::EmailAddress;
    use protocol::secret::Secret;
    use protocol::time::Timestamp;

    use super::*;

    fn start() -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }

    async fn counters(limits: Limits, clock: Arc<ManualClock>) -> DynamoLimiter {
        let client = dynamodb::client();
        let table = dynamodb::table(&client, "OrdersTable").await;
        let secret = Secret::new(&[7; 32]).expect("32 bytes");
        DynamoLimiter { client, table, clock, secret, limits }
    }

    booking_gateway_contract::limiter_contract!(counters);

    /// A counter is deleted by itself, and names its client by a digest.
    #[tokio::test]
    async fn a_counter_expires_and_holds_no_address() {
        let limiter = counters(Limits::default(), Arc::new(ManualClock::at(start()))).await;
        let email = EmailAddress::parse("ada@example.com").expect("an address");
        let address: IpAddr = [192, 0, 2, 7].into();
        limiter.admit(address.into(), &email).await.expect("it is counted");

        let client = limiter.secret.tag(&[b"client/1\0", address.to_string().as_bytes()]);
        let client: String = client.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("limits/{client}/{}", start().as_millis() / 60_000);
        let get = limiter.client.get_item().table_name(&limiter.table).key("id", string(&id));
        let item = get.send().await.expect("the table is read").item.expect("the counter");
        assert_eq!(item["expires"].as_n().map(String::as_str), Ok("1800000120"), "a minute after its minute");
        let other: Vec<_> =
            item.keys().filter(|name| !["id", "orders", "expires"].contains(&name.as_str())).collect();
        assert!(matches!(&other[..], [email] if email.len() == 13 && email.starts_with('e')), "{item:?}");
    }
}
