//! Why a model cannot be loaded, and of what sort the trouble is.

use std::{fmt, io};

use stack_seal::verified::Breach;

use super::{Foreign, MetadataError, WeightSource};

/// Why a model cannot be loaded.
#[derive(Debug)]
pub struct LoadError {
    /// Of what sort it is.
    pub kind: LoadErrorKind,
    /// What was being read: a path, a tensor, a metadata key.
    pub subject: String,
    /// What is wrong with it, and where.
    pub problem: String,
    /// The failure behind it.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The sorts of trouble, each with a way out of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadErrorKind {
    /// A file contradicts itself, ends early, or cannot be read.
    #[default]
    Damaged,
    /// There is nothing at the path.
    NotFound,
    /// A file that the model is made of is not there.
    FileMissing,
    /// There is no model in the folder.
    NoModel,
    /// There are several models in the folder.
    Ambiguous,
    /// It is something else than a model.
    Foreign(Foreign),
    /// The file is empty.
    Empty,
    /// The architecture has no row in the table.
    UnknownArchitecture,
    /// The weights are stored in a way that is not read.
    UnknownQuantization,
    /// The files are whole, but do not make up a model that this program can compute.
    Unfit,
    /// The vocabulary cannot be used.
    Vocabulary,
    /// The chat template cannot be used.
    Template,
    /// The device, or what is asked of it.
    Device,
    /// The model cannot guess for the other one.
    Draft,
}

impl LoadError {
    /// Makes an error without a cause.
    pub fn new(subject: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            kind: LoadErrorKind::default(),
            subject: subject.into(),
            problem: problem.into(),
            source: None,
        }
    }

    /// Makes an error with the failure behind it.
    pub fn caused(
        subject: impl Into<String>,
        problem: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { source: Some(source.into()), ..Self::new(subject, problem) }
    }

    /// Makes an error about something that is no model.
    pub fn foreign(subject: impl Into<String>, foreign: Foreign) -> Self {
        Self::new(subject, foreign.to_string()).of_kind(LoadErrorKind::Foreign(foreign))
    }

    /// Says of what sort it is.
    #[must_use]
    pub fn of_kind(mut self, kind: LoadErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Says the same with the names that the model's files have for its tensors and settings.
    #[must_use]
    pub(crate) fn in_words_of(mut self, source: &dyn WeightSource) -> Self {
        self.subject = in_words_of(&self.subject, source);
        self.problem = in_words_of(&self.problem, source);
        if source.files().has_companion("config.json")
            && let Some(key) = self.subject.strip_prefix("metadata key ")
        {
            self.subject = format!("config.json, read as {key}");
        }
        self
    }

    /// Says that the files are whole and the model is at fault, unless a better kind is known.
    #[must_use]
    pub(crate) fn of_model(self) -> Self {
        if self.kind != LoadErrorKind::default() || self.is_from_reading() {
            return self;
        }
        self.of_kind(LoadErrorKind::Unfit)
    }

    fn is_from_reading(&self) -> bool {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.into_iter().any(|cause| cause.is::<io::Error>() || cause.is::<Breach>())
    }
}

/// Translates the names of tensors in a text.
fn in_words_of(text: &str, source: &dyn WeightSource) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let mut translated = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        let between = &rest[word.len()..];
        let between = &between[..between.find(is_part).unwrap_or(between.len())];
        // A full stop at the end is the sentence's.
        let name = word.trim_end_matches('.');
        translated += &source.name_in_files(name);
        translated += &word[name.len()..];
        translated += between;
        rest = &rest[word.len() + between.len()..];
    }
    translated
}

impl From<MetadataError> for LoadError {
    fn from(error: MetadataError) -> Self {
        Self::new(format!("metadata key {}", error.key), error.problem)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}
