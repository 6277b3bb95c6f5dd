//! Mail by SMTP: what arrives, and what happens to a mail that the server refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use email_service::mail::Mail;
use email_service::mailer::{Mailer, MailerError};
use email_service::service::{EmailService, Loaded};
use email_service::store::MailStore;
use email_service_contract::{Arrived, Inbox, a_mail};
use mailparse::{MailHeaderMap, parse_mail};
use messaging::clock::{Clock, ManualClock};
use messaging::consumer::{Outcome, Service};
use protocol::event::Event;
use protocol::flight::{FlightId, Route, SeatCount, TimeZoneName};
use protocol::ids::OrderId;
use protocol::messages::{EmailCommand, Notice, NoticeOutcome};
use protocol::passenger::{EmailAddress, Passenger, PassengerName};
use protocol::time::Timestamp;
use standalone::smtp::{MemoryMailCounter, Patience, Smtp, SmtpMailer};
use standalone::sqlite;
use standalone::sqlite::SqliteStores;
use standalone::sqlite::mailbox::Mailbox;
use support::smtp_server::SmtpServer;
use system::view::Page;
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

    /// The same, with a mailer whose deliveries wait no longer than this.
    async fn with_patience(delivery: Duration) -> Self {
        let post = Self::start().await;
        let patience = Patience { delivery, ..Patience::default() };
        let smtp = Smtp::parse(&url(post.server.port), "tickets@example.com", None, None).unwrap();
        let mailer = Arc::new(SmtpMailer::new(smtp, post.mailbox.clone(), clock(), patience));
        Self { mailer, ..post }
    }

    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        self.mailer.send(mail).await
    }

    async fn copies(&self) -> usize {
        self.mailbox.sent(&Page::default()).await.unwrap().items.len()
    }
}

fn url(port: u16) -> String {
    format!("smtp://127.0.0.1:{port}")
}

fn mailer(port: u16, password: Option<&str>, mailbox: Arc<Mailbox>) -> Arc<SmtpMailer> {
    let username = password.map(|_| "tickets".to_owned());
    let smtp = Smtp::parse(&url(port), "tickets@example.com", username, password.map(str::to_owned)).unwrap();
    Arc::new(SmtpMailer::new(smtp, mailbox, clock(), Patience::default()))
}

fn order() -> OrderId {
    OrderId::from_bytes([7; 16])
}

fn plain() -> Mail {
    about(order(), NoticeOutcome::Confirmed, "ada@example.com")
}

/// Another mail of the same order.
fn cancelled() -> Mail {
    about(order(), NoticeOutcome::Cancelled, "ada@example.com")
}

/// The same mail of another order.
fn numbered(order: u8) -> Mail {
    Mail { order: OrderId::from_bytes([order; 16]), ..plain() }
}

fn about(order: OrderId, outcome: NoticeOutcome, to: &str) -> Mail {
    let mail = a_mail(to);
    Mail { order, notice: Notice { outcome, ..mail.notice }, ..mail }
}

#[async_trait]
impl Mailer for Post {
    async fn send(&self, mail: &Mail) -> Result<(), MailerError> {
        self.mailer.send(mail).await
    }
}

#[async_trait]
impl Inbox for Post {
    async fn mails(&self, address: &EmailAddress) -> Vec<Arrived> {
        let taken = self.server.taken().into_iter();
        let taken = taken.filter(|taken| taken.to == [format!("<{address}>")]);
        let read = taken.map(|taken| {
            let parsed = parse_mail(taken.text.as_bytes()).unwrap();
            let subject = parsed.headers.get_first_value("Subject").unwrap();
            Arrived { subject, text: texts(&taken.text)[0].1.clone() }
        });
        read.collect()
    }
}

async fn fresh() -> (Post, ()) {
    (Post::start().await, ())
}

email_service_contract::mailer_contract!(fresh);

mod counter {
    use email_service::limit::MailCounter;

    use super::*;

    async fn fresh() -> (Arc<dyn MailCounter>, ()) {
        (Arc::new(MemoryMailCounter::default()), ())
    }

    email_service_contract::mail_counter_contract!(fresh);
}

/// What is logged in this test's thread while it lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Its errors.
    fn errors(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

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
    let copies = post.mailbox.sent(&Page::default()).await.unwrap().items;
    let (copy, mail) = (&copies[0], plain());
    assert_eq!((&copy.to, &copy.subject, &copy.body), (mail.to(), &mail.subject(), &mail.text()));
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
    let error = unreachable.send(&cancelled()).await.unwrap_err();
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
        ("RCPT", "550-no such user\r\n <ada@example.com>"),
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
async fn a_mail_is_undeliverable_only_if_its_address_does_not_exist() {
    for (command, answer) in [
        ("RCPT", "550 5.1.1 <ada@example.com>: no such user"),
        ("RCPT", "550 5.1.10 null MX"),
        ("RCPT", "553 5.1.3 bad address"),
        ("RCPT", "550 5.2.1 mailbox disabled"),
        (".", "550 5.1.1 no such user"),
        ("RCPT", "552 5.2.2 mailbox full"),
        ("RCPT", "550 5.2.0 no mail for that mailbox"),
        (".", "552 5.2.3 too long for that mailbox"),
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
        ("RCPT", "551 user not local"),
        ("RCPT", "553 not allowed"),
        ("RCPT", "550 5.1.0 sender rejected"),
        ("RCPT", "554 5.7.1 your network is blocked"),
        ("DATA", "554 no valid recipients"),
        (".", "554 5.6.0 not that text"),
        (".", "550 it looks like spam"),
    ] {
        let post = Post::start().await;
        let (log, _logging) = Log::start();
        post.server.script(command, answer);
        let error = post.send(&plain()).await.unwrap_err();
        assert!(matches!(error, MailerError::Unavailable(_)), "{command} {answer}: {error}");
        assert!(!error.to_string().contains("ada@"), "{error}");
        let errors = log.errors();
        assert!(
            matches!(&errors[..], [error] if error.contains("operator")),
            "{command} {answer}: {errors:?}"
        );
        assert!(!errors[0].contains("ada@"), "{errors:?}");
        post.send(&plain()).await.unwrap();
        assert_eq!(post.copies().await, 1, "{command} {answer}: it is sent once that is mended");
    }
}

#[tokio::test]
async fn an_address_that_does_not_exist_gets_no_other_mail_until_it_is_lifted() {
    let post = Post::start().await;
    post.server.script("RCPT", "550 5.1.1 no such user");
    assert!(matches!(post.send(&plain()).await, Err(MailerError::Undeliverable(_))));
    let asked = post.server.commands().len();
    let other = OrderId::from_bytes([8; 16]);
    for address in ["ada@example.com", "Ada@Example.com"] {
        let error = post.mailer.send(&about(other, NoticeOutcome::Rejected, address)).await.unwrap_err();
        assert!(matches!(error, MailerError::Undeliverable(_)), "{error}");
        assert!(error.to_string().contains("2027-01-15") && !error.to_string().contains('@'), "{error}");
    }
    assert_eq!(post.server.commands().len(), asked, "the server is not asked");
    post.mailer.send(&about(other, NoticeOutcome::Rejected, "bob@example.com")).await.unwrap();

    // As docs/SECURITY.md says, on a server that does not run.
    post.mailbox.database.close();
    let file = post._kept.path().join(sqlite::database::FILE);
    let lifted = rusqlite::Connection::open(file).unwrap();
    let sql = "DELETE FROM undeliverable WHERE address = 'ada@example.com'";
    assert_eq!(lifted.execute(sql, []).unwrap(), 1);
    drop(lifted);
    let database = sqlite::open(post._kept.path(), clock()).unwrap().0;
    let mailbox = Arc::new(Mailbox { database, clock: clock(), links: None });
    let started_again = mailer(post.server.port, None, mailbox);
    started_again.send(&about(other, NoticeOutcome::Cancelled, "ada@example.com")).await.unwrap();
}

#[tokio::test]
async fn a_full_mailbox_loses_one_mail_and_gets_the_next() {
    let post = Post::start().await;
    post.server.script("RCPT", "552 5.2.2 mailbox full");
    assert!(matches!(post.send(&plain()).await, Err(MailerError::Undeliverable(_))));
    post.mailer.send(&cancelled()).await.unwrap();
}

/// RFC 5321, 4.5.3.2.6: ten minutes for the answer to the text. A message has less.
#[tokio::test]
async fn a_mail_whose_acceptance_takes_long_is_sent_once_however_often_it_is_delivered() {
    let post = Post::with_patience(Duration::from_millis(100)).await;
    post.server.hold(true);
    for _ in 0..3 {
        let error = post.send(&plain()).await.unwrap_err();
        assert!(matches!(error, MailerError::Unavailable(_)), "{error}");
    }
    post.server.hold(false);
    post.send(&plain()).await.unwrap();
    post.send(&plain()).await.unwrap();
    assert_eq!((post.server.taken().len(), post.copies().await), (1, 1));
}

#[tokio::test]
async fn a_late_answer_is_found_by_the_next_delivery() {
    for (answer, copies) in [("250 taken", 1), ("552 5.2.2 mailbox full", 0), ("550 5.1.1 unknown", 0)] {
        let post = Post::with_patience(Duration::from_millis(100)).await;
        post.server.hold(true);
        post.server.script(".", answer);
        assert!(matches!(post.send(&plain()).await, Err(MailerError::Unavailable(_))), "{answer}");
        let begun = post.server.commands().len();
        post.server.hold(false);
        // It comes while no delivery waits for it.
        let ended = async || {
            let quit = post.server.commands().len() > begun || copies == 0;
            if quit && post.copies().await == copies { Ok(()) } else { Err("not yet") }
        };
        client::eventually(Duration::from_secs(5), Duration::from_millis(5), ended).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let found = post.send(&plain()).await;
        if copies == 1 {
            found.unwrap();
        } else {
            assert!(matches!(found, Err(MailerError::Undeliverable(_))), "{answer}: {found:?}");
        }
        let texts = post.server.commands().iter().filter(|command| *command == "DATA").count();
        assert_eq!(texts, 1, "{answer}: one exchange");
    }
}

#[tokio::test]
async fn a_mail_waits_for_a_free_connection_and_the_slow_ones_do_not_block_it_for_ever() {
    let post = Post::with_patience(Duration::from_millis(100)).await;
    post.server.hold(true);
    for order in 1..=9 {
        assert!(post.mailer.send(&numbered(order)).await.is_err());
    }
    assert_eq!(post.server.commands().iter().filter(|line| *line == "DATA").count(), 8, "at the same time");
    post.server.hold(false);
    for order in 1..=9 {
        post.mailer.send(&numbered(order)).await.unwrap();
    }
    assert_eq!(post.server.taken().len(), 9);
}

/// The attack: bookings in a row, all with the address of somebody else.
#[tokio::test]
async fn an_address_gets_no_more_mails_in_an_hour_than_it_may_and_the_others_later() {
    let post = Post::start().await;
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let smtp = Smtp::parse(&url(post.server.port), "tickets@example.com", None, None).unwrap();
    let smtp = smtp.with_mails_per_hour(3);
    let mailer = SmtpMailer::new(smtp, post.mailbox.clone(), clock.clone(), Patience::default());
    for order in 1..=5 {
        let sent = mailer.send(&numbered(order)).await;
        assert_eq!(matches!(sent, Err(MailerError::Limited(_))), order > 3, "{order}: {sent:?}");
    }
    // What was sent before is no other mail.
    mailer.send(&numbered(1)).await.unwrap();
    clock.advance(Duration::from_secs(60 * 60));
    for order in 4..=5 {
        mailer.send(&numbered(order)).await.unwrap();
    }
    assert_eq!(post.server.taken().len(), 5);
}

#[tokio::test]
async fn a_server_whose_tls_will_never_fit_is_an_error_that_says_what_to_do() {
    let (plain_text, tls) = (SmtpServer::start().await, SmtpServer::start_with_tls().await);
    for (server, says) in [(&tls, "who issued the certificate"), (&plain_text, "speaks no TLS")] {
        let post = Post::start().await;
        let url = format!("smtps://127.0.0.1:{}", server.port);
        let smtp = Smtp::parse(&url, "tickets@example.com", None, None).unwrap();
        let mailer = SmtpMailer::new(smtp, post.mailbox.clone(), clock(), Patience::default());
        let (log, _logging) = Log::start();
        let error = mailer.send(&plain()).await.unwrap_err();
        assert!(matches!(error, MailerError::Unavailable(_)), "{error}");
        let errors = log.errors();
        assert!(matches!(&errors[..], [error] if error.contains(says)), "{errors:?}");
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
    assert_eq!((one, other), (Ok(()), Ok(())), "they wait for one exchange");
    post.send(&mail).await.unwrap();
    assert_eq!(post.server.taken().len(), 1);
    post.mailer.send(&cancelled()).await.unwrap();
    assert_eq!(post.server.taken().len(), 2, "another mail of the same order is another mail");
}

#[tokio::test]
async fn a_login_is_used_and_after_a_wrong_one_mail_waits_and_no_password_is_shown() {
    let post = Post::start().await;
    let mailer = mailer(post.server.port, Some("verySecret"), post.mailbox.clone());
    post.server.script("AUTH", "535 5.7.8 wrong: verySecret");
    let error = mailer.send(&plain()).await.unwrap_err();
    assert!(matches!(error, MailerError::Unavailable(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("verySecret"));
    mailer.send(&plain()).await.unwrap();
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
    // A line break in what an operator writes stays in the text.
    let post = Post::start().await;
    let evil = "Ada\r\nBcc: eve@example.com\r\n\r\n.\r\nMAIL FROM:<eve@example.com>\r\n.\r\n..";
    let route = Route { from: evil.to_owned(), to: evil.to_owned(), time_zone: TimeZoneName::default() };
    let mail = Mail { notice: Notice { route: Some(route), ..plain().notice }, ..plain() };
    assert!(mail.text().contains(evil));
    post.send(&mail).await.unwrap();
    let taken = post.server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].to, ["<ada@example.com>"]);
    let parsed = parse_mail(taken[0].text.as_bytes()).unwrap();
    assert!(parsed.headers.get_first_value("Bcc").is_none(), "{}", taken[0].text);
    assert_eq!(texts(&taken[0].text)[0].1, mail.text().replace("\r\n", "\n"), "to the letter");
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
        route: None,
    };
    let message = EmailCommand::Send(notice);
    Event { order: order(), message, time: clock().now(), expires: None, traceparent: None, attempt: 0 }
}

/// Its parts without parts of their own.
fn texts(message: &str) -> Vec<(String, String)> {
    let parsed = parse_mail(message.as_bytes()).unwrap();
    let leaves = parsed.parts().filter(|part| part.subparts.is_empty());
    leaves.map(|part| (part.ctype.mimetype.clone(), part.get_body().unwrap().replace("\r\n", "\n"))).collect()
}

#[tokio::test]
async fn a_confirmed_booking_arrives_as_a_text_a_page_and_an_entry_for_a_calendar() {
    let post = Post::start().await;
    let EmailCommand::Send(notice) = confirmed("Ada Byron").message;
    let notice = Notice { departs_at: Some(clock().now()), ..notice };
    let mail = Mail::compose(order(), &notice, None, clock().now());
    post.send(&mail).await.unwrap();
    let [text, page, entry] = <[_; 3]>::try_from(texts(&post.server.taken()[0].text)).unwrap();
    assert_eq!(text, ("text/plain".to_owned(), mail.text()));
    assert_eq!(page, ("text/html".to_owned(), mail.html()));
    // SMTP ends a text with line breaks of its own.
    let lines = |text: &str| text.trim_end().replace("\r\n", "\n");
    assert_eq!((entry.0.as_str(), lines(&entry.1)), ("text/calendar", lines(&mail.calendar().unwrap())));
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
