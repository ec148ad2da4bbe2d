//! What is to be written, as options say it.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint, value_parser};
use stack_audit::Scrubber;
use stack_insight::content::{
    Brief, Budget, Kind as TextKind, Length, OverBudget, SourceError, Sources, emit,
};

use crate::audit::secrets;
use crate::error::{CommandError, Kind};
use crate::models::writer::TokenCounter;
use crate::process::machine;

/// What is to be written.
#[derive(Debug, Args)]
pub(crate) struct BriefArguments {
    /// Type of text: hlo, dlo, bch, blp or pdm, or its long name
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_kind)]
    kind: TextKind,
    /// What the text is about
    #[arg(long, value_name = "TEXT")]
    title: String,
    /// Who reads it
    #[arg(long, value_name = "TEXT", default_value = "a general technical audience")]
    audience: String,
    /// Number of words
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=100_000), conflicts_with = "level")]
    word_count: Option<u32>,
    /// Length, as its type has it
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Standard)]
    level: Level,
    /// Files and folders to write about and to cite, with commas between them
    #[arg(long, value_name = "PATHS", value_delimiter = ',', value_hint = ValueHint::AnyPath)]
    source_context: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Short,
    Standard,
    Extended,
}

/// Everything that a prompt is made of.
pub(super) struct Prepared {
    pub(super) brief: Brief,
    pub(super) sources: Option<Sources>,
    pub(super) prompt: String,
}

impl BriefArguments {
    /// Reads the sources, and writes the prompt.
    pub(super) fn prepare(&self) -> Result<Prepared, CommandError> {
        let length = match (self.word_count, self.level) {
            (Some(words), _) => Length::Words(words),
            (None, Level::Short) => Length::Short,
            (None, Level::Standard) => Length::Standard,
            (None, Level::Extended) => Length::Extended,
        };
        let (title, audience) = (self.title.clone(), self.audience.clone());
        let brief = Brief { kind: self.kind, title, audience, length };
        let sources = if self.source_context.is_empty() { None } else { Some(self.read_sources()?) };
        let prompt = emit(&brief, sources.as_ref());
        Ok(Prepared { brief, sources, prompt })
    }

    fn read_sources(&self) -> Result<Sources, CommandError> {
        let mut key = [0; 32];
        machine::random()?(&mut key);
        let scrubber = secrets::known_to(Scrubber::new(key), Vec::new());
        Sources::read(&self.source_context, &|text| scrubber.text(text).0).map_err(unusable)
    }
}

impl Prepared {
    /// Says where the tokens go: by a model's own count, or by experience.
    pub(super) fn budget(&self, counter: Option<&TokenCounter>) -> Budget {
        let words = self.brief.words();
        let source = self.sources.as_ref().map_or("", Sources::text);
        match counter {
            Some(counter) => {
                let (all, source) = (counter.count(&self.prompt), counter.count(source));
                Budget::counted(counter.context, all.saturating_sub(source), source, words)
            }
            // Four letters are a token, by experience with English and with programs.
            None => Budget::estimated(
                words,
                u32::try_from(source.chars().count().div_ceil(4)).unwrap_or(u32::MAX),
            ),
        }
    }
}

/// The error for a prompt that does not fit.
pub(super) fn over_budget(error: OverBudget) -> CommandError {
    CommandError::new(Kind::Limit, error.to_string()).reason("over-budget").hint(
        "name fewer files in --source-context, ask for fewer words, or take a model with a longer context",
    )
}

fn unusable(error: SourceError) -> CommandError {
    let told = error.to_string();
    match error {
        SourceError::Unreadable(path, error) => CommandError::reading(path.display(), error),
        SourceError::NoText(_) => CommandError::new(Kind::Malformed, told).hint("name files of text"),
        SourceError::TooMuch(_) => CommandError::new(Kind::Limit, told).hint("name fewer files"),
    }
}

/// Parses the name of a type.
pub(super) fn parse_kind(text: &str) -> Result<TextKind, String> {
    TextKind::from_name(text)
        .ok_or_else(|| "expected hlo, dlo, bch, blp or pdm; see `stack content types`".to_owned())
}
