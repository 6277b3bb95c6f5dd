//! The log on a terminal: one short line an event, `07:02:41 446c6e79 tickets reserve → tickets_reserved`.
//!
//! Time (UTC), the level if it is a warning or an error, the first characters of the order's id, the topic, what
//! happened. Order and topic come from the event or from the span that it is in: a consumer handles every message
//! in a span with both.

use std::fmt;
use std::sync::Arc;

use messaging::clock::Clock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The length of an order's id, and how much of it is shown.
const ID: usize = 36;
const SHOWN: usize = 8;

/// Formats an event as one short line. Needs the spans' fields as [`span_fields`] writes them.
pub(crate) struct LogLine {
    /// The time of an event.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Writes a span's fields as `name=value` words, which [`LogLine`] reads.
pub(crate) fn span_fields() -> impl for<'writer> FormatFields<'writer> + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        write!(writer, "{field}={value:?} ")
    })
}

/// The parts of a line.
#[derive(Default)]
struct Parts {
    order: Option<String>,
    topic: Option<String>,
    message: String,
    /// All other fields of the event, as ` name=value`.
    rest: String,
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "order_id" => self.order = Some(format!("{value:?}")),
            "topic" => self.topic = Some(format!("{value:?}")),
            name => self.rest.push_str(&format!(" {name}={value:?}")),
        }
    }
}

impl Parts {
    /// Takes from a span's fields what the event itself does not have.
    fn take_span(&mut self, fields: &str) {
        for (name, value) in fields.split_whitespace().filter_map(|word| word.split_once('=')) {
            let value = || Some(value.trim_matches('"').to_owned());
            match name {
                "order_id" if self.order.is_none() => self.order = value(),
                "topic" if self.topic.is_none() => self.topic = value(),
                _ => {}
            }
        }
    }

    /// Takes the order from a message that begins with `order <id>: `.
    fn take_prefix(&mut self) {
        let prefix = self.message.strip_prefix("order ").and_then(|text| text.split_once(": "));
        if let Some((id, message)) = prefix.filter(|(id, _)| id.len() == ID) {
            (self.order, self.message) = (Some(id.to_owned()), message.to_owned());
        }
    }
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                parts.take_span(&fields.fields);
            }
        }
        parts.take_prefix();

        let now = self.clock.now().to_string();
        write!(writer, "{}", now.get(11..19).unwrap_or(&now))?;
        match *event.metadata().level() {
            Level::ERROR => writer.write_str(" ERROR")?,
            Level::WARN => writer.write_str(" WARN")?,
            _ => {}
        }
        let mut line = String::new();
        if let Some(order) = &parts.order {
            line.extend([" ", order.get(..SHOWN).unwrap_or(order)]);
        }
        if let Some(topic) = &parts.topic {
            line.extend([" ", topic]);
        }
        line.extend([" ", &parts.message, &parts.rest]);
        // A value must not move the terminal's cursor or begin a second line.
        for character in line.chars() {
            match character {
                character if character.is_control() => write!(writer, "{}", character.escape_default())?,
                character => writer.write_char(character)?,
            }
        }
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Mutex, PoisonError};

    use messaging::clock::ManualClock;
    use protocol::time::Timestamp;
    use tracing::{error, info, info_span};

    use super::*;

    const ORDER: &str = "446c6e79-0000-4000-8000-000000000001";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines of the events in `log`.
    fn written(log: impl FnOnce()) -> String {
        // 1970-01-01T07:02:41Z
        let now = Timestamp::from_millis(((7 * 60 + 2) * 60 + 41) * 1000);
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(span_fields())
            .event_format(LogLine { clock: Arc::new(ManualClock::at(now)) })
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn an_event_of_a_consumer_has_time_order_topic_and_what_happened() {
        let lines = written(|| {
            let span =
                info_span!("handle", order_id = %ORDER, topic = "tickets", kind = "reserve", attempt = 0);
            span.in_scope(|| info!("order {ORDER}: reserve → tickets_reserved"));
        });
        assert_eq!(lines, "07:02:41 446c6e79 tickets reserve → tickets_reserved\n");
    }

    #[test]
    fn an_event_without_order_or_topic_has_neither() {
        let lines = written(|| {
            info!(order_id = %ORDER, "order {ORDER}: accepted, 2 × OS-101");
            error!(error = "disk full", "the database cannot be reached");
        });
        let expected = "07:02:41 446c6e79 accepted, 2 × OS-101\n\
                        07:02:41 ERROR the database cannot be reached error=disk full\n";
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_value_stays_on_its_line() {
        let lines = written(|| info!("a\nb\u{1b}[2J"));
        assert_eq!(lines, "07:02:41 a\\nb\\u{1b}[2J\n");
    }
}
