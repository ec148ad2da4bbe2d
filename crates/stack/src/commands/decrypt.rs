//! `stack decrypt`: the only command that writes plain weights, and only where it is told to.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_seal::age::{Header, UnlockedFile};
use stack_seal::bundle;
use stack_seal::digest::Root;
use stack_seal::statement::Statement;
use stack_trust::home::Home;
use stack_trust::policy::Policy;
use stack_trust::private_file::FileMode;
use stack_trust::sealed::{self, SealedError};
use stack_trust::target::Target;
use stack_trust::trust_file::TrustFolder;
use stack_trust::verification::{ExpectedRoot, compare_known, signed_roots};

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::home::access::KeyArguments;
use crate::models::choice::ModelArgument;
use crate::options::CommonArguments;
use crate::process::threads;
use crate::terminal::interruptible::Interruptible;
use crate::terminal::output::{Data, sanitize};
use crate::terminal::report::warn_passed_over;

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
    let target = arguments.target.target(&home)?;
    if let Target::Folder(path) = &target {
        let message = format!("{} is a folder; files are decrypted one at a time", path.display());
        return Err(CommandError::new(Kind::Usage, message).hint("give one of its files"));
    }
    let about = json!({"what": target.title(), "to": arguments.output.display().to_string()});
    let files = arguments.common.audit()?.record(Act::new(ActKind::DECRYPT, about), || {
        let files = match &target {
            Target::File(path) => vec![arguments.decrypt_file(&home, path)?],
            Target::Stored(_) | Target::Folder(_) => arguments.decrypt_model(&home, &target)?,
        };
        let file = |file: &PlainFile| json!({"file": file.file.display().to_string(), "root": file.root});
        let about = json!({"files": files.iter().map(file).collect::<Vec<_>>()});
        Ok((files, about))
    })?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&Report { files });
    }
    for file in &files {
        arguments.common.stderr(file.describe());
        data.line(&sanitize(&file.file.display().to_string()))?;
    }
    Ok(())
}

impl Arguments {
    fn decrypt_file(&self, home: &Home, path: &Path) -> Result<PlainFile, CommandError> {
        let name = path.display().to_string();
        // What is no sealed file, or not there, is told before anything else.
        let file = sealed::open(path)?;
        Header::read(&file).map_err(SealedError::opening(&name))?;
        let known = match sealed::plain_path_of(path) {
            Some(plain) => {
                let file = plain.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
                Signed::of(home, &Target::File(plain))?.roots(&file)
            }
            None => Vec::new(),
        };
        let (unlocked, _) = self.keys.opener(home).unlock_file(path)?;
        self.write(&name, &unlocked, &self.output, &known)
    }

    fn decrypt_model(&self, home: &Home, target: &Target) -> Result<Vec<PlainFile>, CommandError> {
        let name = target.title();
        let (Target::Stored(stored), files) = (target, target.sealed_files()) else { return Ok(Vec::new()) };
        if files.is_empty() {
            return Err(CommandError::new(Kind::Usage, format!("{name} is not sealed"))
                .hint("`stack show` lists its files"));
        }
        let signed = Signed::of(home, target)?;
        if files.len() > 1 {
            sealed::new_folder(&self.output)?;
        }
        let opener = self.keys.opener(home);
        let mut written = Vec::with_capacity(files.len());
        let outcome = files.iter().try_for_each(|&sealed| {
            let file = sealed.file;
            let mut known = signed.roots(file.path.as_str());
            let recorded = file.blake3.and_then(|digest| Root::try_from(digest).ok());
            known.extend(recorded.map(|root| ExpectedRoot { root, by: "the manifest".to_owned() }));
            let out = match files.len() {
                1 => self.output.clone(),
                _ => self.output.join(file.path.file_name()),
            };
            let unlocked = stored.unlock(&opener, sealed)?;
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
        known: &[ExpectedRoot],
    ) -> Result<PlainFile, CommandError> {
        let new = sealed::new_file(out, FileMode::Private)?;
        let work = Interruptible::start("opening", unlocked.len(), self.common.quiet)?;
        let target = new.file().try_clone();
        let target = target.map_err(|source| SealedError::Write { path: out.to_owned(), source })?;
        let hashed = unlocked
            .decrypt_to(target, threads::usable(), &|bytes| work.advance(bytes))
            .map_err(|error| work.failed(SealedError::opening(what)(error).into()))?;
        compare_known(what, &hashed, known)?;
        sealed::finish(new, out)?;
        Ok(PlainFile {
            file: out.to_owned(),
            root: hashed.root.to_string(),
            size_bytes: hashed.length,
            according_to: known.iter().map(|known| known.by.clone()).collect(),
        })
    }
}

/// What is signed about a target, and who may sign.
struct Signed {
    policy: Policy,
    signatures: Vec<bundle::Signed<Statement>>,
}

impl Signed {
    /// Reads both, once for all files. A signature that is wrong ends it.
    fn of(home: &Home, target: &Target) -> Result<Self, CommandError> {
        let policy = TrustFolder::new(home).read()?.policy;
        let signatures = target.signatures(&policy.keys(), &mut warn_passed_over)?;
        Ok(Self { policy, signatures })
    }

    /// Finds the roots that those whose keys are trusted signed for a file.
    fn roots(&self, file: &str) -> Vec<ExpectedRoot> {
        signed_roots(&self.policy, &self.signatures, file)
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
