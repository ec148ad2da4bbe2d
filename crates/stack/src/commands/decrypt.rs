//! `stack decrypt`: the only command that writes plain weights, and only where it is told to.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use stack_seal::age::{Header, UnlockedFile};
use stack_seal::bundle::Signed;
use stack_seal::digest::{HashedFile, Root};
use stack_seal::statement::Statement;

use crate::cli::access::KeyArguments;
use crate::cli::options::CommonArguments;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::models::choice::ModelArgument;
use crate::process::threads;
use crate::sealing::sealed::{self, Holds};
use crate::signing::Target;
use crate::terminal::interruptible::Interruptible;
use crate::terminal::output::{Data, harmless};
use crate::trust::TrustFolder;
use crate::trust::admission::signatures;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A sealed file, or the name of a sealed stored model
    target: ModelArgument,
    /// Output file, or a new folder for a model with several files
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    common: CommonArguments,
}

/// What a file must turn out to be, and who says so.
#[derive(Debug)]
struct Known {
    root: Root,
    by: String,
}

#[derive(Serialize)]
struct Report {
    files: Vec<PlainFile>,
}

#[derive(Serialize)]
struct PlainFile {
    file: PathBuf,
    root: String,
    size_bytes: u64,
    /// Who says that this is the root; nobody where it is empty.
    according_to: Vec<String>,
}

/// Decrypts a file, or the weights of a model.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.common.home()?;
    let files = match Target::find(&home, &arguments.target)? {
        Target::File(path) => vec![arguments.decrypt_file(&home, &path)?],
        target @ Target::Stored(_) => arguments.decrypt_model(&home, &target)?,
        Target::Folder(path) => {
            let message = format!("{} is a folder; files are decrypted one at a time", path.display());
            return Err(CommandError::new(Kind::Usage, message).hint("give one of its files"));
        }
    };
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&Report { files });
    }
    for file in &files {
        arguments.common.talk(file.describe());
        data.line(&harmless(&file.file.display().to_string()))?;
    }
    Ok(())
}

impl Arguments {
    fn decrypt_file(&self, home: &Home, path: &Path) -> Result<PlainFile, CommandError> {
        let name = path.display().to_string();
        // What is no sealed file, or not there, is told before anything else.
        let file = sealed::open(path)?;
        Header::read(&file).map_err(|error| sealed::cannot_open(&name, error))?;
        let known = match sealed::plain_path_of(path) {
            Some(plain) => {
                let file = plain.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
                signed_roots(home, &Target::File(plain), &file)?
            }
            None => Vec::new(),
        };
        let (unlocked, _) = self.keys.unlock_file(home, path)?;
        self.write(&name, &unlocked, &self.output, &known)
    }

    fn decrypt_model(&self, home: &Home, target: &Target) -> Result<Vec<PlainFile>, CommandError> {
        let name = target.title();
        let files = target.sealed_files();
        if files.is_empty() {
            return Err(CommandError::new(Kind::Usage, format!("{name} is not sealed"))
                .hint("`stack show` lists its files"));
        }
        if files.len() > 1 {
            make_folder(&self.output)?;
        }
        let mut written = Vec::with_capacity(files.len());
        let outcome = files.iter().try_for_each(|file| {
            let mut known = signed_roots(home, target, file.path.as_str())?;
            let recorded = file.blake3.and_then(|digest| Root::try_from(digest).ok());
            known.extend(recorded.map(|root| Known { root, by: "the manifest".to_owned() }));
            let out = match files.len() {
                1 => self.output.clone(),
                _ => self.output.join(file.path.file_name()),
            };
            let unlocked = self.keys.unlock(home, &name, &file.bytes, &target.noted_recipients(file))?;
            written.push(self.write(&name, &unlocked, &out, &known)?);
            Ok(())
        });
        if outcome.is_err() && files.len() > 1 {
            // Half a model is of no use in clear, and would be in the way of the next attempt.
            for file in &written {
                let _stays = fs::remove_file(&file.file);
            }
            let _stays = fs::remove_dir(&self.output);
        }
        outcome.map(|()| written)
    }

    /// Decrypts into a new file, which gets its name once every root that is known for it was found.
    fn write(
        &self,
        what: &str,
        unlocked: &UnlockedFile,
        out: &Path,
        known: &[Known],
    ) -> Result<PlainFile, CommandError> {
        let new = sealed::new_file(out, Holds::Plain)?;
        let work = Interruptible::start("opening", unlocked.len(), self.common.quiet)?;
        let target = new.file().try_clone().map_err(|error| sealed::cannot_write(out, error))?;
        let hashed = unlocked
            .decrypt_to(target, threads::usable(), &|bytes| work.advance(bytes))
            .map_err(|error| work.failed(sealed::cannot_open(what, error)))?;
        compare(what, &hashed, known)?;
        sealed::finish(new, out)?;
        Ok(PlainFile {
            file: out.to_owned(),
            root: hashed.root.to_string(),
            size_bytes: hashed.length,
            according_to: known.iter().map(|known| known.by.clone()).collect(),
        })
    }
}

impl PlainFile {
    fn describe(&self) -> String {
        match self.according_to.as_slice() {
            [] => format!("{}; no trusted signature or manifest says what it should be", self.root),
            names => format!("{}, as stated by {}", self.root, names.join(" and ")),
        }
    }
}

/// Finds the roots that those whose keys are trusted signed for a file. A signature that is wrong ends it.
fn signed_roots(home: &Home, target: &Target, file: &str) -> Result<Vec<Known>, CommandError> {
    let trust = TrustFolder::new(home).read()?;
    let trusted = trust.policy.keys();
    let known = |signed: &Signed<Statement>| {
        let statement = signed.payload();
        let entry = statement.file_or_only(file)?;
        Some(Known { root: entry.blake3?, by: signed.key().to_string() })
    };
    let signatures = signatures(target, home, &trust)?;
    Ok(signatures.iter().filter(|signed| trusted.contains(signed.key())).filter_map(known).collect())
}

fn compare(what: &str, found: &HashedFile, known: &[Known]) -> Result<(), CommandError> {
    match known.iter().find(|known| known.root != found.root) {
        None => Ok(()),
        Some(Known { root, by }) => {
            let message =
                format!("the contents of {what} have the root {}, but {by} says {root}", found.root);
            Err(CommandError::new(Kind::Differs, message)
                .reason("digest-mismatch")
                .hint("anyone who can open it could have made it; ask whoever sealed it"))
        }
    }
}

/// Makes a folder that is not there.
fn make_folder(path: &Path) -> Result<(), CommandError> {
    std::fs::create_dir(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => sealed::exists(path),
        _ => sealed::cannot_write(path, error),
    })
}
