//! Reads a tokenizer from `tokenizer.json` and runs it on the `tokenizers` crate.
//!
//! Only the stages of that crate are used, not its whole: tokens are cut out of the text by our own rules first, so that
//! callers cannot write control tokens and template text can.

use std::collections::HashSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::tokenizer::normalizer::Range as Place;
use tokenizers::tokenizer::{
    Model, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    Token,
};

use super::added::AddedTokens;
use super::detokenizer::Strip as SpaceStrip;
use super::partition::{Fragment, Partition};
use super::spelling::{Spelling, byte_token};
use super::vocabulary::{Roles, TokenKind, Vocabulary};
use super::{Algorithm, Inner, Tokenizer, TokenizerError};

/// The stages of a `tokenizer.json`.
pub(super) struct Pipeline {
    stages: tokenizers::Tokenizer,
    /// Added tokens that are found in the text as it is.
    verbatim: AddedTokens,
    /// Added tokens that are found in normalized text.
    normalized: AddedTokens,
    /// Stands for what no stage can handle.
    unknown: Vec<u32>,
    /// Ids that text must not become, in order.
    control: Vec<u32>,
}

impl Pipeline {
    /// Appends the tokens of a text. `parsed` are the ranges that a template wrote, in order.
    pub(super) fn encode(&self, text: &str, parsed: &[Range<usize>], tokens: &mut Vec<u32>) {
        let fragments = self.verbatim.cut(text, parsed, Some);
        match guarded(|| self.try_encode(text, parsed, &fragments)) {
            Ok(found) => tokens.extend(found),
            // Only an odd file can make a stage fail, on an odd text. The control tokens are right in any case.
            Err(_) => tokens.extend(fragments.iter().flat_map(|fragment| match fragment {
                Fragment::Token(id, _) => std::slice::from_ref(id),
                Fragment::Text(_) => &self.unknown,
            })),
        }
    }

    fn try_encode(
        &self,
        text: &str,
        parsed: &[Range<usize>],
        fragments: &[Fragment],
    ) -> tokenizers::Result<Vec<u32>> {
        // The crate has to see the text as one, because some of its stages treat its start differently.
        let mut parts = PreTokenizedString::from(text);
        parts.split(|_, whole| Ok(cut(&whole, fragments)))?;
        parts.split(|_, mut piece| {
            if let Some(normalizer) = self.stages.get_normalizer() {
                normalizer.normalize(&mut piece)?;
            }
            let shift = piece.offsets_original().0;
            let original = |range: Range<usize>| {
                let range = piece.convert_offsets(Place::Normalized(range))?;
                Some(shift + range.start..shift + range.end)
            };
            let fragments = self.normalized.cut(piece.get(), parsed, original);
            Ok(cut(&piece, &fragments))
        })?;
        if let Some(pre_tokenizer) = self.stages.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut parts)?;
        }
        parts.tokenize(|part| Ok(self.tokenize(part.get())))?;
        let splits = parts.get_splits(OffsetReferential::Original, OffsetType::None);
        Ok(splits
            .into_iter()
            .flat_map(|(_, _, tokens)| tokens.iter().flatten().map(|token| token.id))
            .collect())
    }

    /// Tokenizes a piece of text. What would become a control token is tokenized character by character instead.
    fn tokenize(&self, piece: &str) -> Vec<Token> {
        let model = self.stages.get_model();
        let unknown = || self.unknown.iter().copied().map(token);
        let Ok(found) = model.tokenize(piece) else { return unknown().collect() };
        let control = |found: &Token| self.control.binary_search(&found.id).is_ok();
        if !found.iter().any(control) {
            return found;
        }
        let mut tokens = Vec::with_capacity(found.len());
        for part in found {
            if !control(&part) {
                tokens.push(part);
                continue;
            }
            for c in part.value.chars() {
                match model.tokenize(c.encode_utf8(&mut [0; 4])) {
                    Ok(found) if !found.iter().any(control) => tokens.extend(found),
                    _ => tokens.extend(unknown()),
                }
            }
        }
        tokens
    }
}

/// Runs a part of the crate, which panics on some damaged files where a server must not end.
pub(super) fn guarded<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    // Nothing is written that is seen afterwards, except the crate's cache, which copes with a poisoned lock.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("a stage cannot cope with the file".into()))
}

/// Cuts a piece of text into fragments; those that are tokens take no further part.
fn cut(piece: &NormalizedString, fragments: &[Fragment]) -> Vec<(NormalizedString, Option<Vec<Token>>)> {
    let cut = fragments.iter().filter_map(|fragment| {
        let (range, tokens) = match fragment {
            Fragment::Text(range) => (range, None),
            Fragment::Token(id, range) => (range, Some(vec![token(*id)])),
        };
        Some((piece.slice(Place::Normalized(range.clone()))?, tokens))
    });
    cut.collect()
}

fn token(id: u32) -> Token {
    Token::new(id, String::new(), (0, 0))
}

/// Builds a tokenizer from the two files, for a model with so many embeddings.
pub(super) fn tokenizer(
    file: &[u8],
    config: Option<&[u8]>,
    embeddings: usize,
) -> Result<Tokenizer, TokenizerError> {
    let problem = |problem: String| TokenizerError::Json { file: "tokenizer.json", problem };
    let outline: Outline = serde_json::from_slice(file).map_err(|error| problem(error.to_string()))?;
    let config = match config {
        Some(config) => serde_json::from_slice(config).map_err(|error| TokenizerError::Json {
            file: "tokenizer_config.json",
            problem: error.to_string(),
        })?,
        None => Value::Null,
    };
    let stages =
        guarded(|| tokenizers::Tokenizer::from_bytes(file)).map_err(|error| problem(error.to_string()))?;

    let mut tokens = tokens(&stages, &outline, file.len())?;
    let warnings = leave_out_untrained(&mut tokens, &stages, embeddings)?;
    let size = tokens.len();
    let known = |id: &u32| (*id as usize) < size;
    let find =
        |name: &str| token_named(&config, name).and_then(|text| stages.token_to_id(text)).filter(known);
    let mut around = around(&outline.post_processor);
    around.0.retain(known);
    around.1.retain(known);
    let roles = Roles {
        bos: find("bos_token").or(around.0.first().copied()),
        eos: find("eos_token"),
        unknown: outline.unknown(&stages).filter(known).or_else(|| find("unk_token")),
        separator: find("sep_token"),
        padding: find("pad_token"),
        mask: find("mask_token"),
        ..Roles::default()
    };
    let texts = tokens.iter().map(|(text, _)| text.as_bytes());
    let kinds = tokens.iter().map(|&(_, kind)| kind).collect();
    let vocabulary = Vocabulary::new(texts, kinds, roles, outline.spelling())?;

    let (verbatim, normalized) = AddedTokens::of(&stages, &vocabulary, &config)?;
    let control = vocabulary.iter().map(|(id, _)| id).filter(|&id| vocabulary.kind(id) == TokenKind::Control);
    let pipeline = Pipeline {
        control: control.collect(),
        unknown: roles.unknown.into_iter().collect(),
        verbatim,
        normalized,
        stages,
    };
    Ok(Tokenizer {
        inner: Arc::new(Inner {
            prefix: override_end(around.0, &config["add_bos_token"], roles.bos),
            suffix: override_end(around.1, &config["add_eos_token"], roles.eos),
            strip: if outline.adds_space() { SpaceStrip::FirstSpace } else { SpaceStrip::Nothing },
            model: outline.model.kind.unwrap_or_else(|| "unknown".to_owned()),
            pre_tokenizer: outline.pre_tokenizer["type"].as_str().map(str::to_owned),
            warnings,
            vocabulary: Arc::new(vocabulary),
            partition: Partition::empty(),
            algorithm: Algorithm::Json(Box::new(pipeline)),
        }),
    })
}

/// What we need to know of a `tokenizer.json` that the crate does not tell.
#[derive(Deserialize)]
struct Outline {
    model: ModelOutline,
    #[serde(default)]
    added_tokens: Vec<AddedOutline>,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(default)]
    post_processor: Value,
}

#[derive(Deserialize)]
struct AddedOutline {
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct ModelOutline {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    unk_token: Option<String>,
    #[serde(default)]
    unk_id: Option<u32>,
    #[serde(default)]
    byte_fallback: Option<bool>,
}

impl Outline {
    fn unknown(&self, stages: &tokenizers::Tokenizer) -> Option<u32> {
        self.model.unk_token.as_deref().and_then(|text| stages.token_to_id(text)).or(self.model.unk_id)
    }

    fn spelling(&self) -> Spelling {
        let byte_level = |stage: &Value| stage["type"] == "ByteLevel";
        if any_stage(&self.decoder, &byte_level) || any_stage(&self.pre_tokenizer, &byte_level) {
            Spelling::ByteLevel
        } else if self.model.kind.as_deref() == Some("WordPiece") {
            Spelling::Continued
        } else {
            Spelling::Marked
        }
    }

    /// Whether text gets a space in front that its tokens show.
    fn adds_space(&self) -> bool {
        self.spelling() == Spelling::Continued
            || any_stage(&self.decoder, &|stage| match stage["type"].as_str() {
                Some("Strip") => stage["start"].as_u64() > Some(0),
                Some("Metaspace") => {
                    stage["prepend_scheme"].as_str().is_some_and(|scheme| scheme != "never")
                        || stage["add_prefix_space"] == true
                }
                _ => false,
            })
    }
}

/// Whether a stage, or one of those that it is a sequence of, is as asked.
fn any_stage(stage: &Value, asked: &impl Fn(&Value) -> bool) -> bool {
    let parts = ["decoders", "pretokenizers"].into_iter().filter_map(|name| stage[name].as_array()).flatten();
    asked(stage) || parts.into_iter().any(|part| any_stage(part, asked))
}

/// Returns texts and kinds of all tokens by id. Ids without a token get an empty text.
fn tokens(
    stages: &tokenizers::Tokenizer,
    outline: &Outline,
    file_bytes: usize,
) -> Result<Vec<(String, TokenKind)>, TokenizerError> {
    let vocabulary = stages.get_vocab(true);
    let Some(last) = vocabulary.values().max().map(|&id| id as usize) else {
        return Err(TokenizerError::NoVocabulary);
    };
    // Every token takes more than one byte in the file, so that an honest file has no id beyond its length.
    if last >= file_bytes {
        let problem = format!("token id {last} is far outside a vocabulary of {}", vocabulary.len());
        return Err(TokenizerError::Malformed(problem));
    }
    let added = stages.get_added_tokens_decoder();
    // A token that is listed twice is special if either entry says so, as in the crate, which returns only the last.
    let special: HashSet<&str> = outline
        .added_tokens
        .iter()
        .filter(|token| token.special)
        .map(|token| token.content.as_str())
        .collect();
    let unknown = outline.unknown(stages);
    let mut tokens = vec![(String::new(), TokenKind::Unused); last + 1];
    for (text, id) in vocabulary {
        let kind = match added.get(&id) {
            _ if Some(id) == unknown => TokenKind::Unknown,
            Some(_) if special.contains(text.as_str()) => TokenKind::Control,
            Some(_) => TokenKind::UserDefined,
            None if outline.model.byte_fallback == Some(true) && byte_token(text.as_bytes()).is_some() => {
                TokenKind::Byte
            }
            None => TokenKind::Normal,
        };
        tokens[id as usize] = (text, kind);
    }
    Ok(tokens)
}

/// Leaves out added tokens that the model has no embedding for, and says so.
fn leave_out_untrained(
    tokens: &mut Vec<(String, TokenKind)>,
    stages: &tokenizers::Tokenizer,
    embeddings: usize,
) -> Result<Vec<String>, TokenizerError> {
    if tokens.len() <= embeddings {
        return Ok(Vec::new());
    }
    let added = stages.get_added_tokens_decoder();
    let is_added_only = |id: u32| added.contains_key(&id) && stages.get_model().id_to_token(id).is_none();
    let mut surplus = tokens.iter().zip(0..).skip(embeddings).filter(|((text, _), _)| !text.is_empty());
    if !surplus.all(|(_, id)| is_added_only(id)) {
        return Err(TokenizerError::Larger { tokens: tokens.len(), embeddings });
    }
    let left_out = tokens.split_off(embeddings);
    let texts: Vec<_> = left_out.iter().map(|(text, _)| text).filter(|text| !text.is_empty()).collect();
    let warning = format!(
        "the model has {embeddings} embeddings and none for these added tokens, which are read as text: {texts:?}"
    );
    Ok(vec![warning])
}

/// Returns the text of a token that the configuration names, which may be a string or an object.
pub(super) fn token_named<'v>(config: &'v Value, name: &str) -> Option<&'v str> {
    let token = &config[name];
    token.as_str().or_else(|| token["content"].as_str())
}

/// Returns what a post-processor puts before and behind a text.
///
/// It is read rather than tried out: the crate panics where a template names a token that is not there.
fn around(stage: &Value) -> (Vec<u32>, Vec<u32>) {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let mut around = (Vec::new(), Vec::new());
    match stage["type"].as_str() {
        Some("TemplateProcessing") => {
            let parts = stage["single"].as_array().into_iter().flatten();
            let mut behind = false;
            for part in parts {
                behind |= part.get("Sequence").is_some();
                let Some(name) = part["SpecialToken"]["id"].as_str() else { continue };
                let ids =
                    stage["special_tokens"][name]["ids"].as_array().into_iter().flatten().filter_map(id);
                if behind { around.1.extend(ids) } else { around.0.extend(ids) }
            }
        }
        Some("BertProcessing" | "RobertaProcessing") => {
            around.0.extend(id(&stage["cls"][1]));
            around.1.extend(id(&stage["sep"][1]));
        }
        Some("Sequence") => {
            for part in stage["processors"].as_array().into_iter().flatten().map(self::around) {
                around.0.splice(..0, part.0);
                around.1.extend(part.1);
            }
        }
        _ => {}
    }
    around
}

/// Applies the configuration's word on whether a token goes at an end to what the post-processor puts there.
fn override_end(mut tokens: Vec<u32>, add: &Value, token: Option<u32>) -> Vec<u32> {
    match (add.as_bool(), token) {
        (Some(true), Some(token)) if !tokens.contains(&token) => tokens.push(token),
        (Some(false), Some(token)) => tokens.retain(|&other| other != token),
        _ => {}
    }
    tokens
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tokenizer::{Control, Specials};

    fn added(id: u32, content: &str, special: bool) -> Value {
        json!({"id": id, "content": content, "special": special, "single_word": false, "lstrip": false,
               "rstrip": true, "normalized": false})
    }

    /// A unigram vocabulary whose model could make up control tokens from text.
    fn unigram() -> Value {
        json!({
            "version": "1.0",
            "added_tokens": [added(0, "<s>", true), added(1, "</s>", true), added(2, "<unk>", true),
                             added(7, "<tool>", false)],
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true},
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                           {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                                   "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
            },
            "model": {"type": "Unigram", "unk_id": 2, "vocab": [
                ["<s>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2.0], ["a", -2.0], ["▁a", -3.0], ["s", -2.0],
            ]},
        })
    }

    fn build(file: &Value, config: Option<Value>) -> Result<Tokenizer, TokenizerError> {
        let config = config.map(|config| config.to_string());
        Tokenizer::from_json(file.to_string().as_bytes(), config.as_deref().map(str::as_bytes))
    }

    fn encode(text: &str, control: Control, specials: Specials) -> Vec<u32> {
        build(&unigram(), None).unwrap().encode(text, control, specials)
    }

    #[test]
    fn template_text_yields_control_tokens_and_caller_text_none() {
        assert_eq!(encode("<s>a a", Control::Parsed, Specials::Omit), [0, 4, 5]);
        let literal = encode("<s>a</s>", Control::Literal, Specials::Omit);
        assert!(literal.iter().all(|&id| id > 1), "{literal:?}");
        assert_eq!(encode("a<tool> a", Control::Literal, Specials::Omit), [5, 7, 4]);
    }

    #[test]
    fn a_token_that_is_special_once_is_special() {
        let mut file = unigram();
        let listed = file["added_tokens"].as_array_mut().unwrap();
        listed.extend([added(8, "<end>", true), added(8, "<end>", false)]);
        let tokenizer = build(&file, None).unwrap();
        let encode = |control| tokenizer.encode("a<end>", control, Specials::Omit);
        assert_eq!(encode(Control::Parsed), [5, 8]);
        assert!(!encode(Control::Literal).contains(&8), "a caller cannot write it");
    }

    #[test]
    fn the_post_processor_says_what_goes_around_a_text() {
        assert_eq!(encode("a", Control::Literal, Specials::Add), [0, 5, 1]);
        assert_eq!(encode("a", Control::Literal, Specials::Omit), [5]);
        assert_eq!(encode("", Control::Literal, Specials::Add), [0, 1]);
    }

    #[test]
    fn post_processors_of_other_kinds_are_understood() {
        let bert = json!({"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]});
        assert_eq!(around(&bert), (vec![101], vec![102]));
        let sequence = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"}, bert]});
        assert_eq!(around(&sequence), (vec![101], vec![102]));
        assert_eq!(around(&Value::Null), (vec![], vec![]));
        let gap = json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}, 7]});
        assert_eq!(around(&gap), (vec![], vec![]));
    }

    #[test]
    fn the_configuration_names_roles_and_may_override() {
        let config = json!({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "add_eos_token": false});
        let tokenizer = build(&unigram(), Some(config)).unwrap();
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(0), Some(1)));
        assert_eq!(tokenizer.encode("a", Control::Literal, Specials::Add), [0, 5]);
        assert!(tokenizer.is_end_of_generation(1));
        assert_eq!(tokenizer.model_name(), "Unigram");
    }

    #[test]
    fn tokens_without_an_embedding_are_never_made() {
        let file = unigram().to_string();
        let with = |embeddings| Tokenizer::from_json_with(file.as_bytes(), None, embeddings);
        assert!(with(8).unwrap().warnings().is_empty());
        // Only `<tool>` was added beyond the model's own.
        let tokenizer = with(7).unwrap();
        assert_eq!(tokenizer.vocabulary_size(), 7);
        let ids = tokenizer.encode("a<tool> a", Control::Parsed, Specials::Add);
        assert!(ids.iter().all(|&id| id < 7), "{ids:?}");
        assert!(tokenizer.warnings()[0].contains("<tool>"));
        let error = with(6).err().unwrap().to_string();
        assert!(error.contains("8 tokens") && error.contains("embeddings for 6"), "{error}");
    }

    #[test]
    fn text_comes_back() {
        let tokenizer = build(&unigram(), None).unwrap();
        assert_eq!(tokenizer.decode(&[0, 5, 5, 1]), b"a a");
        assert_eq!(tokenizer.kind(2), TokenKind::Unknown);
        assert_eq!(tokenizer.kind(7), TokenKind::UserDefined);
    }

    #[test]
    fn files_that_cannot_be_used_are_refused() {
        let refused = |file: &[u8], config: Option<&[u8]>| {
            Tokenizer::from_json(file, config).err().unwrap().to_string()
        };
        let good = unigram().to_string();
        assert!(refused(b"", None).starts_with("tokenizer.json: "));
        assert!(refused(b"{}", None).contains("model"));
        assert!(refused(b"[[[[", None).starts_with("tokenizer.json: "));
        assert!(refused("[".repeat(100_000).as_bytes(), None).starts_with("tokenizer.json: "));
        assert!(refused(good.as_bytes(), Some(b"{")).starts_with("tokenizer_config.json: "));
        assert!(refused(&good.as_bytes()[..good.len() / 2], None).starts_with("tokenizer.json: "));
        let empty = json!({"version": "1.0", "model": {"type": "WordLevel", "vocab": {}, "unk_token": "x"}});
        assert!(matches!(build(&empty, None), Err(TokenizerError::NoVocabulary)));
    }

    #[test]
    fn an_absurd_token_id_is_refused_before_it_costs_memory() {
        let vocabulary = json!({"a": 4_294_967_295_u32});
        let file =
            json!({"version": "1.0", "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "x"}});
        let problem = build(&file, None).err().unwrap().to_string();
        assert!(problem.contains("far outside"), "{problem}");
    }

    #[test]
    fn damaged_files_never_panic() {
        let good = unigram().to_string();
        for at in (0..good.len()).filter(|&at| good.is_char_boundary(at)) {
            for byte in [b'0', b'"', b'}', b'-'] {
                let mut damaged = good.clone().into_bytes();
                damaged[at] = byte;
                if let Ok(tokenizer) = Tokenizer::from_json(&damaged, None) {
                    let ids = tokenizer.encode("a </s> é", Control::Literal, Specials::Add);
                    tokenizer.decode(&ids);
                }
            }
        }
    }
}
