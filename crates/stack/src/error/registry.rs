//! What goes wrong in the store and on the ways into it, as a command tells it.

use std::io;

use stack_registry::adopt::AdoptError;
use stack_registry::name::BadName;
use stack_registry::package::PackageError;
use stack_registry::sealing::SealingError;
use stack_registry::store::StoreError;
use stack_trust::sealed::SealedError;

use super::{CommandError, Kind, did_you_mean};
use crate::terminal::units;

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let (code, message) = (error.code(), error.to_string());
        let new = |kind, hint: &str| Self::new(kind, message).reason(code).hint(hint);
        match error {
            StoreError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                new(Kind::Machine, "free some disk space, or use another home with --home DIR").caused(source)
            }
            StoreError::Io { source, .. } => {
                new(Kind::Machine, "check the disk that holds $STACK_HOME").caused(source)
            }
            StoreError::NoRoom { needed, free } => {
                let hint = format!(
                    "free {}, or use another home with --home DIR",
                    units::bytes(needed.saturating_sub(free))
                );
                new(Kind::Machine, &hint)
            }
            StoreError::NotInStore { near, .. } => {
                new(Kind::Missing, &format!("{}`stack list` shows the stored models", did_you_mean(&near)))
            }
            StoreError::Vanished { .. } => new(Kind::Missing, "adopt it again from its new location"),
            StoreError::Changed { path, .. } => {
                let hint = format!("`stack adopt {} --update` takes it as it is now", path.display());
                new(Kind::Differs, &hint)
            }
            StoreError::Malformed { what, source } if what == "index.json" => {
                new(Kind::Malformed, "`stack verify --all --repair` rebuilds it; nothing was removed")
                    .caused(source)
            }
            StoreError::Malformed { source, .. } => {
                new(Kind::Malformed, "download it again with `stack pull --update`").caused(source)
            }
            StoreError::Differs { .. } | StoreError::Length { .. } => {
                new(Kind::Differs, "download it again with `stack pull --update`")
            }
            StoreError::Locked { .. } => new(Kind::Busy, "try again when the other process has finished"),
            StoreError::InUse { .. } => new(Kind::Busy, "stop the process that uses it"),
            StoreError::NoIndex { .. } => {
                new(Kind::Differs, "`stack verify --all --repair` rebuilds it; nothing was removed")
            }
            StoreError::SignerChanged { .. } => {
                new(Kind::Untrusted, "if the change is expected, remove the old model first: `stack rm NAME`")
            }
            StoreError::NameTaken { .. } => {
                new(Kind::Refused, "choose another name with --as, or allow the change with --update")
            }
        }
    }
}

impl From<PackageError> for CommandError {
    fn from(error: PackageError) -> Self {
        let (code, message) = (error.code(), error.to_string());
        let new = |kind, hint: &str| Self::new(kind, message).reason(code).hint(hint);
        match error {
            PackageError::Bad { .. } => new(Kind::Malformed, "export it again, or copy it again"),
            PackageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
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
            AdoptError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
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
        let hint = "names look like owner/model:tag; `stack list` shows the stored ones";
        Self::new(Kind::Usage, error.to_string())
            .reason("bad-name")
            .hint(format!("{}{hint}", did_you_mean(&error.near())))
    }
}

impl CommandError {
    /// Makes an error from the weights of a model that do not get sealed anew.
    pub(crate) fn sealing(model: &str, error: SealingError) -> Self {
        match error {
            SealingError::Store(error) => error.into(),
            SealingError::Open(error) => SealedError::opening(model)(error).into(),
        }
    }
}
