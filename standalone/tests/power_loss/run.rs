//! A server that was recorded while customers booked, and the disks that are rebuilt from that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fastrand::Rng;
use standalone::sqlite::database::FILE;
use tokio::sync::watch;

use super::customers::{self, Customer};
use super::cut::{self, Broken};
use super::disk::{Disk, Fate};
use super::promises::{Promise, promises};
use super::recording::{DATA, Recording};
use super::support::Http;

/// A recorded server that was killed and stopped, and its bookings.
pub(crate) struct Run {
    pub(crate) recording: Recording,
    http: Http,
    pub(crate) bookings: Vec<Booking>,
}

/// A booking, and what was answered about it.
#[derive(Clone, Debug)]
pub(crate) struct Booking {
    pub(crate) id: String,
    pub(crate) customer: Customer,
    pub(crate) promise: Promise,
}

impl Run {
    /// A third of the customers until the server is killed, a third until it is stopped, a third until it is stopped again.
    pub(crate) async fn with(bookings: usize) -> Self {
        let third = bookings / 3;
        let mut recording = Recording::new();
        let mut http = Http::new("http://127.0.0.1");
        let mut customers: Vec<Customer> = Vec::new();
        for round in 0..3 {
            let mut server = recording.serve();
            http = http.moved_to(server.url());
            // Those without an answer ask again, under their keys.
            let unanswered = customers.extract_if(.., |customer| customer.id.is_none());
            let new = (third * round..third * (round + 1)).map(Customer::new);
            let coming: Vec<Customer> = unanswered.chain(new).collect();
            let visited = watch::Sender::new(0);
            let visits = customers::book(&http, coming, &visited);
            if round == 0 {
                let mut visited = visited.subscribe();
                let kill = async {
                    visited.wait_for(|visited| *visited > third * 9 / 10).await.unwrap();
                    recording.kill(&mut server);
                };
                customers.extend(tokio::join!(visits, kill).0);
            } else {
                customers.extend(visits.await);
                assert!(server.terminate().unwrap().success());
            }
        }
        // Each has had an answer in the end, and what was answered was recorded.
        let mut promises = promises(recording.records());
        let booked = customers.into_iter().map(|customer| {
            let id = customer.id.clone().unwrap();
            Booking { promise: promises.remove(&id).unwrap(), id, customer }
        });
        let bookings = booked.collect();
        Self { recording, http, bookings }
    }

    /// Rebuilds a disk in that empty directory, and checks it.
    pub(crate) async fn check(
        &self,
        (disk, fate): (&Disk, Fate),
        position: u64,
        rng: &mut Rng,
        root: &Path,
    ) -> Result<usize, Broken> {
        for (name, content) in disk.after_power_loss(fate, rng) {
            let path = root.join(name);
            match content {
                Some(content) => fs::write(path, content).unwrap(),
                None => fs::create_dir(path).unwrap(),
            }
        }
        // The index of the WAL is shared memory, which no one syncs: anything may be in its file.
        let index = root.join(DATA).join(format!("{FILE}-shm"));
        if rng.bool() && root.join(DATA).is_dir() {
            fs::write(index, std::iter::repeat_with(|| rng.u8(..)).take(32 * 1024).collect::<Vec<_>>())
                .unwrap();
        }
        cut::check(root, &self.recording.flights(), position, &self.http, &self.bookings).await
    }

    /// How the bookings have ended, as far as was answered.
    pub(crate) fn endings(&self) -> BTreeSet<String> {
        let promises = self.bookings.iter().map(|booking| &booking.promise);
        let ending = |promise: &Promise| match (&promise.cancelled, &promise.settled) {
            (Some(_), _) => Some("cancelled".to_owned()),
            (None, settled) => settled.as_ref().map(|(_, status)| status.clone()),
        };
        promises.filter_map(ending).collect()
    }
}
