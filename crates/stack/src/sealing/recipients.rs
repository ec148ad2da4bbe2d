//! For whom a file is sealed, as people write it.

use std::path::Path;

use stack_seal::age::X25519Recipient;
use stack_seal::keyfile::PublicFile;

use crate::error::{CommandError, Kind};
use crate::home::{Home, identities};
use crate::terminal::input;

/// Finds those who are named: `age1…`, an identity on this machine, or `@FILE` with one a line. Nobody is named twice.
pub(crate) fn find(home: &Home, texts: &[String]) -> Result<Vec<X25519Recipient>, CommandError> {
    let mut found = Vec::new();
    for text in texts {
        match text.strip_prefix('@') {
            Some(path) => found.extend(in_file(Path::new(path))?),
            None => found.push(identities::recipient(home, text)?),
        }
    }
    let mut unique = Vec::with_capacity(found.len());
    for recipient in found {
        if !unique.contains(&recipient) {
            unique.push(recipient);
        }
        if unique.len() > RECIPIENTS_MAX {
            let message = format!("there are more than {RECIPIENTS_MAX} recipients");
            return Err(CommandError::new(Kind::Limit, message).hint("seal it for one shared key"));
        }
    }
    Ok(unique)
}

/// Reads a file with one recipient a line, or the public file of an identity. Lines with `#` are comments.
fn in_file(path: &Path) -> Result<Vec<X25519Recipient>, CommandError> {
    let text = input::text(path)?;
    if let Ok(public) = PublicFile::parse(text.as_bytes()) {
        return Ok(vec![public.recipient]);
    }
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            line.parse().map_err(|error| {
                let message = format!("{}, line {}: not a recipient", path.display(), number + 1);
                CommandError::new(Kind::Malformed, message)
                    .reason("bad-key")
                    .caused(error)
                    .hint("`stack keygen` prints one that begins with age1")
            })
        })
        .collect()
}

/// Each of them takes about 150 bytes of a header.
const RECIPIENTS_MAX: usize = 1000;
