//! Computed beginnings of prompts in a folder, so that a server that starts again need not compute them again.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use stack_engine::engine::PrefixOutcome;
use stack_engine::load::Loaded;
use stack_trust::private_file::{self, AtomicFile, FileMode};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::terminal::output::{sanitize, stderr};
use crate::terminal::units;

/// The folder, one file for each model.
#[derive(Clone, Debug)]
pub(crate) struct PrefixFolder(PathBuf);

/// Keeps the prefixes of a model when it is dropped: when the model is unloaded, or the server ends.
pub(crate) struct KeptPrefixes {
    loaded: Loaded,
    id: String,
    file: PathBuf,
}

impl PrefixFolder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Gives a model what was kept of its prompts, and returns what keeps them again; `None` where nothing may be kept.
    /// What cannot be used is told, and is computed again.
    pub(crate) fn restore(&self, loaded: &Loaded, id: &str, is_sealed: bool) -> Option<KeptPrefixes> {
        if is_sealed {
            // The key that opens a model is not always one for which can be sealed, and prompts must not lie open beside it.
            stderr(format!("note: {id} is sealed, so none of its prefixes are kept in --prefix-dir"));
            return None;
        }
        let digest = loaded.card().digest.as_deref()?.rsplit(':').next()?.to_owned();
        let file = self.0.join(digest).with_extension("prefixes");
        let kept = KeptPrefixes { loaded: loaded.clone(), id: id.to_owned(), file };
        match kept.restore() {
            Ok(0) => {}
            Ok(tokens) => stderr(format!("{id} has {tokens} tokens of prompts from {}", kept.file.display())),
            Err(problem) => tell(&format!("{} is ignored: {problem}", kept.file.display())),
        }
        Some(kept)
    }
}

impl KeptPrefixes {
    /// Returns how many tokens of prompts were restored.
    ///
    /// # Errors
    ///
    /// Says why not all of the file was used.
    fn restore(&self) -> Result<usize, String> {
        let unreadable = |error: io::Error| format!("it cannot be read: {error}");
        let file = match File::open(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            opened => opened.map_err(unreadable)?,
        };
        let about = file.metadata().map_err(unreadable)?;
        // Whoever else may write into it could make the model see what nobody said.
        let is_own = about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o022 == 0;
        if !(about.is_file() && is_own) {
            return Err("others may write it".to_owned());
        }
        if about.len() > FILE_BYTES_MAX {
            return Err(format!("it is larger than {}", units::bytes(FILE_BYTES_MAX)));
        }
        let PrefixOutcome { tokens, problem } =
            self.loaded.restore_prefixes(BUILD, BufReader::with_capacity(BUFFER_BYTES, file));
        match problem {
            None => Ok(tokens),
            Some(problem) if tokens == 0 => Err(problem.to_string()),
            Some(problem) => Err(format!("{problem} behind {tokens} tokens of prompts")),
        }
    }

    fn save(&self) -> io::Result<()> {
        let Some(mut saved) = self.loaded.saved_prefixes(BUILD, FILE_BYTES_MAX) else { return Ok(()) };
        private_file::make_folder(self.file.parent().unwrap_or(Path::new(".")))?;
        let new = AtomicFile::create(&self.file, FileMode::Private)?;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, new.file());
        io::copy(&mut saved, &mut out)?;
        out.flush()?;
        drop(out);
        new.replace()
    }
}

impl Drop for KeptPrefixes {
    fn drop(&mut self) {
        // A model is let go by whoever used it last, among them tasks that must hold up no others.
        let saved = match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => block_in_place(|| self.save()),
            _ => self.save(),
        };
        if let Err(error) = saved {
            tell(&format!("the prefixes of {} cannot be kept in {}: {error}", self.id, self.file.display()));
        }
    }
}

fn tell(problem: &str) {
    stderr(sanitize(&format!("note: {problem}")));
}

/// What makes keys and values of one run fit another: they depend on the order of every sum.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("STACK_COMMIT"));
/// The most that is kept of one model.
const FILE_BYTES_MAX: u64 = 1 << 30;
const BUFFER_BYTES: usize = 1 << 20;
