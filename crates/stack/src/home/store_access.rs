//! The store of a command line: where it is, and what its errors mean here.

use clap::Args;
use stack_registry::adopt::AdoptError;
use stack_registry::name::{BadName, Name};
use stack_registry::package::PackageError;
use stack_registry::store::{Store, StoreError};

use crate::error::{CommandError, Kind};
use crate::home::{Home, HomeArguments};

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
    /// Finds the home of the store.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        self.home.home()
    }

    /// Opens the store, and makes it if there is none yet.
    pub(crate) fn open(&self) -> Result<Store, CommandError> {
        let home = self.home.home()?;
        home.make(home.root()?)?;
        Ok(Store::open(home.root()?)?)
    }

    /// Opens the store if there is one, and writes nothing.
    pub(crate) fn existing(&self) -> Result<Option<Store>, CommandError> {
        Ok(Store::existing(self.home.home()?.root()?)?)
    }

    /// Opens the store that must have something.
    pub(crate) fn needed(&self, what: &Name) -> Result<Store, CommandError> {
        self.existing()?.ok_or_else(|| StoreError::missing(what.short()).into())
    }
}

impl From<PackageError> for CommandError {
    fn from(error: PackageError) -> Self {
        let (code, message) = (error.code(), error.to_string());
        let new = |kind, hint: &str| Self::new(kind, message).reason(code).hint(hint);
        match error {
            PackageError::Bad { .. } => new(Kind::Malformed, "export it again, or copy it again"),
            PackageError::Io { source, .. } if code == "no-such-file" => {
                new(Kind::Missing, "check the path and the permissions").caused(source)
            }
            PackageError::Io { source, .. } => {
                new(Kind::Machine, "look at the disk, and at who may read and write there").caused(source)
            }
            PackageError::NoVolume { .. } => new(Kind::Missing, "put all volumes into one folder"),
            PackageError::Usage(_) => new(Kind::Usage, "leave out --as"),
            PackageError::Store(error) => error.into(),
        }
    }
}

impl From<AdoptError> for CommandError {
    fn from(error: AdoptError) -> Self {
        let (code, message) = (error.code(), error.to_string());
        let new = |kind, hint: &str| Self::new(kind, message).reason(code).hint(hint);
        match error {
            AdoptError::Io { source, .. } if code == "no-such-file" => {
                new(Kind::Missing, "`stack adopt --list` shows what can be adopted").caused(source)
            }
            AdoptError::Io { source, .. } => {
                new(Kind::Machine, "look at who may read the file").caused(source)
            }
            AdoptError::Damaged { .. } => {
                new(Kind::Malformed, "download it again with the program it belongs to")
            }
            AdoptError::NotGguf(_) => new(Kind::Malformed, "only GGUF files can be adopted"),
            AdoptError::NoClone(_) => {
                new(Kind::Machine, "without --clone the file is used in place; --copy copies it")
            }
            AdoptError::Store(error) => error.into(),
        }
    }
}

impl From<BadName> for CommandError {
    fn from(error: BadName) -> Self {
        Self::new(Kind::Usage, error.to_string())
            .reason("bad-name")
            .hint("names look like owner/model:tag; `stack list` shows the stored ones")
    }
}
