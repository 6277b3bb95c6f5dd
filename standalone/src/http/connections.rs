//! The open connections, and which of them is closed for the next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tracing::warn;

use super::watch::Watch;

/// The open connections of a port.
pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
    /// Told when a connection ends, or begins to wait for its client.
    freed: Arc<Notify>,
    warned: AtomicBool,
}

#[derive(Default)]
struct Open {
    last: u64,
    by_id: HashMap<u64, (Arc<Watch>, AbortHandle)>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            open: Mutex::default(),
            freed: Arc::default(),
            warned: AtomicBool::new(false),
        }
    }

    fn all(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a connection in `tasks`.
    pub(super) fn open<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        tasks: &mut JoinSet<()>,
        run: impl FnOnce(Arc<Watch>) -> F,
    ) {
        let watch = Arc::new(Watch::new(self.freed.clone()));
        let mut open = self.all();
        open.last += 1;
        let listed = Listed { connections: self.clone(), id: open.last };
        let run = run(watch.clone());
        // Listed under the lock: a connection that ends at once is taken off the list after it was put there.
        let task = tasks.spawn(async move {
            let _listed = listed;
            run.await;
        });
        let id = open.last;
        open.by_id.insert(id, (watch, task));
    }

    /// Waits until there is room for one more. Where every connection is taken, the one that has waited longest for its
    /// client is closed. Where none waits, all are at work, which ends soon: they have their bodies, and a client that does
    /// not take its answer counts as one that is waited for.
    pub(super) async fn room(&self) {
        loop {
            if self.all().by_id.len() < self.most || self.close_one() {
                return;
            }
            self.freed.notified().await;
        }
    }

    /// Closes the one that has waited longest for its client; answers whether there was one.
    pub(super) fn close_one(&self) -> bool {
        let mut open = self.all();
        let waiting =
            open.by_id.iter().filter_map(|(id, (watch, _))| watch.waits_since().map(|since| (since, *id)));
        let Some((_, id)) = waiting.min() else { return false };
        if let Some((_, task)) = open.by_id.remove(&id) {
            task.abort();
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            warn!(
                "all {} connections are taken: from now on, those that wait longest for their clients are closed",
                self.most
            );
        }
        true
    }
}

/// Takes a connection off the list when it ends, however it ends.
struct Listed {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.connections.all().by_id.remove(&self.id);
        self.connections.freed.notify_one();
    }
}
