//! The vocabulary of a model, whatever its files are.

use super::{Tokenizer, TokenizerError};
use crate::weights::{LoadError, LoadErrorKind, TensorInfo, WeightSource};

impl Tokenizer {
    /// Reads the vocabulary of a model; a model without one runs on token ids.
    ///
    /// # Errors
    ///
    /// When there is a vocabulary, but not one that this program can use.
    pub fn read(source: &dyn WeightSource) -> Result<Option<Self>, LoadError> {
        let files = source.files();
        let optional = |name| files.has_companion(name).then(|| files.read(name)).transpose();
        // A model without a matrix of embeddings is refused when it is loaded, with a better reason than the
        // vocabulary's.
        let embeddings = source.tensor("token_embd.weight").and_then(TensorInfo::rows).unwrap_or(usize::MAX);
        let built = if let Some(bytes) = optional("tokenizer.json")? {
            let config = optional("tokenizer_config.json")?;
            Self::from_json_with(&bytes, config.as_deref(), embeddings)
        } else {
            Self::from_metadata(source.metadata()).and_then(|tokenizer| tokenizer.fitting(embeddings))
        };
        match built {
            Ok(tokenizer) => Ok(Some(tokenizer)),
            Err(TokenizerError::NoVocabulary) => Ok(None),
            Err(error) => {
                let subject = files.path().display().to_string();
                let error = LoadError::caused(subject, "the vocabulary cannot be used", error);
                Err(error.of_kind(LoadErrorKind::Vocabulary))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stack_testkit::GgufBuilder;
    use stack_testkit::gguf::value_type;

    use super::*;
    use crate::weights::GgufFile;

    fn model(embeddings: usize) -> GgufBuilder {
        GgufBuilder::new("llama")
            .text("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", &["<unk>", "<s>", "</s>", "a"])
            .i32s("tokenizer.ggml.token_type", &[2, 3, 3, 1])
            .f32_tensor("token_embd.weight", &[embeddings, 2], &vec![0.0; 2 * embeddings])
    }

    fn open(model: &GgufBuilder) -> GgufFile {
        GgufFile::from_bytes("model", model.build().leak()).unwrap()
    }

    #[test]
    fn a_vocabulary_larger_than_the_embeddings_is_refused_with_both_numbers() {
        for embeddings in [4, 5] {
            assert_eq!(Tokenizer::read(&open(&model(embeddings))).unwrap().unwrap().vocabulary_size(), 4);
        }
        let error = Tokenizer::read(&open(&model(3))).err().unwrap();
        assert_eq!(error.kind, LoadErrorKind::Vocabulary);
        let cause = error.source.unwrap().to_string();
        assert!(cause.contains("4 tokens") && cause.contains("embeddings for 3"), "{cause}");
    }

    #[test]
    fn a_name_that_is_not_utf8_does_not_matter() {
        let name = [&3u64.to_le_bytes()[..], b"m\xFF!"].concat();
        let named = ["general.name", "general.description", "general.license", "general.author"]
            .into_iter()
            .fold(model(4), |model, key| model.raw(key, value_type::STRING, &name));
        assert!(Tokenizer::read(&open(&named)).unwrap().is_some());
    }
}
