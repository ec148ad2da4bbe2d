//! For whom a file is sealed, as options name them.

use std::path::Path;

use stack_seal::age::X25519Recipient;
use stack_trust::home::Home;
use stack_trust::recipients::RecipientList;

use crate::error::CommandError;
use crate::terminal::input;

/// Finds those who are named: `age1…`, an identity on this machine, or `@FILE` with one a line. Nobody is named twice.
pub(crate) fn find(home: &Home, texts: &[String]) -> Result<Vec<X25519Recipient>, CommandError> {
    let mut list = RecipientList::default();
    for text in texts {
        match text.strip_prefix('@') {
            Some(path) => list.add_lines(path, &input::text(Path::new(path))?)?,
            None => list.add_named(home, text)?,
        }
    }
    Ok(list.into_vec())
}
