//! A real disk under a process that kills itself at one of its calls.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use ledger_storage::{Disk, FileDisk};
use rustix::process::{Signal, getpid, kill_process};

/// When in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    /// Half of an append's bytes are written; as `Before` for other calls.
    Half,
    After,
}

/// Where a process kills itself: the number of a changing call, from 0, and when in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailPoint {
    call: u64,
    moment: Moment,
}

impl FailPoint {
    /// `before:3`, `half:3`, `after:3`.
    pub(crate) fn parse(text: &str) -> Self {
        let (moment, call) = text.split_once(':').expect("moment:call");
        let moment = match moment {
            "before" => Moment::Before,
            "half" => Moment::Half,
            "after" => Moment::After,
            other => panic!("{other} is no moment"),
        };
        Self { call: call.parse().expect("a number"), moment }
    }
}

/// The calls of one process so far: it may have several disks.
static CALLS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(crate) struct FailingDisk {
    disk: FileDisk,
    point: Option<FailPoint>,
}

impl FailingDisk {
    pub(crate) fn new(disk: FileDisk, point: Option<FailPoint>) -> Self {
        Self { disk, point }
    }

    /// Makes one changing call, or dies at it.
    fn call<T>(
        &mut self,
        half: impl FnOnce(&mut FileDisk),
        whole: impl FnOnce(&mut FileDisk) -> io::Result<T>,
    ) -> io::Result<T> {
        let call = CALLS.fetch_add(1, Relaxed);
        let moment = self.point.filter(|point| point.call == call).map(|point| point.moment);
        match moment {
            Some(Moment::Before) => die(),
            Some(Moment::Half) => {
                half(&mut self.disk);
                die()
            }
            Some(Moment::After) => {
                whole(&mut self.disk)?;
                die()
            }
            None => whole(&mut self.disk),
        }
    }
}

/// As `kill -9` does: no destructor, no flush.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    loop {
        std::thread::park();
    }
}

impl Disk for FailingDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.call(|_| (), |disk| disk.create(name))
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let half = &bytes[..bytes.len() / 2];
        self.call(
            |disk| disk.append(name, half).expect("half a write"),
            |disk| disk.append(name, bytes),
        )
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.disk.len(name)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(name, offset, buffer)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.call(|_| (), |disk| disk.sync(name))
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.call(|_| (), Disk::sync_directory)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.call(|_| (), |disk| disk.rename(from, to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.call(|_| (), |disk| disk.remove(name))
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.call(|_| (), |disk| disk.truncate(name, len))
    }
}
