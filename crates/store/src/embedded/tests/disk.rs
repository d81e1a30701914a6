//! A disk in memory that tells what was synced from what was only written, and can stop at any moment.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    written: Vec<u8>,
    /// What a crash surely leaves.
    synced: Vec<u8>,
    /// What a crash may leave of the changes since, any of them and in any order.
    unsynced: Vec<Change>,
    /// Changes and syncs so far.
    steps: usize,
    /// The step that does not happen any more, nor any after it.
    stop_at: Option<usize>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Resize(len) => image.resize(*len, 0),
            Self::Write { offset, data } => {
                // A write beyond the end whose resize did not survive makes the file longer.
                image.resize(image.len().max(offset + data.len()), 0);
                image[*offset..offset + data.len()].copy_from_slice(data);
            }
        }
    }

    /// The write, torn in the middle.
    fn torn(&self) -> Self {
        match self {
            Self::Write { offset, data } => {
                Self::Write { offset: *offset, data: data[..data.len() / 2].to_vec() }
            }
            resize @ Self::Resize(_) => resize.clone(),
        }
    }
}

impl Disk {
    /// A disk that holds `image`, all of it synced.
    pub(crate) fn holding(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { written: image.clone(), synced: image, ..State::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets `steps` more changes and syncs happen, and then none.
    pub(crate) fn stop_after(&self, steps: usize) {
        let mut state = self.lock();
        state.stop_at = Some(state.steps + steps);
    }

    /// Whether the disk has stopped.
    pub(crate) fn stopped(&self) -> bool {
        let state = self.lock();
        state.stop_at.is_some_and(|at| state.steps > at)
    }

    /// What is on the disk for a program that reads it.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.lock().written.clone()
    }

    /// What a crash now may leave: what is synced, and of the rest none, all, all with the last one
    /// torn, all but the last, only the last, every other one, and some as `seed` chooses.
    pub(crate) fn crashes(&self, seed: u64) -> Vec<Vec<u8>> {
        let state = self.lock();
        let (all, count) = (&state.unsynced, state.unsynced.len());
        let image = |kept: &mut dyn Iterator<Item = Change>| {
            let mut image = state.synced.clone();
            kept.for_each(|change| change.apply(&mut image));
            image
        };
        if count == 0 {
            return vec![state.synced.clone()];
        }
        let last = count - 1;
        let torn = all[last].torn();
        let mut random = seed | 1;
        let mut coin = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 63 == 1
        };
        vec![
            state.synced.clone(),
            image(&mut all.iter().cloned()),
            image(&mut all[..last].iter().cloned().chain([torn])),
            image(&mut all[..last].iter().cloned()),
            image(&mut all[last..].iter().cloned()),
            image(&mut all.iter().step_by(2).cloned()),
            image(&mut all.iter().filter(|_| coin()).cloned()),
        ]
    }
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        match self.stop_at {
            Some(at) if self.steps > at => Err(io::Error::other("the disk has stopped")),
            _ => Ok(()),
        }
    }

    /// The change that meets the stop has begun: a crash may leave it, whole or torn.
    fn change(&mut self, change: Change) -> io::Result<()> {
        let before = self.stop_at.is_none_or(|at| self.steps <= at);
        let result = self.step();
        if before {
            change.apply(&mut self.written);
            self.unsynced.push(change);
        }
        result
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        let offset = usize::try_from(offset).unwrap();
        let found = state.written.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.lock().change(Change::Resize(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        state.synced = state.written.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.lock().change(Change::Write { offset, data: data.to_vec() })
    }
}
