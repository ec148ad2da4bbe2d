//! A disk that loses power: what was flushed is there, and of everything else any sectors may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Random;
use super::trace::Event;

/// The files of one folder, as the system shows them and as the disk has them.
pub(super) struct Disk {
    folder: PathBuf,
    files: Vec<File>,
    /// Which file a path means, now and after a loss of power.
    names: Names,
    durable: Names,
    /// Changes to names that are not flushed, each with the number of its event.
    renamings: Vec<(usize, Naming)>,
}

#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
}

#[derive(Clone)]
enum Naming {
    Link(PathBuf, usize),
    Folder(PathBuf),
    Unlink(PathBuf),
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    /// Its length as the system shows it.
    length: usize,
    pending: Vec<(usize, Change)>,
}

enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Disk {
    /// A disk on which the folder is there, and empty.
    pub(super) fn new(folder: &Path) -> Self {
        let names = Names { folders: BTreeSet::from([folder.to_owned()]), ..Names::default() };
        let (files, renamings) = (Vec::new(), Vec::new());
        Self { folder: folder.to_owned(), files, durable: names.clone(), names, renamings }
    }

    /// Does what happened as the event of this number.
    pub(super) fn apply(&mut self, number: usize, event: &Event) {
        match event {
            Event::Made { path, is_emptied } if path.starts_with(&self.folder) => {
                let file = self.names.files.get(path).copied().unwrap_or_else(|| {
                    self.files.push(File::default());
                    let file = self.files.len() - 1;
                    self.rename(number, Naming::Link(path.clone(), file));
                    file
                });
                if *is_emptied {
                    self.files[file].change(number, Change::Resize(0));
                }
            }
            Event::Folder { path } if path.starts_with(&self.folder) && *path != self.folder => {
                self.rename(number, Naming::Folder(path.clone()));
            }
            Event::Unlinked { path } if self.names.files.contains_key(path) => {
                self.rename(number, Naming::Unlink(path.clone()));
            }
            Event::Written { path, at, bytes } => {
                if let Some(file) = self.file(path) {
                    let at = at.unwrap_or(file.length);
                    file.change(number, Change::Write(at, bytes.clone()));
                }
            }
            Event::Resized { path, length } => {
                if let Some(file) = self.file(path) {
                    file.change(number, Change::Resize(*length));
                }
            }
            Event::Flushed { path, began } if self.names.folders.contains(path) => {
                let (flushed, waiting) = self
                    .renamings
                    .drain(..)
                    .partition(|(number, naming)| number < began && naming.path().parent() == Some(path));
                self.renamings = waiting;
                let flushed: Vec<(usize, Naming)> = flushed;
                flushed.iter().for_each(|(_, naming)| self.durable.apply(naming));
            }
            Event::Flushed { path, began } => {
                if let Some(file) = self.file(path) {
                    file.flush(*began);
                }
            }
            Event::Made { .. } | Event::Folder { .. } | Event::Unlinked { .. } | Event::Told { .. } => {}
        }
    }

    /// Writes down what may be left after a loss of power at this moment.
    pub(super) fn lose_power(&self, random: &mut Random, into: &Path) {
        // From nothing of what was not flushed to all of it.
        let kept = [0, 1, 4, 7, 8][random.below(5) as usize];
        let mut names = self.durable.clone();
        for (_, naming) in &self.renamings {
            if random.below(8) < kept {
                names.apply(naming);
            }
        }
        let place = |path: &Path| into.join(path.strip_prefix(&self.folder).unwrap());
        for folder in &names.folders {
            fs::create_dir_all(place(folder)).unwrap();
        }
        for (path, file) in &names.files {
            // Memory that processes share is built anew, whatever the file holds.
            if path.parent().is_some_and(|folder| names.folders.contains(folder)) {
                fs::write(place(path), self.files[*file].after(random, kept)).unwrap();
            }
        }
    }

    fn file(&mut self, path: &Path) -> Option<&mut File> {
        self.names.files.get(path).map(|file| &mut self.files[*file])
    }

    fn rename(&mut self, number: usize, naming: Naming) {
        self.names.apply(&naming);
        self.renamings.push((number, naming));
    }
}

impl Names {
    fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Link(path, file) => drop(self.files.insert(path.clone(), *file)),
            Naming::Folder(path) => drop(self.folders.insert(path.clone())),
            Naming::Unlink(path) => drop(self.files.remove(path)),
        }
    }
}

impl Naming {
    fn path(&self) -> &Path {
        match self {
            Self::Link(path, _) | Self::Folder(path) | Self::Unlink(path) => path,
        }
    }
}

impl File {
    fn change(&mut self, number: usize, change: Change) {
        self.length = match &change {
            Change::Write(at, bytes) => self.length.max(at + bytes.len()),
            Change::Resize(length) => *length,
        };
        self.pending.push((number, change));
    }

    /// Makes durable what was there when a flush began.
    fn flush(&mut self, began: usize) {
        let flushed = self.pending.partition_point(|(number, _)| *number < began);
        for (_, change) in self.pending.drain(..flushed) {
            match change {
                Change::Write(at, bytes) => put(&mut self.durable, at, &bytes),
                Change::Resize(length) => self.durable.resize(length, 0),
            }
        }
    }

    /// What is left of it: of each write not flushed any sectors, some of them torn, in any order.
    fn after(&self, random: &mut Random, kept: u64) -> Vec<u8> {
        let mut left = self.durable.clone();
        for (_, change) in &self.pending {
            match change {
                Change::Resize(length) if random.below(8) < kept => left.resize(*length, 0),
                Change::Resize(_) => {}
                Change::Write(at, bytes) => {
                    let mut from = 0;
                    while from < bytes.len() {
                        let to = (((at + from) / SECTOR + 1) * SECTOR - at).min(bytes.len());
                        if random.below(8) < kept {
                            let is_torn = kept < 8 && random.below(8) == 0;
                            let to =
                                if is_torn { from + random.below((to - from) as u64) as usize } else { to };
                            put(&mut left, at + from, &bytes[from..to]);
                        }
                        from = to;
                    }
                }
            }
        }
        left
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// What a disk writes whole or not, or in the worst case tears.
const SECTOR: usize = 512;
