//! Work that is done on the writing thread, within the groups: it waits for no other thread to write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tracing::error;

use crate::writer::Ask;

/// A task of the writing thread.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wakes the writing thread when one of its tasks can go on.
pub(crate) struct Bell {
    asks: Sender<Ask>,
    thread: ThreadId,
    rung: AtomicBool,
}

impl Bell {
    pub(crate) fn new(asks: Sender<Ask>) -> Self {
        Self { asks, thread: std::thread::current().id(), rung: AtomicBool::new(false) }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let rung = self.rung.swap(true, Ordering::AcqRel);
        // The thread itself looks before it waits.
        if !rung && std::thread::current().id() != self.thread {
            let _ = self.asks.send(Ask::Wake);
        }
    }
}

/// The tasks of the writing thread.
pub(crate) struct Workers {
    tasks: FuturesUnordered<Work>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// How often tasks are polled in one group, so that a group ends.
const MOST_POLLS: usize = 1024;

impl Workers {
    pub(crate) fn new(bell: Bell) -> Self {
        let bell = Arc::new(bell);
        Self { tasks: FuturesUnordered::new(), waker: Waker::from(bell.clone()), bell }
    }

    pub(crate) fn add(&mut self, work: Work) {
        self.tasks.push(work);
        self.bell.rung.store(true, Ordering::Release);
    }

    /// Whether a task can go on.
    pub(crate) fn can_go_on(&self) -> bool {
        self.bell.rung.load(Ordering::Acquire)
    }

    /// Polls the tasks that can go on. One that panics is dropped.
    pub(crate) fn go_on(&mut self) {
        for _ in 0..MOST_POLLS {
            if !self.bell.rung.swap(false, Ordering::AcqRel) {
                return;
            }
            let mut context = Context::from_waker(&self.waker);
            loop {
                let polled = AssertUnwindSafe(|| self.tasks.poll_next_unpin(&mut context));
                match catch_unwind(polled) {
                    Ok(Poll::Ready(Some(()))) => {}
                    Ok(Poll::Ready(None) | Poll::Pending) => break,
                    Err(_panic) => error!("a task of the writing thread panicked"),
                }
            }
        }
    }
}
