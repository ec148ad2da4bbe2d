//! Options that pulling and pushing share.

use clap::Args;
use stack_gateway::privacy::{EgressGate, EgressLog};
use stack_trust::home::Home;

use super::CommonArguments;
use crate::config::{Config, PrivacyArguments};
use crate::error::CommandError;
use crate::terminal::output::{sanitize, stderr};
use crate::terminal::progress::TransferProgress;
use crate::transport::Fetcher;

/// Options of both commands. With `--json`, progress is events as JSON lines on stderr.
#[derive(Clone, Debug, Args)]
pub(crate) struct TransferArguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    #[command(flatten)]
    privacy: PrivacyArguments,
}

impl TransferArguments {
    /// Makes what fetches through the gate that configuration, environment and options describe. The command has its
    /// own entry in the audit log.
    pub(crate) fn fetcher(&self, home: &Home) -> Result<Fetcher, CommandError> {
        let config = Config::read(home)?;
        Ok(Fetcher::new(EgressGate::new(self.privacy.transfer_policy(&config)?, EgressLog::Off)))
    }

    /// Makes what shows progress.
    pub(crate) fn progress(&self) -> TransferProgress {
        match (self.common.quiet, self.common.json) {
            (true, _) => TransferProgress::nothing(),
            (false, true) => TransferProgress::events(),
            (false, false) => TransferProgress::people(),
        }
    }

    /// Says something to people.
    pub(crate) fn say(&self, text: &str) {
        if !self.common.quiet && !self.common.json {
            stderr(sanitize(text));
        }
    }
}
