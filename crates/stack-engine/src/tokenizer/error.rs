//! Why a tokenizer cannot be built.

use std::fmt;

use crate::weights::MetadataError;

/// Why a tokenizer cannot be built from what a model brings along.
#[derive(Debug)]
pub enum TokenizerError {
    /// The model has no vocabulary. It still runs on token ids.
    NoVocabulary,
    /// The vocabulary is of a kind that this program does not know; holds the name.
    UnknownModel(String),
    /// The text splitting rule is not in the table; holds the name.
    UnknownPreTokenizer(String),
    /// A metadata key holds something else than expected.
    Metadata(MetadataError),
    /// A part contradicts another or makes no sense; holds what and why.
    Malformed(String),
    /// The vocabulary has tokens that the model has no embedding for.
    Larger {
        /// Tokens in the vocabulary.
        tokens: usize,
        /// Rows of the embedding matrix.
        embeddings: usize,
    },
    /// `tokenizer.json` or a file beside it cannot be used.
    Json {
        /// The file's usual name.
        file: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVocabulary => write!(f, "the model has no vocabulary; it can only be run on token ids"),
            Self::UnknownModel(name) => {
                write!(f, "unknown tokenizer model {name:?}; known are llama, gpt2, gemma4, bert and t5")
            }
            Self::UnknownPreTokenizer(name) => write!(f, "unknown pre-tokenizer {name:?}"),
            Self::Metadata(_) => write!(f, "the vocabulary cannot be read"),
            Self::Malformed(problem) => write!(f, "malformed vocabulary: {problem}"),
            Self::Larger { tokens, embeddings } => write!(
                f,
                "the vocabulary has {tokens} tokens, but the model has embeddings for {embeddings}: they belong to \
                 different models"
            ),
            Self::Json { file, problem } => write!(f, "{file}: {problem}"),
        }
    }
}

impl std::error::Error for TokenizerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Metadata(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<MetadataError> for TokenizerError {
    fn from(cause: MetadataError) -> Self {
        Self::Metadata(cause)
    }
}
