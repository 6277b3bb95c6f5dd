//! Mail by SMTP: what arrives, and what happens to a mail that the server refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use email_service::service::{EmailService, Loaded};
use email_service::store::MailStore;
use email_service_contract::Inbox;
use mailparse::{MailHeaderMap, parse_mail};
use messaging::clock::{Clock, ManualClock};
use messaging::consumer::{Outcome, Service};
use protocol::event::Event;
use protocol::flight::{FlightId, SeatCount};
use protocol::ids::OrderId;
use protocol::messages::{EmailCommand, Notice, NoticeOutcome};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::time::Timestamp;
use standalone::smtp::{Smtp, SmtpMailer};
use standalone::sqlite;
use standalone::sqlite::SqliteStores;
use standalone::sqlite::mailbox::Mailbox;
use support::smtp_server::SmtpServer;
use tempfile::TempDir;

struct Post {
    server: SmtpServer,
    mailer: Arc<SmtpMailer>,
    mailbox: Arc<Mailbox>,
    _kept: TempDir,
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)))
}

impl Post {
    async fn start() -> Self {
        Self::with(SmtpServer::start().await)
    }

    fn with(server: SmtpServer) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let database = sqlite::open(kept.path(), clock()).unwrap().0;
        let mailbox = Arc::new(Mailbox { database, clock: clock(), links: None });
        let mailer = mailer(server.port, None, mailbox.clone());
        Self { server, mailer, mailbox, _kept: kept }
    }

    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        self.mailer.send(order(), NoticeOutcome::Confirmed, mail).await
    }

    async fn copies(&self) -> usize {
        self.mailbox.sent().await.unwrap().len()
    }
}

fn mailer(port: u16, password: Option<&str>, mailbox: Arc<Mailbox>) -> Arc<SmtpMailer> {
    let (url, username) = (format!("smtp://127.0.0.1:{port}"), password.map(|_| "tickets".to_owned()));
    let smtp = Smtp::parse(&url, "tickets@example.com", username, password.map(str::to_owned)).unwrap();
    Arc::new(SmtpMailer::new(smtp, mailbox, clock()))
}

fn order() -> OrderId {
    OrderId::from_bytes([7; 16])
}

fn mail(subject: &str, body: &str) -> Mail {
    let to = EmailAddress::parse("ada@example.com").unwrap();
    Mail { to, subject: subject.to_owned(), body: body.to_owned(), link: None }
}

fn plain() -> Mail {
    mail("Your booking", "Dear Ada,\n\nit is booked.\n")
}

#[async_trait]
impl Mailer for Post {
    async fn send(&self, order: OrderId, outcome: NoticeOutcome, mail: &Mail) -> Result<(), MailerError> {
        self.mailer.send(order, outcome, mail).await
    }
}

#[async_trait]
impl Inbox for Post {
    async fn mails(&self, address: &EmailAddress) -> Vec<Mail> {
        let taken = self.server.taken().into_iter();
        let taken = taken.filter(|taken| taken.to == [format!("<{address}>")]);
        let read = taken.map(|taken| {
            let parsed = parse_mail(taken.text.as_bytes()).unwrap();
            let subject = parsed.headers.get_first_value("Subject").unwrap();
            // SMTP ends a text with line breaks of its own.
            let body = format!("{}\n", parsed.get_body().unwrap().replace("\r\n", "\n").trim_end());
            Mail { to: address.clone(), subject, body, link: None }
        });
        read.collect()
    }
}

async fn fresh() -> (Post, ()) {
    (Post::start().await, ())
}

email_service_contract::mailer_contract!(fresh);

#[tokio::test]
async fn a_mail_says_when_it_was_sent_from_whom_and_which_it_is_and_a_copy_is_kept() {
    let post = Post::start().await;
    post.send(&plain()).await.unwrap();
    let taken = &post.server.taken()[0];
    assert_eq!(
        (taken.from.as_str(), taken.to.as_slice()),
        ("<tickets@example.com>", ["<ada@example.com>".to_owned()].as_slice())
    );
    let parsed = parse_mail(taken.text.as_bytes()).unwrap();
    let header = |name| parsed.headers.get_first_value(name).unwrap();
    assert_eq!(header("From"), "tickets@example.com");
    assert_eq!(header("To"), "ada@example.com");
    assert_eq!(header("Date"), "Fri, 15 Jan 2027 08:00:00 +0000");
    assert!(header("Message-ID").starts_with(&format!("<{}.", order())), "{}", header("Message-ID"));
    let copies = post.mailbox.sent().await.unwrap();
    assert_eq!(copies[0].mail, plain());
}

#[tokio::test]
async fn a_mail_waits_until_a_server_answers() {
    let gone = SmtpServer::start().await;
    let port = gone.port;
    let post = Post::with(gone);
    post.send(&plain()).await.unwrap();
    let away = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_ne!(away, port);
    let unreachable = mailer(away, None, post.mailbox.clone());
    let error = unreachable.send(order(), NoticeOutcome::Cancelled, &plain()).await.unwrap_err();
    assert!(matches!(error, MailerError::Unavailable(_)), "{error}");
    assert_eq!(post.copies().await, 1, "what was not sent is not shown as sent");
}

#[tokio::test]
async fn a_mail_waits_after_a_temporary_error() {
    for (command, answer) in [
        ("EHLO", "421 4.3.2 shutting down"),
        ("MAIL", "452 4.3.1 full"),
        ("RCPT", "451 4.7.1 greylisted, come back later"),
        ("RCPT", "450 4.2.1 mailbox busy: <ada@example.com>"),
        ("DATA", "451 4.3.0 not now"),
        (".", "451 4.3.0 not now"),
        ("RCPT", ""),
    ] {
        let post = Post::start().await;
        post.server.script(command, answer);
        let error = post.send(&plain()).await.unwrap_err();
        assert!(matches!(error, MailerError::Unavailable(_)), "{command} {answer}: {error}");
        assert!(!error.to_string().contains("ada@"), "{error}");
        assert_eq!((post.server.taken().len(), post.copies().await), (0, 0), "{command} {answer}");
        post.send(&plain()).await.unwrap();
        assert_eq!((post.server.taken().len(), post.copies().await), (1, 1), "{command} {answer}");
    }
}

#[tokio::test]
async fn a_mail_is_undeliverable_only_if_nobody_is_at_its_address() {
    for (command, answer) in [
        ("RCPT", "550 5.1.1 <ada@example.com>: no such user"),
        ("RCPT", "550 5.1.10 null MX"),
        ("RCPT", "553 5.1.3 bad address"),
        ("RCPT", "550 5.2.1 mailbox disabled"),
        (".", "550 5.1.1 no such user"),
    ] {
        let post = Post::start().await;
        post.server.script(command, answer);
        let error = post.send(&plain()).await.unwrap_err();
        assert!(matches!(error, MailerError::Undeliverable(_)), "{command} {answer}: {error}");
        assert!(!error.to_string().contains("ada@"), "{error}");
        assert_eq!(post.copies().await, 0, "it was not sent");
    }
    for (command, answer) in [
        ("MAIL", "550 5.1.8 sender unknown"),
        ("MAIL", "550 sender unknown"),
        ("RCPT", "550 5.7.1 relaying denied"),
        ("RCPT", "550 relay not permitted"),
        ("RCPT", "550 5.1.0 sender rejected"),
        ("RCPT", "550-no such user\r\n <ada@example.com>"),
        ("RCPT", "554 5.7.1 your network is blocked"),
        ("DATA", "554 no valid recipients"),
        (".", "554 5.6.0 not that text"),
        (".", "550 it looks like spam"),
    ] {
        let post = Post::start().await;
        post.server.script(command, answer);
        let error = post.send(&plain()).await.unwrap_err();
        assert!(matches!(error, MailerError::Unavailable(_)), "{command} {answer}: {error}");
        assert!(!error.to_string().contains("ada@"), "{error}");
    }
}

#[tokio::test]
async fn a_mail_whose_acceptance_was_lost_is_sent_again_with_the_same_message_id() {
    let post = Post::start().await;
    post.server.script(".", "");
    assert!(matches!(post.send(&plain()).await, Err(MailerError::Unavailable(_))));
    post.send(&plain()).await.unwrap();
    let taken = post.server.taken();
    let id = |text: &str| parse_mail(text.as_bytes()).unwrap().headers.get_first_value("Message-ID").unwrap();
    assert_eq!(taken.len(), 2);
    assert_eq!(id(&taken[0].text), id(&taken[1].text));
}

#[tokio::test]
async fn a_duplicate_command_even_at_the_same_time_sends_one_mail() {
    let post = Post::start().await;
    let mail = plain();
    let (one, other) = tokio::join!(post.send(&mail), post.send(&mail));
    assert!(one.is_ok() && matches!(other, Err(MailerError::Unavailable(_))), "the other waits: {other:?}");
    post.send(&mail).await.unwrap();
    assert_eq!(post.server.taken().len(), 1);
    post.mailer.send(order(), NoticeOutcome::Cancelled, &mail).await.unwrap();
    assert_eq!(post.server.taken().len(), 2, "another mail of the same order is another mail");
}

#[tokio::test]
async fn a_login_is_used_and_after_a_wrong_one_mail_waits_and_no_password_is_shown() {
    let post = Post::start().await;
    let mailer = mailer(post.server.port, Some("verySecret"), post.mailbox.clone());
    post.server.script("AUTH", "535 5.7.8 wrong: verySecret");
    let error = mailer.send(order(), NoticeOutcome::Confirmed, &plain()).await.unwrap_err();
    assert!(matches!(error, MailerError::Unavailable(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("verySecret"));
    mailer.send(order(), NoticeOutcome::Confirmed, &plain()).await.unwrap();
    // \0tickets\0verySecret
    assert!(post.server.commands().contains(&"AUTH PLAIN AHRpY2tldHMAdmVyeVNlY3JldA==".to_owned()));
}

#[tokio::test]
async fn nothing_that_a_customer_writes_becomes_a_header_a_recipient_or_a_command() {
    for name in [
        "Ada\r\nBcc: eve@example.com",
        "Ada\nBcc: eve@example.com",
        "Ada\r\n.\r\nMAIL FROM:<eve@example.com>",
    ] {
        assert!(PassengerName::parse(name).is_err(), "the border lets no line break in");
    }
    // A line break in a subject or a body stays there.
    let post = Post::start().await;
    let evil = "Ada\r\nBcc: eve@example.com\r\n\r\n.\r\nMAIL FROM:<eve@example.com>\r\n.\r\n..";
    post.send(&mail(evil, evil)).await.unwrap();
    let taken = post.server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].to, ["<ada@example.com>"]);
    let parsed = parse_mail(taken[0].text.as_bytes()).unwrap();
    assert!(parsed.headers.get_first_value("Bcc").is_none(), "{}", taken[0].text);
    assert_eq!(parsed.get_body().unwrap().trim_end(), evil, "to the letter");
    assert!(!post.server.commands().iter().any(|command| command.contains("eve@")));
}

fn confirmed(name: &str) -> Event<EmailCommand> {
    let passenger = Passenger {
        name: PassengerName::parse(name).unwrap(),
        email: EmailAddress::parse("ada@example.com").unwrap(),
    };
    let notice = Notice {
        outcome: NoticeOutcome::Confirmed,
        reason: None,
        passenger,
        flight_id: FlightId::parse("OS-101").unwrap(),
        seats: SeatCount::try_from(2).unwrap(),
        amount: None,
        departs_at: None,
    };
    let message = EmailCommand::Send(notice);
    Event { order: order(), message, time: clock().now(), expires: None, traceparent: None, attempt: 0 }
}

#[tokio::test]
async fn the_email_service_waits_for_a_server_and_not_for_an_unknown_address() {
    let post = Post::start().await;
    let store = Arc::new(SqliteStores(post.mailbox.database.clone()));
    let service = EmailService { store: store.clone(), mailer: post.mailer.clone(), links: None };
    let event = confirmed("Ada \u{2028}Bcc: Byron");
    post.server.script("RCPT", "451 4.7.1 greylisted");
    assert!(matches!(service.handle(&event, &Loaded::default()).await.unwrap(), Outcome::Wait(_)));
    assert_eq!(store.last(order()).await.unwrap(), None);
    post.server.script("RCPT", "550 5.1.1 no such user");
    assert!(matches!(service.handle(&event, &Loaded::default()).await.unwrap(), Outcome::Done(_)));
    assert_eq!(
        store.last(order()).await.unwrap(),
        Some(NoticeOutcome::Confirmed),
        "it does not wait forever"
    );
    assert!(post.server.taken().is_empty());
}
