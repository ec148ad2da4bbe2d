//! `$STACK_HOME/config.toml`: what the operator of this machine has decided. Unknown keys are errors.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::Deserialize;

use crate::command_error::{CommandError, Kind};
use crate::home::Home;
use crate::privacy::{HostPattern, Tier, parse_tier};

/// The configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) privacy: PrivacyTable,
}

/// The table `[privacy]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PrivacyTable {
    tier: Option<String>,
    hosts: Vec<String>,
}

impl Config {
    /// Reads the configuration in a home folder; where there is none, everything has its default.
    pub(crate) fn read(home: &Home) -> Result<Self, CommandError> {
        let Some(path) = Self::file(home) else { return Ok(Self::default()) };
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|error| {
                CommandError::new(Kind::Malformed, format!("{} is malformed", path.display()))
                    .caused(error)
                    .hint("see \"Pulling and pushing models\" in the book for the settings")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(CommandError::reading(path.display(), error)),
        }
    }

    /// Where the configuration lies, or would lie.
    pub(crate) fn file(home: &Home) -> Option<PathBuf> {
        Some(home.known()?.join(FILE))
    }

    /// Parses a configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

impl PrivacyTable {
    /// Returns the ceiling, if one is set.
    pub(crate) fn tier(&self) -> Result<Option<Tier>, CommandError> {
        self.tier
            .as_deref()
            .map(|text| parse_tier(text).map_err(|wrong| malformed("tier", &wrong)))
            .transpose()
    }

    /// Returns the listed hosts.
    pub(crate) fn hosts(&self) -> Result<Vec<HostPattern>, CommandError> {
        let parse = |text: &String| HostPattern::parse(text).map_err(|wrong| malformed("hosts", &wrong));
        self.hosts.iter().map(parse).collect()
    }
}

fn malformed(key: &str, wrong: &str) -> CommandError {
    CommandError::new(Kind::Malformed, format!("{FILE}, [privacy], {key}: {wrong}"))
}

const FILE: &str = "config.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors() {
        let config = Config::parse("[privacy]\ntier = \"private\"\nhosts = [\"a.b\", \"*.c\"]").unwrap();
        assert_eq!(config.privacy.tier().unwrap(), Some(Tier::Private));
        assert_eq!(config.privacy.hosts().unwrap().len(), 2);
        for text in ["[privac]", "[privacy]\ntear = \"private\"", "[privacy]\ntier = 3", "privacy = 1"] {
            assert!(Config::parse(text).is_err(), "{text}");
        }
        let wrong = Config::parse("[privacy]\ntier = \"public\"\nhosts = [\"a/b\"]").unwrap().privacy;
        assert!(wrong.tier().is_err() && wrong.hosts().is_err());
    }
}
