//! How a candidate of an alias is written.

use std::fmt;

use crate::provider::ProviderKind;

/// A candidate of an alias, as it is written: before it is known which models and providers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateText {
    /// `engine`, `engine:thinks` and the like: a model of this process by what it is.
    Engine(EngineChoice),
    /// `engine/MODEL`: a model of this process by its name.
    Here(String),
    /// `loopback`: each listed model of each provider on this machine.
    Loopback,
    /// `kind:KIND/MODEL`: a model of the first provider of this kind, whatever that is called.
    Kind {
        /// The kind.
        kind: ProviderKind,
        /// The model there.
        model: String,
    },
    /// Anything else: another alias, a model of this process, or `PROVIDER/MODEL`.
    Model(String),
}

/// A model of this process by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// The first one that the server was started with.
    Default,
    /// The one with the fewest weights.
    Small,
    /// One that thinks before it answers.
    Thinks,
    /// One that was made for code, going by its name.
    Code,
    /// One that makes embeddings, and nothing else if there is such a one.
    Embeds,
}

impl EngineChoice {
    /// Every choice.
    pub const ALL: [Self; 5] = [Self::Default, Self::Small, Self::Thinks, Self::Code, Self::Embeds];

    /// Returns how it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Default => "engine",
            Self::Small => "engine:small",
            Self::Thinks => "engine:thinks",
            Self::Code => "engine:code",
            Self::Embeds => "engine:embeds",
        }
    }
}

impl CandidateText {
    /// Parses a candidate.
    ///
    /// # Errors
    ///
    /// Says what is expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_sound = |name: &str| {
            (1..=256).contains(&name.len())
                && name.chars().all(|c| !c.is_control() && !c.is_whitespace() && c != '*')
        };
        if !is_sound(text) {
            return Err(format!("{text:?} is no candidate: 1 to 256 bytes without white space and stars"));
        }
        if let Some(choice) = EngineChoice::ALL.into_iter().find(|choice| choice.text() == text) {
            return Ok(Self::Engine(choice));
        }
        if text == LOOPBACK {
            return Ok(Self::Loopback);
        }
        if let Some(model) = text.strip_prefix("engine/") {
            return if model.is_empty() { Err(expected(text)) } else { Ok(Self::Here(model.to_owned())) };
        }
        if text.starts_with("engine:") {
            return Err(expected(text));
        }
        if let Some(rest) = text.strip_prefix("kind:") {
            let found = rest.split_once('/').filter(|(_, model)| !model.is_empty());
            let kind = found.and_then(|(kind, model)| Some((ProviderKind::from_name(kind)?, model)));
            let (kind, model) = kind.ok_or_else(|| {
                let kinds = ProviderKind::ALL.map(ProviderKind::name).join(", ");
                format!("{text:?}: expected kind:KIND/MODEL, where KIND is one of {kinds}")
            })?;
            return Ok(Self::Kind { kind, model: model.to_owned() });
        }
        Ok(Self::Model(text.to_owned()))
    }
}

impl fmt::Display for CandidateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(choice) => f.write_str(choice.text()),
            Self::Here(model) => write!(f, "engine/{model}"),
            Self::Loopback => f.write_str(LOOPBACK),
            Self::Kind { kind, model } => write!(f, "kind:{}/{model}", kind.name()),
            Self::Model(text) => f.write_str(text),
        }
    }
}

fn expected(text: &str) -> String {
    let choices = EngineChoice::ALL.map(EngineChoice::text).join(", ");
    format!("{text:?}: expected engine/MODEL or one of {choices}")
}

const LOOPBACK: &str = "loopback";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in [
            "engine",
            "engine:small",
            "engine/m:8b",
            "loopback",
            "kind:anthropic/claude-x",
            "kind:llama.cpp/a/b",
            "acme/m-1",
            "llama3.1:8b",
            "fast",
        ] {
            assert_eq!(CandidateText::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_expected() {
        for (text, says) in [
            ("", "is no candidate"),
            ("a b", "is no candidate"),
            ("gpt-*", "stars"),
            ("engine:quick", "engine:thinks"),
            ("engine/", "engine/MODEL"),
            ("kind:cohere/x", "openai, anthropic"),
            ("kind:openai", "kind:KIND/MODEL"),
            ("kind:openai/", "kind:KIND/MODEL"),
        ] {
            let told = CandidateText::parse(text).unwrap_err();
            assert!(told.contains(says), "{text:?}: {told}");
        }
    }
}
