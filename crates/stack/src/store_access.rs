//! The store of a command line: where it is, and what its errors mean here.

use clap::Args;
use stack_registry::adopt::AdoptError;
use stack_registry::name::{BadName, Name};
use stack_registry::package::PackageError;
use stack_registry::store::{Store, StoreError};

use crate::command_error::{CommandError, Kind};
use crate::home::HomeArguments;

/// What every command on the store takes.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    #[command(flatten)]
    home: HomeArguments,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl StoreArguments {
    /// Opens the store, and makes it where there is none yet.
    pub(crate) fn open(&self) -> Result<Store, CommandError> {
        let home = self.home.home()?;
        home.make(home.root())?;
        Ok(Store::open(home.root())?)
    }

    /// Opens the store if there is one, and writes nothing.
    pub(crate) fn existing(&self) -> Result<Option<Store>, CommandError> {
        Ok(Store::existing(self.home.home()?.root())?)
    }

    /// Opens the store that must have something.
    pub(crate) fn needed(&self, what: &Name) -> Result<Store, CommandError> {
        self.existing()?.ok_or_else(|| StoreError::missing(what.short()).into())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let (kind, hint) = store_kind(&error);
        from_registry(kind, error.code(), hint, error)
    }
}

impl From<PackageError> for CommandError {
    fn from(error: PackageError) -> Self {
        let (kind, hint) = match &error {
            PackageError::Bad { .. } => {
                (Kind::Malformed, "make it again with `stack export`, or copy it again")
            }
            PackageError::Io { .. } if error.code() == "no-such-file" => {
                (Kind::Missing, "look at its name, and at who may read it")
            }
            PackageError::Io { .. } => {
                (Kind::Machine, "look at the disk, and at who may read and write there")
            }
            PackageError::NoVolume { .. } => (Kind::Missing, "all volumes must lie in one folder"),
            PackageError::Usage(_) => (Kind::Usage, "leave out --as"),
            PackageError::Store(error) => store_kind(error),
        };
        from_registry(kind, error.code(), hint, error)
    }
}

impl From<AdoptError> for CommandError {
    fn from(error: AdoptError) -> Self {
        let (kind, hint) = match &error {
            AdoptError::Io { .. } if error.code() == "no-such-file" => {
                (Kind::Missing, "`stack adopt --list` shows what is there")
            }
            AdoptError::Io { .. } => (Kind::Machine, "look at who may read the file"),
            AdoptError::NotGguf(_) => (Kind::Malformed, "only GGUF files can be adopted"),
            AdoptError::NoClone(_) => {
                (Kind::Machine, "leave out --clone to use the file where it lies, or --copy it")
            }
            AdoptError::Store(error) => store_kind(error),
        };
        from_registry(kind, error.code(), hint, error)
    }
}

impl From<BadName> for CommandError {
    fn from(error: BadName) -> Self {
        Self::new(Kind::Usage, error.to_string())
            .reason("bad-name")
            .hint("names look like owner/model:tag; `stack list` shows those of the store")
    }
}

fn store_kind(error: &StoreError) -> (Kind, &'static str) {
    match error {
        StoreError::Io { .. } if error.code() == "disk-full" => {
            (Kind::Machine, "free some room, with `stack gc` for example; what was written so far is kept")
        }
        StoreError::Io { .. } => (Kind::Machine, "look at the disk, and at who may read and write there"),
        StoreError::NotInStore { .. } => (Kind::Missing, "`stack list` shows what is there"),
        StoreError::Vanished { .. } => (Kind::Missing, "adopt it again from where it is now, or pull it"),
        StoreError::Malformed { .. } => {
            (Kind::Malformed, "remove the model with `stack rm` and pull it again")
        }
        StoreError::Differs { .. } | StoreError::Length { .. } => {
            (Kind::Differs, "fetch it again with `stack pull --update`")
        }
        StoreError::Locked { .. } => (Kind::Busy, "wait until that process is done"),
        StoreError::InUse { .. } => (Kind::Busy, "stop that process first"),
        StoreError::NameTaken { .. } => {
            (Kind::Refused, "give another name with --as, or allow it with --update")
        }
    }
}

fn from_registry(
    kind: Kind,
    code: &'static str,
    hint: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> CommandError {
    let message = error.to_string();
    let command_error = CommandError::new(kind, message).reason(code).hint(hint);
    match error.source() {
        Some(cause) => command_error.caused(cause.to_string()),
        None => command_error,
    }
}
