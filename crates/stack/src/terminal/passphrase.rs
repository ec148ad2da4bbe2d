//! Passphrases: asked for on the terminal, or taken from a variable that the user names.

use std::io::{self, IsTerminal};

use clap::Args;
use stack_seal::age::Passphrase;
use zeroize::Zeroizing;

use crate::error::{CommandError, Kind};
use crate::process::machine::environment;

/// Where a passphrase comes from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PassphraseArguments {
    /// Take the passphrase from this environment variable instead of asking
    #[arg(long, value_name = "VAR")]
    password_env: Option<String>,
}

impl PassphraseArguments {
    /// Asks for the passphrase that opens `what`.
    pub(crate) fn existing(&self, what: &str) -> Result<Passphrase, CommandError> {
        let text = match self.named()? {
            Some(text) => text,
            None => ask(&format!("Passphrase of {what}: "))?,
        };
        Ok(Passphrase::new(text))
    }

    /// Asks for the passphrase that opens `what`, one of several things of which any will do.
    pub(crate) fn existing_or_none(&self, what: &str) -> Result<Option<Passphrase>, CommandError> {
        let text = match self.named()? {
            Some(text) => text,
            None => ask(&format!("Passphrase of {what} (Enter skips it): "))?,
        };
        Ok(Some(text).filter(|text| !text.is_empty()).map(Passphrase::new))
    }

    /// Asks for a new passphrase, twice on a terminal.
    pub(crate) fn new_for(&self, what: &str) -> Result<Passphrase, CommandError> {
        let text = if let Some(text) = self.named()? {
            text
        } else {
            let first = ask(&format!("New passphrase for {what}: "))?;
            if ask("Repeat passphrase: ")? != first {
                return Err(CommandError::new(Kind::Usage, "the passphrases do not match"));
            }
            first
        };
        if text.is_empty() {
            return Err(CommandError::new(Kind::Usage, "the passphrase is empty")
                .hint("--no-passphrase stores the key without one"));
        }
        Ok(Passphrase::new(text))
    }

    /// Whether a variable was named.
    pub(crate) fn is_given(&self) -> bool {
        self.password_env.is_some()
    }

    fn named(&self) -> Result<Option<Zeroizing<String>>, CommandError> {
        let Some(name) = &self.password_env else { return Ok(None) };
        let value = environment(name).ok_or_else(|| {
            CommandError::new(Kind::Usage, format!("the environment variable {name} is empty or not set"))
        })?;
        Ok(Some(Zeroizing::new(value)))
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, CommandError> {
    if !io::stdin().is_terminal() {
        return Err(CommandError::new(Kind::Usage, "no terminal to ask for the passphrase")
            .hint("put it into an environment variable and pass its name with --password-env"));
    }
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| CommandError::new(Kind::Machine, "the passphrase cannot be read").caused(error))
}
