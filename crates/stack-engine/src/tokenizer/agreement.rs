//! Added tokens of generated `tokenizer.json` files: the ids are those of the `tokenizers` crate, whatever the flags.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::tokenizer::{NormalizedString, Normalizer};

use crate::tokenizer::spelling::tests::spelled;
use crate::tokenizer::{Control, Specials, Tokenizer};

/// Stages around a model whose vocabulary is single characters, so that every character counts.
fn stages() -> Vec<Value> {
    let characters: Vec<String> =
        ('!'..='~').chain("▁ éÉ²½ﬁ\u{301}中\u{a0}\u{3000}".chars()).map(String::from).collect();
    let ids = |texts: &[String]| -> Value {
        texts.iter().cloned().zip(0..).map(|(text, id): (String, u32)| (text, Value::from(id))).collect()
    };
    let bytes: Vec<String> = (0..=255).map(|byte| spelled(&[byte])).collect();
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let scores: Vec<Value> = std::iter::once("<none>".to_owned())
        .chain(characters.clone())
        .map(|text| json!([text, -1.0]))
        .collect();
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true});
    let mut words = characters.clone();
    words.extend(characters.iter().map(|text| format!("##{text}")));
    words.push("[NONE]".to_owned());
    vec![
        json!({
            "pre_tokenizer": byte_level, "decoder": byte_level,
            "model": {"type": "BPE", "vocab": ids(&bytes), "merges": []},
        }),
        json!({
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]},
            "pre_tokenizer": metaspace, "decoder": metaspace,
            "model": {"type": "Unigram", "unk_id": 0, "vocab": scores},
        }),
        json!({
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ]},
            "model": {"type": "BPE", "vocab": ids(&characters), "merges": []},
        }),
        json!({
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                           "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": "[NONE]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": ids(&words)},
        }),
    ]
}

/// What texts and tokens are made of: letters with and without case and accents, all sorts of white space and signs.
const PIECES: &[&str] = &[
    "a", "b", "ab", "A", "é", "É", "e\u{301}", "\u{301}", "1", "²", "½", "ﬁ", "中", "_", "-", "<", ">", "<t",
    "|", " ", "  ", "\t", "\n", "\u{b}", "\u{85}", "\u{a0}", "\u{2028}", "\u{3000}", "\u{200b}", "▁",
];

fn pieces(count: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = String> {
    vec(prop::sample::select(PIECES), count).prop_map(|pieces| pieces.concat())
}

/// An added token: its text, and whether it is special, a single word, strips left, strips right, is normalized.
type Added = (String, [bool; 5]);

/// A special token has more than one character, so that none of the vocabulary is one.
fn added() -> impl Strategy<Value = Added> {
    (pieces(1..4), any::<[bool; 5]>()).prop_map(|(text, mut flags)| {
        flags[0] &= text.chars().count() > 1;
        (text, flags)
    })
}

/// A text that has tokens in it more often than chance would.
fn text(added: &[Added]) -> impl Strategy<Value = String> + use<> {
    let tokens: Vec<String> = added.iter().map(|(text, _)| text.clone()).collect();
    let part =
        prop_oneof![prop::sample::select(PIECES).prop_map(str::to_owned), prop::sample::select(tokens)];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn case() -> impl Strategy<Value = (Value, Vec<Added>, Vec<String>)> {
    (prop::sample::select(stages()), vec(added(), 1..7)).prop_flat_map(|(stages, added)| {
        let texts = vec(text(&added), 8);
        (Just(stages), Just(added), texts)
    })
}

fn file(stages: &Value, added: &[Added]) -> Vec<u8> {
    let listed = added.iter().zip(1000..).map(
        |((content, [special, single_word, lstrip, rstrip, normalized]), id)| {
            json!({"id": id, "content": content, "special": special, "single_word": single_word,
                   "lstrip": lstrip, "rstrip": rstrip, "normalized": normalized})
        },
    );
    let mut file = stages.clone();
    file["version"] = "1.0".into();
    file["added_tokens"] = listed.collect();
    serde_json::to_vec(&file).unwrap()
}

/// The ids of the crate, unless it fails or panics over the text, which it does where stripped tokens overlap.
fn reference(crate_one: &tokenizers::Tokenizer, text: &str) -> Option<Vec<u32>> {
    let encode = || crate_one.encode(text, false).ok().map(|encoding| encoding.get_ids().to_vec());
    catch_unwind(AssertUnwindSafe(encode)).ok().flatten()
}

/// Whether the crate itself has no fixed answer: which of two tokens that are the same once they are normalized it finds
/// changes from run to run, and one of which nothing is left matches everywhere, in some texts without end.
fn is_undefined(crate_one: &tokenizers::Tokenizer, added: &[Added]) -> bool {
    let normalized = |text: &String| {
        let mut normalized = NormalizedString::from(text.as_str());
        if let Some(normalizer) = crate_one.get_normalizer() {
            normalizer.normalize(&mut normalized).unwrap();
        }
        normalized.get().to_owned()
    };
    // The last of several with the same text is the one that counts.
    let distinct: BTreeMap<&String, bool> = added.iter().map(|(text, flags)| (text, flags[4])).collect();
    let texts: Vec<_> =
        distinct.iter().filter(|(_, flag)| **flag).map(|(text, _)| normalized(text)).collect();
    texts.contains(&String::new()) || texts.iter().collect::<BTreeSet<_>>().len() < texts.len()
}

fn check(stages: &Value, added: &[Added], texts: &[String]) {
    let bytes = file(stages, added);
    let Ok(mut crate_one) = tokenizers::Tokenizer::from_bytes(&bytes) else {
        assert!(Tokenizer::from_json(&bytes, None).is_err());
        return;
    };
    let ours = Tokenizer::from_json(&bytes, None).unwrap();
    if is_undefined(&crate_one, added) {
        return;
    }
    for (control, as_text) in [(Control::Parsed, false), (Control::Literal, true)] {
        crate_one.set_encode_special_tokens(as_text);
        for text in texts {
            if let Some(expected) = reference(&crate_one, text) {
                let found = ours.encode(text, control, Specials::Omit);
                assert_eq!(found, expected, "{control:?} {text:?} with {added:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn added_tokens_are_found_as_the_crate_finds_them((stages, added, texts) in case()) {
        check(&stages, &added, &texts);
    }
}

#[test]
fn a_token_of_which_normalizing_leaves_nothing_is_never_found() {
    let bert = &stages()[3];
    let with = |added: &[Added]| {
        let tokenizer = Tokenizer::from_json(&file(bert, added), None).unwrap();
        tokenizer.encode("a\u{85}ab \u{85}", Control::Parsed, Specials::Omit)
    };
    for flags in [[false, false, false, false, true], [true, false, true, true, true]] {
        assert_eq!(with(&[("\u{85}".to_owned(), flags)]), with(&[]), "{flags:?}");
    }
}

#[test]
fn each_flag_changes_what_is_found() {
    let token = |flags| vec![("Stop".to_owned(), flags)];
    let lowercase = &stages()[1];
    let cases = [
        ([false, true, false, false, false], "Stop, unStop Stopped Stop٣"),
        ([false, false, true, false, false], "a\u{3000}\u{a0}Stop\u{3000}b"),
        ([false, false, false, true, false], "a\u{3000}\u{a0}Stop\u{85}\u{b}b"),
        ([false, false, false, false, true], "a STOP stop Ｓｔｏｐ b"),
        ([true, false, false, false, true], "a STOP stop Ｓｔｏｐ b"),
    ];
    for (flags, text) in cases {
        check(lowercase, &token(flags), &[text.to_owned()]);
        let encode = |flags| {
            let bytes = file(lowercase, &token(flags));
            Tokenizer::from_json(&bytes, None).unwrap().encode(text, Control::Parsed, Specials::Omit)
        };
        assert_ne!(encode(flags), encode([flags[0], false, false, false, false]), "{flags:?}");
    }
}
