//! Reads a tokenizer from GGUF metadata.

use std::sync::Arc;

use super::bpe::Bpe;
use super::charsmap::CharsMap;
use super::detokenizer::Strip as SpaceStrip;
use super::partition::{Partition, Strip};
use super::pretokenizers::{Alphabet, PreTokenizer, pre_tokenizer};
use super::spelling::Spelling;
use super::spm::Spm;
use super::unigram::{Options, Unigram};
use super::vocabulary::{Roles, TokenKind, Vocabulary};
use super::wordpiece::WordPiece;
use super::{Algorithm, Inner, Tokenizer, TokenizerError};
use crate::weights::Metadata;

/// Builds a tokenizer from metadata.
pub(super) fn tokenizer(metadata: &Metadata) -> Result<Tokenizer, TokenizerError> {
    let reader = Reader { metadata, warnings: Vec::new() };
    let (Some(model), Some(texts)) = (reader.text("model")?, metadata.strings(&key("tokens"))?) else {
        return Err(TokenizerError::NoVocabulary);
    };
    match model {
        "none" | "no_vocab" => Err(TokenizerError::NoVocabulary),
        "llama" => reader.spm(texts),
        "gpt2" | "gemma4" => reader.bpe(texts, model),
        "bert" => reader.wordpiece(texts),
        "t5" => reader.unigram(texts),
        _ => Err(TokenizerError::UnknownModel(model.to_owned())),
    }
}

struct Reader<'m> {
    metadata: &'m Metadata,
    warnings: Vec<String>,
}

impl<'m> Reader<'m> {
    fn spm(mut self, texts: &[Vec<u8>]) -> Result<Tokenizer, TokenizerError> {
        let defaults = Roles { bos: Some(1), eos: Some(2), unknown: Some(0), ..Roles::default() };
        let vocabulary = self.vocabulary(texts, defaults, Spelling::Marked)?;
        let add_space = self.boolean("add_space_prefix", true)?;
        let spm = Spm::new(&vocabulary, &self.scores(texts.len())?, add_space);
        let prefix = self.added("add_bos_token", true, vocabulary.roles.bos)?;
        let suffix = self.added("add_eos_token", false, vocabulary.roles.eos)?;
        Ok(self.finish("llama", None, vocabulary, Algorithm::Spm(spm), [prefix, suffix], add_space))
    }

    fn bpe(mut self, texts: &[Vec<u8>], model: &str) -> Result<Tokenizer, TokenizerError> {
        let name = if model == "gemma4" { Some("gemma4") } else { self.text("pre")? };
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| {
            let warning = "the vocabulary names no text splitting rule (tokenizer.ggml.pre); using the default one, \
                           which is likely not what the model was trained with";
            self.warnings.push(warning.to_owned());
            "default"
        });
        let rule = pre_tokenizer(name).ok_or_else(|| TokenizerError::UnknownPreTokenizer(name.to_owned()))?;
        let PreTokenizer { traits, .. } = rule;
        let spelling =
            if traits.alphabet == Alphabet::Bytes { Spelling::ByteLevel } else { Spelling::Marked };
        let mut vocabulary = self.vocabulary(texts, Roles::default(), spelling)?;
        // Old files name neither BOS nor EOS and have both at 11. Elsewhere that id is a word, so it must look the part.
        let default = Some(11).filter(|&id| model == "gpt2" && vocabulary.kind(id) == TokenKind::Control);
        if vocabulary.roles.eos.is_none() {
            vocabulary.roles.eos = default;
            vocabulary.end_of_generation.extend(default);
        }
        if traits.has_bos && vocabulary.roles.bos.is_none() {
            vocabulary.roles.bos = default;
        }

        let merges = self.metadata.strings(&key("merges"))?;
        if merges.is_none() && name != "kimi-k2" {
            return Err(TokenizerError::Malformed(format!("a {model} vocabulary without {}", key("merges"))));
        }
        let bpe = Bpe::new(&vocabulary, merges.unwrap_or_default(), rule)?;
        let mut prefix = self.added("add_bos_token", traits.add_bos, vocabulary.roles.bos)?;
        if prefix.is_empty() && traits.add_bos && traits.alphabet == Alphabet::MarkedCharacters {
            // Early Gemma 4 files say that no BOS is to be added, and are wrong.
            prefix.extend(vocabulary.roles.bos);
        }
        let suffix = self.added("add_eos_token", false, vocabulary.roles.eos)?;
        Ok(self.finish(model, Some(name), vocabulary, Algorithm::Bpe(bpe), [prefix, suffix], false))
    }

    fn wordpiece(mut self, texts: &[Vec<u8>]) -> Result<Tokenizer, TokenizerError> {
        let defaults = Roles {
            bos: Some(101),
            unknown: Some(100),
            separator: Some(102),
            padding: Some(0),
            mask: Some(103),
            ..Roles::default()
        };
        let vocabulary = self.vocabulary(texts, defaults, Spelling::Marked)?;
        let lowercase = self.boolean("normalizer.lowercase", true)?;
        let strip_accents = self.boolean("normalizer.strip_accents", lowercase)?;
        let wordpiece = WordPiece::new(&vocabulary, lowercase, strip_accents);
        let roles = vocabulary.roles;
        let around = [roles.bos, roles.separator].map(|id| id.into_iter().collect());
        Ok(self.finish("bert", None, vocabulary, Algorithm::WordPiece(wordpiece), around, true))
    }

    fn unigram(mut self, texts: &[Vec<u8>]) -> Result<Tokenizer, TokenizerError> {
        let defaults = Roles { eos: Some(1), unknown: Some(2), padding: Some(0), ..Roles::default() };
        let vocabulary = self.vocabulary(texts, defaults, Spelling::Marked)?;
        let map = match self.metadata.integers(&key("precompiled_charsmap"))? {
            Some(bytes) => {
                let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte as u8).collect();
                CharsMap::new(&bytes).map_err(TokenizerError::Malformed)?
            }
            None => CharsMap::default(),
        };
        let options = Options {
            add_space: self.boolean("add_space_prefix", false)?,
            merge_spaces: self.boolean("remove_extra_whitespaces", false)?,
        };
        let unigram = Unigram::new(&vocabulary, &self.scores(texts.len())?, map, options);
        let prefix = self.added("add_bos_token", false, vocabulary.roles.bos)?;
        let suffix = self.added("add_eos_token", true, vocabulary.roles.eos)?;
        let strip = options.add_space || options.merge_spaces;
        Ok(self.finish("t5", None, vocabulary, Algorithm::Unigram(unigram), [prefix, suffix], strip))
    }

    fn vocabulary(
        &mut self,
        texts: &[Vec<u8>],
        defaults: Roles,
        spelling: Spelling,
    ) -> Result<Vocabulary, TokenizerError> {
        let kinds = match self.metadata.integers(&key("token_type"))? {
            Some(numbers) => {
                check_length("token_type", numbers.len(), texts.len())?;
                numbers[..texts.len()].iter().map(|&number| TokenKind::from_number(number)).collect()
            }
            None => vec![TokenKind::Normal; texts.len()],
        };
        let roles = self.roles(defaults, texts.len());
        Vocabulary::new(texts.iter().map(Vec::as_slice), kinds, roles, spelling)
    }

    /// Reads the ids of tokens with a role. One that is no token is passed over with a warning.
    fn roles(&mut self, mut roles: Roles, tokens: usize) -> Roles {
        for (names, role) in [
            (&["bos"][..], &mut roles.bos),
            (&["eos"], &mut roles.eos),
            (&["eot"], &mut roles.eot),
            (&["eom"], &mut roles.eom),
            (&["unknown"], &mut roles.unknown),
            (&["seperator"], &mut roles.separator),
            (&["padding"], &mut roles.padding),
            (&["mask"], &mut roles.mask),
            (&["fim_pre", "prefix"], &mut roles.fim_prefix),
            (&["fim_suf", "suffix"], &mut roles.fim_suffix),
            (&["fim_mid", "middle"], &mut roles.fim_middle),
            (&["fim_pad"], &mut roles.fim_padding),
            (&["fim_rep"], &mut roles.fim_repository),
            (&["fim_sep"], &mut roles.fim_separator),
        ] {
            *role = role.filter(|&id| (id as usize) < tokens);
            for name in names {
                let key = key(&format!("{name}_token_id"));
                match self
                    .metadata
                    .value(&key)
                    .map(|value| value.as_i64().and_then(|id| usize::try_from(id).ok()))
                {
                    Some(Some(id)) if id < tokens => *role = Some(id as u32),
                    Some(_) => self.warnings.push(format!("{key} is not the id of a token")),
                    None => {}
                }
            }
        }
        roles
    }

    /// Reads the scores; without any, all are equal.
    fn scores(&self, tokens: usize) -> Result<Vec<f32>, TokenizerError> {
        let Some(mut scores) = self.metadata.floats(&key("scores"))? else { return Ok(vec![0.0; tokens]) };
        check_length("scores", scores.len(), tokens)?;
        scores.truncate(tokens);
        Ok(scores)
    }

    /// Returns the token to add at an end if the key, or else the default, says so.
    fn added(&self, name: &str, default: bool, token: Option<u32>) -> Result<Vec<u32>, TokenizerError> {
        let add = self.boolean(name, default)?;
        Ok(token.filter(|_| add).into_iter().collect())
    }

    fn text(&self, name: &str) -> Result<Option<&'m str>, TokenizerError> {
        Ok(self.metadata.text(&key(name))?)
    }

    fn boolean(&self, name: &str, default: bool) -> Result<bool, TokenizerError> {
        Ok(self.metadata.boolean(&key(name))?.unwrap_or(default))
    }

    fn finish(
        self,
        model: &str,
        pre_tokenizer: Option<&str>,
        vocabulary: Vocabulary,
        algorithm: Algorithm,
        [prefix, suffix]: [Vec<u32>; 2],
        strip_space: bool,
    ) -> Tokenizer {
        let partition = Partition::new(&vocabulary, self.strips(&vocabulary, pre_tokenizer));
        let strip = if strip_space { SpaceStrip::FirstSpace } else { SpaceStrip::Nothing };
        Tokenizer {
            inner: Arc::new(Inner {
                vocabulary: Arc::new(vocabulary),
                partition,
                algorithm,
                prefix,
                suffix,
                strip,
                model: model.to_owned(),
                pre_tokenizer: pre_tokenizer.map(str::to_owned),
                warnings: self.warnings,
            }),
        }
    }

    /// Returns which tokens swallow white space. Files do not say; it goes by the names of a few models.
    fn strips<'v>(
        &self,
        vocabulary: &'v Vocabulary,
        pre_tokenizer: Option<&str>,
    ) -> impl Fn(u32) -> Strip + use<'v> {
        // A name that is not text is none of these.
        let text = |key: &str| self.metadata.text(key).ok().flatten().unwrap_or_default();
        let (name, architecture) = (text("general.name").to_lowercase(), text("general.architecture"));
        let phi3 = name.contains("phi-3") || name.contains("phi3");
        let mask: &[u8] = if pre_tokenizer.is_some_and(|name| name.starts_with("jina-v2-"))
            || ["nomic-bert-moe", "jina-bert-v3"].contains(&architecture)
        {
            b"<mask>"
        } else if name.contains("modern-bert") {
            b"[MASK]"
        } else {
            b""
        };
        move |id| {
            let text = vocabulary.text(id);
            let kept: [&[u8]; 3] = [b"<unk>", b"<s>", b"<|endoftext|>"];
            Strip { left: text == mask, right: phi3 && !kept.contains(&text) }
        }
    }
}

/// Refuses a list that is shorter than that of the tokens.
fn check_length(name: &str, length: usize, tokens: usize) -> Result<(), TokenizerError> {
    if length >= tokens {
        return Ok(());
    }
    let problem = format!("{} has {length} entries for {tokens} tokens", key(name));
    Err(TokenizerError::Malformed(problem))
}

/// Returns the key of a tokenizer's property.
fn key(name: &str) -> String {
    format!("tokenizer.ggml.{name}")
}
