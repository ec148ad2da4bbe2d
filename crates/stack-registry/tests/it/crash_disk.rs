//! A disk that stops after a given step and forgets what was not synced.
//!
//! It works on real folders and keeps book of what would survive: the bytes of each file at its last sync, and the names
//! in each folder at its last sync with the changes since. After the crash, [`CrashDisk::survivors`] makes a new folder
//! of what an adversary leaves of that.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex};

use stack_registry::store::{Disk, Folder, Folders, OsDisk, StoreFile};

/// What an adversary does with changes that were not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Adversary {
    /// Forgets all of them.
    Forgets,
    /// Keeps all of them.
    Keeps,
    /// Keeps some of them, by a seed: later ones may survive where earlier ones do not.
    Chooses(u64),
}

pub(crate) struct CrashDisk {
    os: OsDisk,
    folders: Arc<Folders>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Steps that are left before the crash.
    left: usize,
    steps: usize,
    files: BTreeMap<u64, Bytes>,
    /// Names that survive.
    durable: BTreeMap<(Folder, String), u64>,
    /// Names as they are now.
    current: BTreeMap<(Folder, String), u64>,
    pending: Vec<Change>,
}

struct Bytes {
    /// Kept open, so that its number is not given to another file.
    file: File,
    durable: Vec<u8>,
}

#[derive(Clone)]
enum Change {
    Link(Folder, String, u64),
    Unlink(Folder, String),
    Rename { from: (Folder, String), to: (Folder, String), file: u64 },
}

impl CrashDisk {
    /// Works in these folders, and stops after this many steps.
    pub(crate) fn new(folders: Arc<Folders>, steps: usize) -> Arc<Self> {
        let book = Book { left: steps, ..Book::default() };
        Arc::new(Self { os: OsDisk::new(Arc::clone(&folders)), folders, book: Mutex::new(book) })
    }

    /// How many steps were asked for, the refused ones included.
    pub(crate) fn steps(&self) -> usize {
        self.book.lock().unwrap().steps
    }

    /// Makes the folder of a store of what survives.
    pub(crate) fn survivors(&self, adversary: Adversary, path: &Path) {
        let book = self.book.lock().unwrap();
        let mut choice = Choice(adversary, 0);
        let mut names = book.durable.clone();
        for change in &book.pending {
            if choice.keeps() {
                apply(&mut names, change);
            }
        }
        drop(Folders::create(path).unwrap());
        for ((folder, name), inode) in &names {
            let Bytes { file, durable } = &book.files[inode];
            let mut now = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
            file.read_exact_at(&mut now, 0).unwrap();
            // Blocks of what was not synced survive one by one.
            let length = if choice.keeps() { now.len() } else { durable.len() };
            let mut bytes = durable.clone();
            bytes.resize(length, 0);
            for (block, new) in bytes.chunks_mut(BLOCK).zip(now.chunks(BLOCK)) {
                if choice.keeps() {
                    let count = block.len().min(new.len());
                    block[..count].copy_from_slice(&new[..count]);
                }
            }
            let folder = match folder {
                Folder::Root => path.to_owned(),
                Folder::Blobs => path.join("blobs/sha256"),
                Folder::External => path.join("external"),
                Folder::Tmp => path.join("tmp"),
                Folder::Leases => path.join("leases"),
            };
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// Counts a step, or refuses it.
    fn step(&self) -> io::Result<()> {
        let mut book = self.book.lock().unwrap();
        book.steps += 1;
        if book.left == 0 {
            return Err(io::Error::other("the machine has crashed"));
        }
        book.left -= 1;
        Ok(())
    }

    fn change(&self, change: Change) {
        let mut book = self.book.lock().unwrap();
        apply(&mut book.current, &change);
        book.pending.push(change);
    }

    fn inode(&self, place: &StoreFile) -> Option<u64> {
        self.book.lock().unwrap().current.get(&(place.folder(), place.file_name())).copied()
    }
}

impl Disk for CrashDisk {
    fn create(&self, place: &StoreFile) -> io::Result<File> {
        self.step()?;
        let file = self.os.create(place)?;
        let inode = file.metadata()?.ino();
        if self.inode(place) != Some(inode) {
            // Opened anew: a clone would share the locks, and hold them.
            let bytes = Bytes { file: self.folders.read(place)?, durable: Vec::new() };
            self.book.lock().unwrap().files.insert(inode, bytes);
            self.change(Change::Link(place.folder(), place.file_name(), inode));
        }
        Ok(file)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.step()?;
        self.os.write(file, bytes, offset)
    }

    fn resize(&self, file: &File, length: u64) -> io::Result<()> {
        self.step()?;
        self.os.resize(file, length)
    }

    fn reflink(&self, file: &File, source: &File) -> io::Result<()> {
        self.step()?;
        self.os.reflink(file, source)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step()?;
        let metadata = file.metadata()?;
        let mut bytes = vec![0; usize::try_from(metadata.len()).unwrap()];
        file.read_exact_at(&mut bytes, 0)?;
        self.book.lock().unwrap().files.get_mut(&metadata.ino()).unwrap().durable = bytes;
        Ok(())
    }

    fn sync_many(&self, files: &[&File]) -> io::Result<()> {
        files.iter().try_for_each(|file| self.sync(file))
    }

    fn protect(&self, _file: &File) -> io::Result<()> {
        // Permissions play no part here, and would only hinder the test.
        self.step()
    }

    fn rename(&self, from: &StoreFile, to: &StoreFile) -> io::Result<()> {
        self.step()?;
        self.os.rename(from, to)?;
        let file = self.inode(from).unwrap();
        let (from, to) = ((from.folder(), from.file_name()), (to.folder(), to.file_name()));
        self.change(Change::Rename { from, to, file });
        Ok(())
    }

    fn unlink(&self, place: &StoreFile) -> io::Result<()> {
        self.step()?;
        self.os.unlink(place)?;
        self.change(Change::Unlink(place.folder(), place.file_name()));
        Ok(())
    }

    fn sync_folder(&self, folder: Folder) -> io::Result<()> {
        self.step()?;
        let mut book = self.book.lock().unwrap();
        let pending = std::mem::take(&mut book.pending);
        for change in pending {
            match &change {
                Change::Link(place, ..) | Change::Unlink(place, _) if *place == folder => {
                    apply(&mut book.durable, &change);
                }
                // Only the name in the synced folder is promised; the other one may still be the old one.
                Change::Rename { from, to, file } if from.0 != to.0 && to.0 == folder => {
                    book.durable.insert(to.clone(), *file);
                    book.pending.push(Change::Unlink(from.0, from.1.clone()));
                }
                Change::Rename { from, to, file } if from.0 != to.0 && from.0 == folder => {
                    book.durable.remove(from);
                    book.pending.push(Change::Link(to.0, to.1.clone(), *file));
                }
                Change::Rename { to, .. } if to.0 == folder => apply(&mut book.durable, &change),
                _ => book.pending.push(change),
            }
        }
        Ok(())
    }
}

fn apply(names: &mut BTreeMap<(Folder, String), u64>, change: &Change) {
    match change {
        Change::Link(folder, name, file) => {
            names.insert((*folder, name.clone()), *file);
        }
        Change::Unlink(folder, name) => {
            names.remove(&(*folder, name.clone()));
        }
        Change::Rename { from, to, file } => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
    }
}

struct Choice(Adversary, u64);

impl Choice {
    fn keeps(&mut self) -> bool {
        match self.0 {
            Adversary::Forgets => false,
            Adversary::Keeps => true,
            Adversary::Chooses(seed) => {
                // SplitMix64 (Steele, Lea and Flood, 2014).
                self.1 += 1;
                let mut z = seed.wrapping_add(self.1.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                (z ^ (z >> 31)) & 1 == 0
            }
        }
    }
}

/// Small, so that small files have several.
const BLOCK: usize = 64;
