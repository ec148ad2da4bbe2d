//! For whom a file is sealed, as people write it.

use std::error::Error;
use std::fmt;

use stack_seal::age::{KeyTextError, X25519Recipient};
use stack_seal::keyfile::PublicFile;

use crate::home::Home;
use crate::identity::{self, IdentityError};

/// Why those who are named cannot be sealed for.
#[derive(Debug)]
pub enum RecipientsError {
    /// There are more than a header should have.
    TooMany,
    /// A line of a list is no recipient.
    Line {
        /// The list.
        list: String,
        /// Which one, counted from one.
        number: usize,
        /// Why.
        source: KeyTextError,
    },
    /// What was named is no recipient, or cannot be read.
    Identity(IdentityError),
}

/// Recipients, nobody twice, and not more than a header should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientList(Vec<X25519Recipient>);

impl RecipientList {
    /// Adds the one that a text means: `age1…`, or an identity on this machine.
    ///
    /// # Errors
    ///
    /// When it is none, or there are too many by now.
    pub fn add_named(&mut self, home: &Home, text: &str) -> Result<(), RecipientsError> {
        self.add(identity::recipient(home, text).map_err(RecipientsError::Identity)?)
    }

    /// Adds those of a list, which people call `name`: one recipient a line, or the public file of an identity. Lines with
    /// `#` are comments.
    ///
    /// # Errors
    ///
    /// When a line is none, or there are too many by now.
    pub fn add_lines(&mut self, name: &str, text: &str) -> Result<(), RecipientsError> {
        if let Ok(public) = PublicFile::parse(text.as_bytes()) {
            return self.add(public.recipient);
        }
        let lines = text.lines().map(str::trim).zip(1..);
        for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |source| RecipientsError::Line { list: name.to_owned(), number, source };
            self.add(line.parse().map_err(wrong)?)?;
        }
        Ok(())
    }

    /// The recipients.
    pub fn into_vec(self) -> Vec<X25519Recipient> {
        self.0
    }

    fn add(&mut self, recipient: X25519Recipient) -> Result<(), RecipientsError> {
        if !self.0.contains(&recipient) {
            self.0.push(recipient);
        }
        if self.0.len() > RECIPIENTS_MAX { Err(RecipientsError::TooMany) } else { Ok(()) }
    }
}

impl fmt::Display for RecipientsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "there are more than {RECIPIENTS_MAX} recipients"),
            Self::Line { list, number, .. } => write!(f, "{list}, line {number}: not a recipient"),
            Self::Identity(error) => error.fmt(f),
        }
    }
}

impl Error for RecipientsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::TooMany => None,
            Self::Line { source, .. } => Some(source),
            Self::Identity(error) => error.source(),
        }
    }
}

/// Each of them takes about 150 bytes of a header.
const RECIPIENTS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use stack_seal::age::X25519Identity;

    use super::*;

    fn recipient(seed: u8) -> X25519Recipient {
        X25519Identity::generate(&mut |bytes: &mut [u8]| bytes.fill(seed)).recipient()
    }

    #[test]
    fn nobody_is_named_twice_and_comments_are_nobody() {
        let mut list = RecipientList::default();
        list.add_lines("list", &format!("# ours\n\n{}\n  {}\n{0}\n", recipient(1), recipient(2))).unwrap();
        list.add_named(&Home::nowhere(), &recipient(1).to_string()).unwrap();
        assert_eq!(list.into_vec(), [recipient(1), recipient(2)]);
    }

    #[test]
    fn a_line_that_is_nobody_is_told_by_its_number() {
        let error =
            RecipientList::default().add_lines("list", &format!("{}\n# x\nage1nobody\n", recipient(1)));
        assert!(matches!(error, Err(RecipientsError::Line { number: 3, .. })));
    }
}
