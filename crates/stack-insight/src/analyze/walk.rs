//! Goes through a tree once, in parallel, and reads each file at most once.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{io, thread};

use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};

use super::dependencies::{self, Listing};
use super::egress::{self, Finding};
use super::facts::{FileFacts, Tally};
use super::language::Language;

/// What was found in a tree, in an order that does not depend on who was faster.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) tally: Tally,
    pub(crate) listings: Vec<Listing>,
    pub(crate) findings: Vec<Finding>,
    /// Paths that could not be read, with the reason.
    pub(crate) problems: Vec<(PathBuf, String)>,
}

/// Reads a tree. `root` is gone into whatever it is called; folders of other people's code are left out below it only.
///
/// # Errors
///
/// When the root is no folder that can be listed, or the tree has more files than [`FILES_MAX`].
pub(crate) fn walk(root: &Path, with_egress: bool) -> Result<Tree, WalkError> {
    // A link given by name is followed, since it was asked for; no link below is.
    let root = &fs::canonicalize(root).map_err(WalkError::Root)?;
    fs::read_dir(root).map_err(WalkError::Root)?;
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let mut builder = WalkBuilder::new(root);
    builder.hidden(false).git_global(false).follow_links(false).max_depth(Some(DEPTH_MAX)).threads(threads);
    builder.filter_entry(|entry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        entry.depth() == 0 || !is_folder || !entry.file_name().to_str().is_some_and(is_skipped)
    });
    let shared = Shared { root, with_egress, files: AtomicUsize::new(0), tree: Mutex::new(Tree::default()) };
    builder.build_parallel().visit(&mut Visitors(&shared));
    if shared.files.load(Ordering::Relaxed) > FILES_MAX {
        return Err(WalkError::TooMany);
    }
    let mut tree = shared.tree.into_inner().unwrap_or_else(PoisonError::into_inner);
    tree.listings.sort_by(|a, b| a.path.cmp(&b.path));
    tree.findings.sort_by(|a, b| (&a.path, a.line, a.what).cmp(&(&b.path, b.line, b.what)));
    tree.findings.truncate(FINDINGS_MAX);
    tree.problems.sort();
    tree.problems.truncate(PROBLEMS_MAX);
    Ok(tree)
}

/// Why a tree cannot be analysed.
#[derive(Debug)]
pub enum WalkError {
    /// The folder itself cannot be listed.
    Root(io::Error),
    /// It has more files than are looked at.
    TooMany,
}

impl std::fmt::Display for WalkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root(_) => f.write_str("the folder cannot be listed"),
            Self::TooMany => write!(f, "the folder has more than {FILES_MAX} files"),
        }
    }
}

impl std::error::Error for WalkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Root(error) => Some(error),
            Self::TooMany => None,
        }
    }
}

/// Whether a folder of this name holds what others wrote or what tools made.
pub(crate) fn is_skipped(name: &str) -> bool {
    SKIPPED.contains(&name)
}

/// What all threads have in common.
struct Shared<'a> {
    root: &'a Path,
    with_egress: bool,
    files: AtomicUsize,
    tree: Mutex<Tree>,
}

struct Visitors<'a>(&'a Shared<'a>);

impl<'a> ParallelVisitorBuilder<'a> for Visitors<'a> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 'a> {
        Box::new(Visitor { shared: self.0, tree: Tree::default(), buffer: Vec::new() })
    }
}

/// One thread; what it found is added to the rest when it ends.
struct Visitor<'a> {
    shared: &'a Shared<'a>,
    tree: Tree,
    buffer: Vec<u8>,
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        let mut all = self.shared.tree.lock().unwrap_or_else(PoisonError::into_inner);
        all.tally.add(std::mem::take(&mut self.tree.tally));
        all.listings.append(&mut self.tree.listings);
        all.findings.append(&mut self.tree.findings);
        all.problems.append(&mut self.tree.problems);
    }
}

impl ParallelVisitor for Visitor<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        match entry {
            Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                if self.shared.files.fetch_add(1, Ordering::Relaxed) >= FILES_MAX {
                    return WalkState::Quit;
                }
                let path = entry.path().strip_prefix(self.shared.root).unwrap_or(entry.path());
                if let Err(error) = self.read(entry.path(), path) {
                    self.problem(path, error.to_string());
                }
            }
            Ok(_) => {}
            Err(error) => self.problem(Path::new(""), error.to_string()),
        }
        WalkState::Continue
    }
}

impl Visitor<'_> {
    fn problem(&mut self, path: &Path, problem: String) {
        if self.tree.problems.len() < PROBLEMS_MAX {
            self.tree.problems.push((path.to_owned(), problem));
        }
    }

    /// Reads a file, if anybody wants to know what is in it. `path` is relative to the root.
    fn read(&mut self, file: &Path, path: &Path) -> io::Result<()> {
        self.tree.tally.see_path(path);
        let manifest = dependencies::is_listing(path);
        let known = path.file_name().and_then(|name| name.to_str()).and_then(Language::by_name);
        if !manifest && known.is_none() && path.extension().is_some() {
            return Ok(());
        }
        let file = File::open(file)?;
        if file.metadata()?.len() > FILE_BYTES_MAX {
            self.problem(path, format!("is larger than {FILE_BYTES_MAX} bytes, and was not read"));
            return Ok(());
        }
        self.buffer.clear();
        file.take(FILE_BYTES_MAX).read_to_end(&mut self.buffer)?;
        let bytes = &self.buffer;
        if manifest && self.tree.listings.len() < LISTINGS_MAX {
            match dependencies::parse(path, bytes) {
                Ok(listings) => self.tree.listings.extend(listings),
                Err(problem) => self.problem(path, problem),
            }
        }
        let bytes = &self.buffer;
        let Some(language) = known.or_else(|| Language::of(path, bytes)) else { return Ok(()) };
        // Hidden files are settings of tools; what they send counts, their lines do not.
        if !is_hidden(path) {
            self.tree.tally.add_file(&FileFacts::of(path, language, bytes));
        }
        if self.shared.with_egress && self.tree.findings.len() < FINDINGS_MAX {
            egress::scan(path, language, bytes, &mut self.tree.findings);
        }
        Ok(())
    }
}

fn is_hidden(path: &Path) -> bool {
    path.components()
        .any(|part| matches!(part, Component::Normal(name) if name.as_encoded_bytes()[0] == b'.'))
}

/// Folders that are not gone into, below the root.
const SKIPPED: &[&str] = &[
    ".bzr",
    ".cache",
    ".eggs",
    ".git",
    ".gradle",
    ".hg",
    ".idea",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".terraform",
    ".tox",
    ".venv",
    ".vscode",
    "__pycache__",
    "bower_components",
    "build",
    "dist",
    "htmlcov",
    "node_modules",
    "site-packages",
    "target",
    "venv",
];

/// More files are not looked at.
const FILES_MAX: usize = 5_000_000;
/// No path is longer on any system that we know.
const DEPTH_MAX: usize = 1000;
/// A larger file is data, whatever it is called.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// More threads wait for the disk.
const THREADS_MAX: usize = 16;
const LISTINGS_MAX: usize = 10_000;
const FINDINGS_MAX: usize = 10_000;
const PROBLEMS_MAX: usize = 100;
