//! How much the functions log of a booking that goes well: logs are paid by the gigabyte.

use std::io;
use std::sync::{Arc, Mutex};

use localstack::cloud::{Cloud, lock};
use localstack::stack::{Stack, setup};
use messaging::clock::ManualClock;
use protocol::time::Timestamp;
use protocol::topic::Topic;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that Lambda adds to each invocation (START, END, REPORT), in bytes.
const PLATFORM: usize = 260;

/// The most that a booking may log, in bytes.
const MOST: usize = 5 * 1024;

/// Books at once, handles the messages in batches of up to ten; answers the bytes logged for a booking.
async fn logged(stack: &Stack, kept: &Kept, bookings: usize) -> usize {
    lock(&kept.0).clear();
    let mut invocations = bookings;
    for _ in 0..bookings {
        stack.book("OS-900", 1, "pm_card_visa").await;
    }
    loop {
        let mut batches = 0;
        for topic in Topic::ALL {
            batches += usize::from(stack.deliver(topic, 10).await > 0);
        }
        if batches == 0 {
            break;
        }
        invocations += batches;
    }
    let lines = lock(&kept.0).clone();
    print!("{}", String::from_utf8_lossy(&lines));
    (lines.len() + invocations * PLATFORM) / bookings
}

#[tokio::test]
async fn a_booking_logs_at_most_five_kilobytes_at_info() {
    let kept = Kept::default();
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let of = setup(&Arc::new(Cloud::default()), &clock, "TicketsConsumer");
    let writer = kept.clone();
    let logs = of.logs(move || writer.clone()).expect("the template's environment");
    tracing::subscriber::set_global_default(logs).expect("the only logs of this process");
    let stack = Stack::start().await;
    let one = logged(&stack, &kept, 1).await;
    let ten = logged(&stack, &kept, 10).await;
    println!("a booking logs {one} bytes in batches of 1, {ten} in batches of 10");
    assert!(one > 1_000, "logs are written");
    assert!(one <= MOST && ten <= MOST, "{one}, {ten}");
}
