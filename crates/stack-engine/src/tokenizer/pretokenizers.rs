//! The text splitting rules that vocabularies name in `tokenizer.ggml.pre`.
//!
//! This is data: one row for each rule, with all the names it goes by. The patterns are those of the model families'
//! own tokenizers, without the look-ahead at their ends, which [`Runs`] replaces.

use super::split::{Runs, Step};

/// English contractions, in either case.
macro_rules! contractions {
    () => {
        "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    };
}

/// Letters that may start a capitalised word, and marks.
macro_rules! upper {
    () => {
        r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
    };
}

/// Letters that may follow in a word, and marks.
macro_rules! lower {
    () => {
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    };
}

macro_rules! upper_not_han {
    () => {
        r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
    };
}

macro_rules! lower_not_han {
    () => {
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
    };
}

macro_rules! ascii_punctuation {
    () => {
        r"[!-/:-@\[-\x60{-~]"
    };
}

/// A splitting rule and the defaults that go with it.
pub(super) struct PreTokenizer {
    pub(super) names: &'static [&'static str],
    pub(super) steps: &'static [Step],
    pub(super) traits: Traits,
}

/// What a rule's name says about a vocabulary beside the splitting. Explicit metadata wins over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// A whole piece that is a token becomes that token, whatever the merges say.
    pub(super) whole_pieces: bool,
    /// A BOS token goes in front.
    pub(super) add_bos: bool,
    /// There is a BOS token even if none is named.
    pub(super) has_bos: bool,
    pub(super) alphabet: Alphabet,
}

/// What the merges of a vocabulary start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Bytes.
    Bytes,
    /// Characters; a space is written as its mark.
    MarkedCharacters,
    /// Characters.
    Characters,
}

/// Returns the rule of this name.
pub(super) fn pre_tokenizer(name: &str) -> Option<&'static PreTokenizer> {
    TABLE.iter().find(|row| row.names.contains(&name))
}

const PLAIN: Traits =
    Traits { whole_pieces: false, add_bos: false, has_bos: true, alphabet: Alphabet::Bytes };
const WHOLE: Traits = Traits { whole_pieces: true, ..PLAIN };
const WHOLE_BOS: Traits = Traits { add_bos: true, ..WHOLE };
const BOS: Traits = Traits { add_bos: true, ..PLAIN };
const NO_BOS: Traits = Traits { has_bos: false, ..PLAIN };
const WHOLE_NO_BOS: Traits = Traits { has_bos: false, ..WHOLE };
const MARKED: Traits = Traits { alphabet: Alphabet::MarkedCharacters, ..PLAIN };
const MARKED_BOS: Traits = Traits { add_bos: true, ..MARKED };
const CHARACTERS: Traits = Traits { alphabet: Alphabet::Characters, ..PLAIN };

const TABLE: &[PreTokenizer] = &[
    PreTokenizer {
        names: &["default"],
        steps: &[
            Step::Pattern(r"[\p{P}$\+<=>\^~\|]+"),
            GPT2,
            Step::Pattern(r"\p{N}+"),
            Step::Pattern("[0-9][0-9][0-9]"),
        ],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &[
            "llama3",
            "llama-v3",
            "llama-bpe",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        steps: &[LLAMA3],
        traits: WHOLE_BOS,
    },
    PreTokenizer { names: &["dbrx", "smaug-bpe"], steps: &[LLAMA3], traits: PLAIN },
    PreTokenizer { names: &["chatglm-bpe"], steps: &[LLAMA3], traits: NO_BOS },
    PreTokenizer { names: &["glm4", "glm5"], steps: &[LLAMA3], traits: WHOLE_NO_BOS },
    PreTokenizer {
        names: &[
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "hunyuan",
            "solar-open",
            "grok-2",
            "stablelm2",
            "megrez",
        ],
        steps: &[QWEN2],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["qwen35"],
        steps: &[Step::Words(
            concat!(
                contractions!(),
                r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+"
            ),
            Runs::Lines,
        )],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["ufakzeka"],
        steps: &[Step::Words(
            r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+",
            Runs::Lines,
        )],
        traits: PLAIN,
    },
    PreTokenizer { names: &["laguna"], steps: &[LINES, QWEN2], traits: PLAIN },
    PreTokenizer {
        names: &["seed-coder"],
        steps: &[Step::Words(
            concat!(contractions!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+"),
            Runs::Lines,
        )],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["minicpm5"],
        steps: &[
            Step::Pattern(r"\p{N}{1,3}"),
            Step::Words(
                concat!(
                    contractions!(),
                    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
                ),
                Runs::Lines,
            ),
        ],
        traits: WHOLE,
    },
    PreTokenizer { names: &["jais-2"], steps: &[Step::Words(LLAMA3_WORDS, Runs::Sized)], traits: PLAIN },
    PreTokenizer {
        names: &["exaone-moe"],
        steps: &[Step::Words(
            concat!(
                contractions!(),
                r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]"
            ),
            Runs::Lines,
        )],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["bailingmoe", "bailingmoe2", "llada-moe"],
        steps: &[Step::Words(
            concat!(
                r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])",
                r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]"
            ),
            Runs::Lines,
        )],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &[
            "gpt-2",
            "phi-2",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v1-en",
            "jina-v2-code",
            "roberta-bpe",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "mpt",
            "olmo",
            "jais",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
        steps: &[GPT2],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &[
            "starcoder",
            "refact",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
            "command-r",
            "smollm",
        ],
        steps: &[DIGIT, GPT2],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["falcon"],
        steps: &[Step::Pattern(r"[\p{P}$\+<=>\^~\|\x60]+"), GPT2, Step::Pattern("[0-9][0-9][0-9]")],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        steps: &[O200K],
        traits: PLAIN,
    },
    PreTokenizer { names: &["granite-embed-multi-97m"], steps: &[O200K], traits: WHOLE },
    PreTokenizer { names: &["tiny_aya", "cohere2moe"], steps: &[Step::DigitGroups, O200K], traits: PLAIN },
    PreTokenizer {
        names: &["tekken"],
        steps: &[Step::Words(
            concat!(
                r"[^\r\n\p{L}\p{N}]?",
                upper!(),
                "*",
                lower!(),
                r"+|[^\r\n\p{L}\p{N}]?",
                upper!(),
                "+",
                lower!(),
                r"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
            ),
            Runs::Lines,
        )],
        traits: WHOLE_BOS,
    },
    PreTokenizer {
        names: &["youtu"],
        steps: &[
            Step::Pattern(concat!(
                r"[\u{ac00}-\u{d7a3}\u{3131}-\u{318e}]+",
                r"|[\u{ff01}\u{2026}\u{201c}\u{201d}\u{2018}\u{2019}\u{2014}\u{ff1a}\u{ff1b}\u{ff0c}",
                r"\u{3001}-\u{303f}\u{fe30}-\u{fe4f}]+|[\u{3105}-\u{312f}]+",
                r"|[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+"
            )),
            Step::Words(
                concat!(
                    r"[^\r\n\p{L}\p{N}]?",
                    upper!(),
                    "*",
                    lower!(),
                    "+",
                    contractions!(),
                    r"?|[^\r\n\p{L}\p{N}]?",
                    upper!(),
                    "+",
                    lower!(),
                    "*",
                    contractions!(),
                    r"?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
                ),
                Runs::Lines,
            ),
        ],
        traits: WHOLE,
    },
    PreTokenizer {
        names: &["kimi-k2"],
        steps: &[Step::Words(
            concat!(
                r"\p{Han}+|[^\r\n\p{L}\p{N}]?",
                upper_not_han!(),
                "*",
                lower_not_han!(),
                "+",
                contractions!(),
                r"?|[^\r\n\p{L}\p{N}]?",
                upper_not_han!(),
                "+",
                lower_not_han!(),
                "*",
                contractions!(),
                r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
            ),
            Runs::Lines,
        )],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        steps: &[NUMBER3, CJK, DEEPSEEK3],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["spark2_5"],
        steps: &[
            NUMBER3,
            CJK,
            Step::Words(
                concat!(
                    ascii_punctuation!(),
                    r"[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]"
                ),
                Runs::Plain,
            ),
            DIGIT,
        ],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["afmoe"],
        steps: &[
            Step::DigitGroups,
            Step::Pattern(concat!(
                r"[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{f900}-\u{faff}\u{3040}-\u{309f}\u{30a0}-\u{30ff}",
                r"\u{ff65}-\u{ff9f}\u{2f00}-\u{2fdf}\u{0e40}-\u{0e7f}\u{0e80}-\u{0eff}\u{1780}-\u{17ff}",
                r"\u{1000}-\u{109f}\u{aa60}-\u{aa7f}\u{a9e0}-\u{a9ff}\u{ac00}-\u{d7af}\u{1100}-\u{11ff}]+"
            )),
            DEEPSEEK3,
        ],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["deepseek-llm"],
        steps: &[
            Step::Pattern(r"[\r\n]"),
            Step::Pattern(DEEPSEEK_LETTERS),
            Step::Pattern(
                r"\s?[!-/:-~\u{ff01}-\u{ff0f}\u{ff1a}-\u{ff5e}\u{2018}-\u{201f}\u{3000}-\u{3002}]+",
            ),
            Step::Pattern(r"\s+$"),
            DEEPSEEK_CJK,
            Step::Pattern(r"\p{N}+"),
        ],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        steps: &[
            Step::Pattern(r"[\r\n]"),
            Step::Pattern(r"\s?\p{L}+"),
            Step::Pattern(r"\s?\p{P}+"),
            DEEPSEEK_CJK,
            DIGIT,
        ],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["superbpe"],
        steps: &[Step::Pattern(r"\p{N}+"), Step::DigitGroups],
        traits: PLAIN,
    },
    PreTokenizer {
        names: &["chameleon"],
        steps: &[
            Step::Pattern("<sentinel:[0-9]+>"),
            Step::Pattern("IMGIMG[A-I]{1,4}Z"),
            Step::Pattern(r"[\t\n]|    |  "),
            DIGIT,
            Step::Pattern(r"[\p{P}!-/:-@\[-\x60{-~]"),
            GPT2,
        ],
        traits: BOS,
    },
    PreTokenizer { names: &["poro-chat", "bloom", "gpt3-finnish"], steps: &[BLOOM], traits: PLAIN },
    PreTokenizer { names: &["viking"], steps: &[BLOOM, DIGIT], traits: PLAIN },
    PreTokenizer { names: &["gemma4", "granite-embed-multi-311m"], steps: &[LINES], traits: MARKED_BOS },
    PreTokenizer { names: &["sarvam-moe"], steps: &[LINES], traits: MARKED },
    PreTokenizer { names: &["whitespace"], steps: &[Step::Pattern(r"\S+")], traits: CHARACTERS },
];

const GPT2: Step = Step::Words(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+", Runs::Plain);

const LLAMA3: Step = Step::Words(LLAMA3_WORDS, Runs::Lines);

const LLAMA3_WORDS: &str =
    concat!(contractions!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+");

const QWEN2: Step = Step::Words(
    concat!(contractions!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"),
    Runs::Lines,
);

const O200K: Step = Step::Words(
    concat!(
        r"[^\r\n\p{L}\p{N}]?",
        upper!(),
        "*",
        lower!(),
        "+",
        contractions!(),
        r"?|[^\r\n\p{L}\p{N}]?",
        upper!(),
        "+",
        lower!(),
        "*",
        contractions!(),
        r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
    ),
    Runs::Lines,
);

const DEEPSEEK3: Step = Step::Words(
    concat!(
        ascii_punctuation!(),
        r"[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+"
    ),
    Runs::Lines,
);

const DIGIT: Step = Step::Pattern(r"\p{N}");

const NUMBER3: Step = Step::Pattern(r"\p{N}{1,3}");

const CJK: Step = Step::Pattern(r"[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+");

const DEEPSEEK_CJK: Step = Step::Pattern(r"[\u{4e00}-\u{9fa5}\u{0800}-\u{4e00}\u{ac00}-\u{d7ff}]+");

const LINES: Step = Step::Pattern(r"[^\n]+|[\n]+");

const BLOOM: Step = Step::Pattern(r" ?[^(\s|.,!?\u{2026}\u{3002}\u{ff0c}\u{3001}\u{0964}\u{06d4}\u{060c})]+");

/// Letters with case, as DeepSeek-LLM's own tokenizer lists them.
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[",
    r"A-Za-z\u{b5}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{1ba}\u{1bc}-\u{1bf}\u{1c4}-\u{293}",
    r"\u{295}-\u{2af}\u{370}-\u{373}\u{376}\u{377}\u{37b}-\u{37d}\u{37f}\u{386}\u{388}-\u{38a}\u{38c}",
    r"\u{38e}-\u{3a1}\u{3a3}-\u{3f5}\u{3f7}-\u{481}\u{48a}-\u{52f}\u{531}-\u{556}\u{10a0}-\u{10c5}",
    r"\u{13a0}-\u{13f5}\u{13f8}-\u{13fd}\u{1c90}-\u{1cba}\u{1cbd}-\u{1cbf}\u{1d00}-\u{1d2b}",
    r"\u{1d6b}-\u{1d77}\u{1d79}-\u{1d9a}\u{1e00}-\u{1f15}\u{1f18}-\u{1f1d}\u{1f20}-\u{1f45}",
    r"\u{1f48}-\u{1f4d}\u{1f50}-\u{1f57}\u{1f59}\u{1f5b}\u{1f5d}\u{1f5f}-\u{1f7d}\u{1f80}-\u{1fb4}",
    r"\u{1fb6}-\u{1fbc}\u{1fbe}\u{1fc2}-\u{1fc4}\u{1fc6}-\u{1fcc}\u{1fd0}-\u{1fd3}\u{1fd6}-\u{1fdb}",
    r"\u{1fe0}-\u{1fec}\u{1ff2}-\u{1ff4}\u{1ff6}-\u{1ffc}\u{2102}\u{2107}\u{210a}-\u{2113}\u{2115}",
    r"\u{2119}-\u{211d}\u{2124}\u{2126}\u{2128}\u{212a}-\u{212d}\u{212f}-\u{2134}\u{2139}",
    r"\u{213c}-\u{213f}\u{2145}-\u{2149}\u{214e}\u{2183}\u{2184}\u{2c00}-\u{2c7b}\u{2c7e}-\u{2ce4}",
    r"\u{2ceb}-\u{2cee}\u{2cf2}\u{2cf3}\u{a640}-\u{a66d}\u{a680}-\u{a69b}\u{a722}-\u{a76f}",
    r"\u{a771}-\u{a787}\u{a78b}-\u{a78e}\u{ab70}-\u{abbf}\u{fb00}-\u{fb06}\u{fb13}-\u{fb17}",
    r"\u{ff21}-\u{ff3a}\u{ff41}-\u{ff5a}\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}",
    r"\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}",
    r"]+"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::split::Splitter;

    fn pieces<'t>(name: &str, text: &'t str) -> Vec<&'t str> {
        let mut pieces = Vec::new();
        let splitter = Splitter::new(pre_tokenizer(name).unwrap().steps).unwrap();
        splitter.split(text, &mut |piece| pieces.push(piece));
        pieces
    }

    #[test]
    fn every_pattern_compiles_and_looks_at_nothing_but_its_match() {
        for row in TABLE {
            Splitter::new(row.steps).unwrap();
            for step in row.steps {
                if let Step::Pattern(pattern) | Step::Words(pattern, _) = step {
                    assert!(!pattern.contains("(?=") && !pattern.contains("(?!"), "{:?}", row.names);
                }
            }
        }
    }

    #[test]
    fn every_name_is_listed_once() {
        let mut names: Vec<&str> = TABLE.iter().flat_map(|row| row.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(pre_tokenizer("no such rule").is_none());
    }

    #[test]
    fn no_text_is_lost() {
        let text = "I'LL pay 1234567€ for it,\n\n  don't you?\t\tДа, 你好 \u{a0}שלום\r\nHTTPServer école  ";
        for row in TABLE {
            assert_eq!(pieces(row.names[0], text).concat(), text, "{:?}", row.names);
        }
    }

    #[test]
    fn families_differ_in_numbers_case_and_contractions() {
        assert_eq!(pieces("llama-bpe", "it's 12345"), ["it", "'s", " ", "123", "45"]);
        assert_eq!(pieces("qwen2", "IT'S 12"), ["IT", "'S", " ", "1", "2"]);
        assert_eq!(pieces("gpt-2", "IT'S 12"), ["IT", "'", "S", " 12"]);
        assert_eq!(pieces("smollm", "a 12"), ["a", " ", "1", "2"]);
        assert_eq!(pieces("gpt-4o", "HTTPServer can't"), ["HTTPServer", " can't"]);
        assert_eq!(pieces("tekken", "helloWorld can't"), ["hello", "World", " can", "'t"]);
        assert_eq!(pieces("tiny_aya", "1234567"), ["1", "234", "567"]);
        assert_eq!(pieces("kimi-k2", "你好hello"), ["你好", "hello"]);
        assert_eq!(pieces("deepseek-v3", "(see 你好1234"), ["(see", " ", "你好", "123", "4"]);
        assert_eq!(pieces("chameleon", "IMGIMGABZ 1"), ["IMGIMGABZ", " ", "1"]);
        assert_eq!(pieces("gemma4", "a b\n\nc"), ["a b", "\n\n", "c"]);
    }

    #[test]
    fn defaults_follow_the_family() {
        assert_eq!(pre_tokenizer("llama3").unwrap().traits, WHOLE_BOS);
        assert_eq!(pre_tokenizer("qwen2").unwrap().traits, PLAIN);
        assert!(!pre_tokenizer("glm4").unwrap().traits.has_bos);
        assert_eq!(pre_tokenizer("gemma4").unwrap().traits.alphabet, Alphabet::MarkedCharacters);
    }
}
