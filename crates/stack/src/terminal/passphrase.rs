//! Passphrases: asked for on the terminal, or taken from a variable that the user names.

use std::io::{self, IsTerminal};

use clap::Args;
use stack_seal::age::Passphrase;
use stack_trust::passphrase::{PassphraseError, PassphraseSource};
use stack_trust::private_file::Exposure;
use zeroize::Zeroizing;

use crate::process::core_dumps;
use crate::process::machine::environment;
use crate::terminal::output::stderr;
use crate::terminal::report::warn_exposed;

/// Where a passphrase comes from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PassphraseArguments {
    /// Take the passphrase from this environment variable instead of asking
    #[arg(long, value_name = "VAR")]
    password_env: Option<String>,
    /// Whether nobody is asked on the terminal.
    #[arg(skip)]
    is_silent: bool,
}

impl PassphraseArguments {
    /// Asks for a new passphrase, twice on a terminal.
    pub(crate) fn new_for(&self, what: &str) -> Result<Passphrase, PassphraseError> {
        self.entrusted();
        let text = if let Some(text) = self.named()? {
            text
        } else {
            let first = self.ask(&format!("New passphrase for {what}: "))?;
            if self.ask("Repeat passphrase: ")? != first {
                return Err(PassphraseError::Different);
            }
            first
        };
        if text.is_empty() { Err(PassphraseError::Empty) } else { Ok(Passphrase::new(text)) }
    }

    /// The same without asking anybody: for work that begins when nobody looks at the terminal.
    #[must_use]
    pub(crate) fn silent(self) -> Self {
        Self { is_silent: true, ..self }
    }

    fn ask(&self, prompt: &str) -> Result<Zeroizing<String>, PassphraseError> {
        if self.is_silent || !io::stdin().is_terminal() {
            return Err(PassphraseError::NoTerminal);
        }
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(PassphraseError::Unreadable)
    }

    /// Whether a variable was named.
    pub(crate) fn is_given(&self) -> bool {
        self.password_env.is_some()
    }

    fn named(&self) -> Result<Option<Zeroizing<String>>, PassphraseError> {
        let Some(name) = &self.password_env else { return Ok(None) };
        let value = environment(name).ok_or_else(|| PassphraseError::Unset(name.clone()))?;
        Ok(Some(Zeroizing::new(value)))
    }
}

impl PassphraseSource for PassphraseArguments {
    fn existing(&self, what: &str) -> Result<Passphrase, PassphraseError> {
        let text = match self.named()? {
            Some(text) => text,
            None => self.ask(&format!("Passphrase of {what}: "))?,
        };
        Ok(Passphrase::new(text))
    }

    fn existing_or_none(&self, what: &str) -> Result<Option<Passphrase>, PassphraseError> {
        let text = match self.named()? {
            Some(text) => text,
            None => self.ask(&format!("Passphrase of {what} (Enter skips it): "))?,
        };
        Ok(Some(text).filter(|text| !text.is_empty()).map(Passphrase::new))
    }

    fn entrusted(&self) {
        if let Err(error) = core_dumps::forbid() {
            stderr(format!("warning: a crash could write secrets of this process to the disk: {error}"));
        }
    }

    fn exposed(&self, exposure: &Exposure) {
        warn_exposed(exposure);
    }
}
