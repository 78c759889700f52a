//! A disk in memory that does the worst a real one may, decided by a seed.
//!
//! On [`SimulatedDisk::crash`] whatever was not synced may survive in full, in part, torn at any
//! byte or as zeros; names that were not synced may be the old or the new ones, in order. What was
//! synced is there. On request single bits rot and calls fail.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::disk::Disk;

/// How often each kind of fault did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Appends of which a crash kept only a part.
    pub torn: u64,
    /// Appends that a crash lost entirely.
    pub lost: u64,
    /// Tails that came back as zeros.
    pub zeroed: u64,
    /// Names that a crash turned back.
    pub names: u64,
    /// Bits flipped on request.
    pub rotten: u64,
    /// Calls that failed on request.
    pub failed: u64,
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
}

type Names = BTreeMap<String, u64>;

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<u64, Content>,
    names: Names,
    /// States of the directory since its last sync, oldest first; the first is the synced one.
    name_history: Vec<Names>,
    next_file: u64,
    seed: u64,
    faults: Faults,
    fail_after: Option<u64>,
    operations: u64,
}

/// A handle to one simulated directory; clones share it, as processes share a real one.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<Inner>>);

impl SimulatedDisk {
    /// An empty directory whose luck follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            name_history: vec![Names::new()],
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Power goes off and on: un-synced work is partly lost.
    pub fn crash(&self) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let last = inner.name_history.len() - 1;
        let kept = usize::try_from(inner.random(last as u64 + 1)).expect("below a length");
        if kept < last {
            inner.faults.names += 1;
        }
        inner.names = inner.name_history[kept].clone();
        inner.name_history = vec![inner.names.clone()];
        let files: Vec<u64> = inner.files.keys().copied().collect();
        for file in files {
            let content = inner.files[&file].clone();
            let survivor = inner.survivor(content);
            let content = Content { now: survivor.clone(), synced: survivor };
            inner.files.insert(file, content);
        }
        inner.fail_after = None;
    }

    /// Flips one bit of a file, durably.
    ///
    /// # Panics
    /// When there is no such byte.
    pub fn rot(&self, name: &str, offset: u64, bit: u8) {
        let mut inner = self.lock();
        let file = inner.names[name];
        let at = usize::try_from(offset).expect("a length in memory");
        let content = inner.files.get_mut(&file).expect("named files exist");
        content.now[at] ^= 1 << (bit % 8);
        if let Some(byte) = content.synced.get_mut(at) {
            *byte ^= 1 << (bit % 8);
        }
        inner.faults.rotten += 1;
    }

    /// Lets this many more changing calls succeed, then fails every one, until the next crash or
    /// [`SimulatedDisk::make_room`]. A failing append leaves a part of its bytes.
    pub fn fail_after(&self, calls: u64) {
        self.lock().fail_after = Some(calls);
    }

    /// Lets calls succeed again: somebody has made room.
    pub fn make_room(&self) {
        self.lock().fail_after = None;
    }

    /// How many changing calls there have been.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// What the faults have done so far.
    pub fn faults(&self) -> Faults {
        self.lock().faults
    }
}

impl Inner {
    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below.max(1)
    }

    /// What is left of a file after a crash: the synced part and some of the rest.
    fn survivor(&mut self, content: Content) -> Vec<u8> {
        let Content { now, synced } = content;
        if !now.starts_with(&synced) {
            // Truncated and not synced: either state may be found.
            return if self.random(2) == 0 { synced } else { now };
        }
        let unsynced = now.len() - synced.len();
        if unsynced == 0 {
            return now;
        }
        // All and nothing are as likely as a torn write.
        let kept = match self.random(3) {
            0 => 0,
            1 => unsynced,
            _ => usize::try_from(self.random(unsynced as u64 + 1)).expect("below a length"),
        };
        let mut survivor = now[..synced.len() + kept].to_vec();
        match kept {
            0 => self.faults.lost += 1,
            _ if kept < unsynced => self.faults.torn += 1,
            _ => {}
        }
        if kept > 0 && self.random(4) == 0 {
            // The length reached the disk, some of the data did not.
            let zeroed = usize::try_from(self.random(kept as u64)).expect("below a length") + 1;
            let from = survivor.len() - zeroed;
            survivor[from..].fill(0);
            self.faults.zeroed += 1;
        }
        survivor
    }

    fn change(&mut self) -> io::Result<()> {
        self.operations += 1;
        match &mut self.fail_after {
            Some(0) => {
                self.faults.failed += 1;
                Err(io::Error::new(io::ErrorKind::StorageFull, "simulated: no space left"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut Content> {
        let file = *self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.files.get_mut(&file).expect("named files exist"))
    }

    fn rename_state(&mut self) {
        self.name_history.push(self.names.clone());
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change()?;
        if inner.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = inner.next_file;
        inner.next_file += 1;
        inner.files.insert(file, Content::default());
        inner.names.insert(name.to_owned(), file);
        inner.rename_state();
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        if let Err(error) = inner.change() {
            // What fitted is there.
            let kept = usize::try_from(inner.random(bytes.len() as u64 + 1)).unwrap_or(0);
            inner.file(name)?.now.extend_from_slice(&bytes[..kept]);
            return Err(error);
        }
        inner.file(name)?.now.extend_from_slice(bytes);
        Ok(())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.lock().file(name)?.now.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let content = &inner.file(name)?.now;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let slice = content.get(from..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(slice.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change()?;
        let content = inner.file(name)?;
        content.synced = content.now.clone();
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change()?;
        inner.name_history = vec![inner.names.clone()];
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change()?;
        let file = inner.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        inner.names.insert(to.to_owned(), file);
        inner.rename_state();
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change()?;
        inner.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        inner.rename_state();
        Ok(())
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut inner = self.lock();
        inner.change()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        inner.file(name)?.now.truncate(len);
        Ok(())
    }
}
