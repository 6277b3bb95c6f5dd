//! The contracts of the topics, the provider and the mailer, kept by the SQLite adapters. Those of the stores:
//! `proofs/src/stores`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use email_service_contract::{Arrived, Inbox, a_mail};
use messaging::clock::{Clock, ManualClock};
use messaging::consumer::Delivery;
use messaging::topics::{Outgoing, SendError, Topics};
use messaging_contract::{BothEnds, VISIBILITY};
use protocol::manage::{ManageLinks, ManageSecrets, PublicUrl};
use protocol::passenger::EmailAddress;
use protocol::secret::Secret;
use protocol::time::Timestamp;
use protocol::topic::Topic;
use standalone::sqlite::mailbox::Mailbox;
use standalone::sqlite::topics::{Finished, SqliteTopics};
use standalone::sqlite::{
    self,
    database::{Database, FILE},
};
use system::view::Page;
use tempfile::TempDir;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)))
}

fn database() -> (Database, TempDir, Arc<ManualClock>) {
    let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
    (sqlite::open(directory.path(), clock.clone()).unwrap().0, directory, clock)
}

mod provider {
    use billing_service::provider::PaymentProvider;
    use standalone::sqlite::ledger::SqliteProvider;

    use super::*;

    async fn fresh() -> (Arc<dyn PaymentProvider>, TempDir) {
        let (database, directory, _) = database();
        (Arc::new(SqliteProvider::open(database).await.unwrap()), directory)
    }

    billing_service_contract::payment_provider_contract!(fresh);
}

mod mailer {
    use super::*;

    struct Seen(Mailbox);

    #[async_trait]
    impl Mailer for Seen {
        async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
            self.0.send(mail).await
        }
    }

    #[async_trait]
    impl Inbox for Seen {
        async fn mails(&self, address: &EmailAddress) -> Vec<Arrived> {
            let sent = self.0.sent(&Page::default()).await.unwrap().items;
            let arrived = sent.into_iter().filter(|sent| sent.to == *address);
            arrived.map(|sent| Arrived { subject: sent.subject, text: sent.body }).collect()
        }
    }

    async fn fresh() -> (Seen, TempDir) {
        let (database, directory, clock) = database();
        (Seen(Mailbox { database, clock, links: None }), directory)
    }

    email_service_contract::mailer_contract!(fresh);

    #[tokio::test]
    async fn a_mail_is_kept_without_its_link_in_any_form_and_shown_with_it() {
        let (Seen(mailbox), directory) = fresh().await;
        let secret = Secret::new(b"a secret of more than thirty-two bytes").unwrap();
        let secrets = ManageSecrets { current: secret, previous: None };
        let url = PublicUrl::parse("https://tickets.example.com/").unwrap();
        let mailbox = Mailbox { links: Some(ManageLinks { url, secrets }), ..mailbox };
        let mail = a_mail("ada@example.com");
        let link = mailbox.links.as_ref().unwrap().link(mail.order);
        let mail = Mail { link: Some(link.clone()), ..mail };
        mailbox.send(&mail).await.unwrap();
        let file = rusqlite::Connection::open(directory.path().join(FILE)).unwrap();
        let body: String = file.query_row("SELECT body FROM mailbox", [], |row| row.get(0)).unwrap();
        assert!(!body.contains("tickets.example.com") && !body.contains(link.rsplit('/').next().unwrap()));
        assert_eq!(mailbox.sent(&Page::default()).await.unwrap().items[0].body, mail.text());
    }

    #[tokio::test]
    async fn a_mail_that_a_version_before_has_kept_as_text_is_shown() {
        let (Seen(mailbox), _kept) = fresh().await;
        let text = r#"{"to": "ada@example.com", "subject": "A subject", "body": "A text\n"}"#;
        let sql =
            "INSERT INTO mailbox (order_id, outcome, sent_at, body) VALUES (?1, '\"confirmed\"', 0, ?2)";
        let write =
            mailbox.database.write(move |connection| connection.execute(sql, (&[7; 16], text)).map(drop));
        write.await.unwrap();
        let arrived = Seen(mailbox).mails(&EmailAddress::parse("ada@example.com").unwrap()).await;
        assert_eq!(arrived, [Arrived { subject: "A subject".to_owned(), text: "A text\n".to_owned() }]);
    }

    #[tokio::test]
    async fn a_mail_that_is_sent_again_arrives_once() {
        let (mailer, _kept) = fresh().await;
        email_service_contract::a_mail_arrives_as_it_was_composed(Seen(Mailbox {
            database: mailer.0.database.clone(),
            clock: clock(),
            links: None,
        }))
        .await;
        email_service_contract::a_mail_arrives_as_it_was_composed(mailer).await;
    }
}

mod topics {
    use super::*;

    struct Embedded {
        topics: SqliteTopics,
        database: Database,
        clock: Arc<ManualClock>,
    }

    #[async_trait]
    impl Topics for Embedded {
        async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), SendError>> {
            self.topics.send(messages).await
        }
    }

    #[async_trait]
    impl BothEnds for Embedded {
        async fn receive(&self, topic: Topic, most: usize) -> Vec<Delivery> {
            let receive = self.topics.receive(topic, most, VISIBILITY);
            tokio::time::timeout(Duration::from_millis(300), receive).await.unwrap_or_default()
        }

        async fn acknowledge(&self, topic: Topic, delivery: &Delivery) {
            self.topics.finish(topic, vec![Finished::of(topic, delivery).unwrap()]).await.unwrap();
        }

        async fn redeliver(&self, topic: Topic, delivery: &Delivery) {
            let failed = Finished { redeliver: true, ..Finished::of(topic, delivery).unwrap() };
            self.topics.finish(topic, vec![failed]).await.unwrap();
            self.pass(Duration::from_secs(1)).await;
        }

        async fn dead_letters(&self, topic: Topic) -> Vec<(String, Option<(String, u32)>)> {
            let letters = self.topics.dead_letters(topic).await.unwrap();
            letters.into_iter().map(|letter| (letter.body, Some((letter.failure, letter.attempts)))).collect()
        }

        async fn pass(&self, time: Duration) {
            self.clock.advance(time);
            self.database.wake();
        }
    }

    async fn fresh() -> (Embedded, TempDir) {
        let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
        let (database, topics) = sqlite::open(directory.path(), clock.clone()).unwrap();
        (Embedded { topics, database, clock }, directory)
    }

    messaging_contract::topics_contract!(fresh);

    #[tokio::test]
    async fn a_receiver_that_waits_is_woken_by_a_message_and_by_its_time() {
        let (ends, _kept) = fresh().await;
        let topics = ends.topics.clone();
        let waiting = tokio::spawn(async move {
            let mut bodies = Vec::new();
            while bodies.len() < 2 {
                bodies.extend(
                    topics
                        .receive(Topic::Tickets, 10, Duration::from_secs(600))
                        .await
                        .into_iter()
                        .map(|one| one.body),
                );
            }
            bodies
        });
        let message = |body: &str, seconds| Outgoing {
            topic: Topic::Tickets,
            body: body.to_owned(),
            delay: Duration::from_secs(seconds),
            dead_letter: None,
            about: None,
        };
        ends.send(vec![message("later", 60), message("now", 0)]).await;
        ends.pass(Duration::from_secs(60)).await;
        assert_eq!(waiting.await.unwrap(), ["now", "later"]);
    }

    #[tokio::test]
    async fn a_dropped_receive_leaves_its_messages_in_the_topic() {
        let (ends, _kept) = fresh().await;
        let mut gone = Box::pin(ends.topics.receive(Topic::Email, 10, VISIBILITY));
        let _ = tokio::time::timeout(Duration::from_millis(20), &mut gone).await;
        drop(gone);
        let message = Outgoing {
            topic: Topic::Email,
            body: "kept".to_owned(),
            delay: Duration::ZERO,
            dead_letter: None,
            about: None,
        };
        ends.send(vec![message]).await;
        let received = ends.receive(Topic::Email, 10).await;
        assert_eq!(
            received
                .iter()
                .map(|delivery| (delivery.body.as_str(), delivery.receive_count))
                .collect::<Vec<_>>(),
            [("kept", 1)]
        );
    }

    #[tokio::test]
    async fn messages_handed_to_a_dropped_receiver_are_requeued_at_once() {
        let (ends, _kept) = fresh().await;
        let mut gone = Box::pin(ends.topics.receive(Topic::Email, 10, VISIBILITY));
        let _ = tokio::time::timeout(Duration::from_millis(20), &mut gone).await;
        // The receiver gets it when the send is answered, or a moment later.
        let message = Outgoing {
            topic: Topic::Email,
            body: "kept".to_owned(),
            delay: Duration::ZERO,
            dead_letter: None,
            about: None,
        };
        ends.send(vec![message]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(gone);
        let received = ends.receive(Topic::Email, 10).await;
        assert_eq!(
            received
                .iter()
                .map(|delivery| (delivery.body.as_str(), delivery.receive_count))
                .collect::<Vec<_>>(),
            [("kept", 1)]
        );
    }

    #[tokio::test]
    async fn a_message_whose_finish_fails_is_redelivered_though_its_group_is_committed() {
        let (ends, directory) = fresh().await;
        // The database refuses one answer. The write is undone alone.
        let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.body = 'refused'
                       BEGIN SELECT RAISE(ABORT, 'as asked'); END;";
        rusqlite::Connection::open(directory.path().join(FILE)).unwrap().execute_batch(trigger).unwrap();
        let message = |body: &str| Outgoing {
            topic: Topic::Email,
            body: body.to_owned(),
            delay: Duration::ZERO,
            dead_letter: None,
            about: None,
        };
        ends.send(vec![message("kept")]).await;
        let received = ends.receive(Topic::Email, 10).await;
        let finished = Finished::of(Topic::Email, &received[0]).unwrap();
        let refused = Outgoing { delay: Duration::from_secs(1), ..message("refused") };
        let finished = Finished { messages: vec![refused], ..finished };
        assert!(ends.topics.finish(Topic::Email, vec![finished]).await.is_err());
        ends.pass(VISIBILITY).await;
        let again = ends.receive(Topic::Email, 10).await;
        let again: Vec<_> = again.iter().map(|one| (one.body.as_str(), one.receive_count)).collect();
        assert_eq!(again, [("kept", 2)]);
    }

    #[tokio::test]
    async fn messages_survive_a_restart() {
        let (ends, directory) = fresh().await;
        let message = Outgoing {
            topic: Topic::Email,
            body: "kept".to_owned(),
            delay: Duration::ZERO,
            dead_letter: None,
            about: None,
        };
        ends.send(vec![message]).await;
        ends.database.close();
        let clock: Arc<dyn Clock> = ends.clock.clone();
        let (_database, topics) = sqlite::open(directory.path(), clock).unwrap();
        let received = topics.receive(Topic::Email, 10, VISIBILITY).await;
        assert_eq!(received[0].body, "kept");
    }
}

mod limits {
    use booking_gateway::limits::Limits;
    use standalone::limits::MemoryLimiter;

    use super::*;

    async fn memory(limits: Limits, clock: Arc<ManualClock>) -> MemoryLimiter {
        MemoryLimiter::new(limits, clock)
    }

    booking_gateway_contract::limiter_contract!(memory);
}
