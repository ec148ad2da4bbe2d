//! Who is to open it from now on.

use stack_seal::age::{self, Header, Identity, Recipients, X25519Recipient};

use super::Arguments;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::process::machine;
use crate::sealing::{recipients, sealed};

/// Who is to open a sealed file from now on.
pub(super) enum Wanted {
    /// The same as before, whoever they are.
    Same,
    /// These, and all who could before.
    More(Vec<X25519Recipient>),
    /// Exactly these.
    Exactly(Vec<X25519Recipient>),
}

impl Wanted {
    /// Finds out what a command line wants of a file that is sealed for `known`, if that is known.
    pub(super) fn of(
        arguments: &Arguments,
        home: &Home,
        header: &Header,
        known: Option<&[X25519Recipient]>,
    ) -> Result<Self, CommandError> {
        let exactly = recipients::find(home, &arguments.recipient)?;
        let added = recipients::find(home, &arguments.add)?;
        let removed = recipients::find(home, &arguments.remove)?;
        if !exactly.is_empty() {
            return Ok(Self::Exactly(exactly));
        }
        if header.wants_passphrase() {
            let changes = !(added.is_empty() && removed.is_empty());
            return if changes { Err(with_passphrase()) } else { Ok(Self::Same) };
        }
        let Some(known) = known else {
            if arguments.rotate || !removed.is_empty() {
                return Err(unknown());
            }
            return Ok(if added.is_empty() { Self::Same } else { Self::More(added) });
        };
        if let Some(stranger) = removed.iter().find(|key| !known.contains(key)) {
            let message = format!("{stranger} is not a recipient");
            return Err(CommandError::new(Kind::Missing, message)
                .reason("no-key")
                .hint("`stack show NAME --manifest` lists the recipients"));
        }
        let staying = known.iter().filter(|key| !removed.contains(key)).copied();
        let mut wanted: Vec<_> = staying.collect();
        wanted.extend(added.iter().filter(|key| !known.contains(key)));
        if wanted.is_empty() {
            return Err(CommandError::new(Kind::Usage, "no recipient would be left")
                .hint("add a recipient with --add first, or in the same command"));
        }
        // New stanzas for everybody, so that nobody learns which ones stayed.
        Ok(if wanted == known && !arguments.rotate { Self::Same } else { Self::Exactly(wanted) })
    }

    /// Makes the header that they open.
    pub(super) fn header(&self, name: &str, old: &Header, key: &[Identity]) -> Result<Header, CommandError> {
        let mut random = machine::random()?;
        let new = match self {
            Self::Same => Ok(old.clone()),
            Self::More(added) => age::add_recipients(old, key, added, &mut random),
            Self::Exactly(keys) => {
                let recipients = Recipients::keys(keys.iter().copied()).ok_or_else(unknown)?;
                age::rekey(old, key, &recipients, &mut random)
            }
        };
        new.map_err(|error| sealed::cannot_open(name, error))
    }

    /// Returns who can open it then, as far as that is known.
    pub(super) fn keys(&self, known: Option<&[X25519Recipient]>) -> Option<Vec<X25519Recipient>> {
        match self {
            Self::Same => known.map(<[_]>::to_vec),
            Self::More(_) => None,
            Self::Exactly(keys) => Some(keys.clone()),
        }
    }

    /// Returns for whom to seal everything anew.
    pub(super) fn recipients(&self, arguments: &Arguments) -> Result<Recipients, CommandError> {
        match self {
            Self::Exactly(keys) => Recipients::keys(keys.iter().copied()).ok_or_else(unknown),
            Self::Same => arguments.keys.new_passphrase(&arguments.target.text()).map(Recipients::Passphrase),
            Self::More(_) => Err(unknown()),
        }
    }
}

fn with_passphrase() -> CommandError {
    CommandError::new(Kind::Usage, "it is sealed with a passphrase, which cannot be combined with recipients")
        .hint("list all new recipients with --recipient")
}

fn unknown() -> CommandError {
    CommandError::new(Kind::Usage, "the recipients of this file are not known; age files do not name them")
        .hint("list all recipients with --recipient")
}
