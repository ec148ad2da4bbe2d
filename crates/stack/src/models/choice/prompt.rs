//! Which model and which prompt a `run` means.

use std::ffi::{OsStr, OsString};

use stack_registry::choice::{Chosen, ModelList, ModelPath, NoModel, Spelling, choose};

/// What was typed behind `stack run`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked<'a> {
    /// What `-m` names.
    pub(crate) model: Option<&'a OsStr>,
    /// What `-p` gives.
    pub(crate) prompt: Option<&'a str>,
    /// The arguments that belong to no option.
    pub(crate) words: &'a [OsString],
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Who answers.
    pub(crate) chosen: Chosen,
    /// What, unless it comes through a pipe or in a conversation.
    pub(crate) prompt: Option<String>,
}

/// Why nothing is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// There is no such model. The prompt is what the arguments are if they were meant as one.
    NoModel { why: NoModel, prompt: Option<String> },
    /// `-p` gives a prompt, and so do other arguments.
    TwoPrompts,
    /// The prompt is not UTF-8.
    NotText,
}

impl<'a> Asked<'a> {
    /// The argument that may name the model: what `-m` names, else the first word.
    pub(crate) fn model_argument(&self) -> Option<&'a OsStr> {
        self.model.or_else(|| self.words.first().map(OsString::as_os_str))
    }

    /// Decides who answers what.
    ///
    /// With `-m` every word belongs to the prompt. Without, the first word is the model, unless it is a text; a text
    /// goes to the default model, as what `-p` gives does where no model is named.
    ///
    /// # Errors
    ///
    /// When a model is named that is not there: another one never answers in its place.
    pub(crate) fn decide(&self, list: &ModelList<'_>) -> Result<Decision, Undecided> {
        let built_in = || Chosen { model: ModelPath::BuiltIn, passed_over: None };
        let (chosen, words) = match (self.model, self.words) {
            (Some(model), words) => {
                let chosen = choose(Spelling::of(model), list);
                (chosen.map_err(|why| Undecided::NoModel { why, prompt: None })?, words)
            }
            (None, []) => (built_in(), self.words),
            (None, [first, rest @ ..]) => match choose(Spelling::of(first), list) {
                Ok(chosen) => (chosen, rest),
                Err(NoModel::Text(_)) => (built_in(), self.words),
                Err(why) => {
                    let prompt = if self.prompt.is_none() { joined(self.words)? } else { None };
                    return Err(Undecided::NoModel { why, prompt });
                }
            },
        };
        let prompt = match (self.prompt, words) {
            (Some(prompt), []) => Some(prompt.to_owned()),
            (Some(_), _) => return Err(Undecided::TwoPrompts),
            (None, words) => joined(words)?,
        };
        Ok(Decision { chosen, prompt })
    }
}

/// Joins words by spaces.
fn joined(words: &[OsString]) -> Result<Option<String>, Undecided> {
    let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
    let words = words.ok_or(Undecided::NotText)?;
    Ok(if words.is_empty() { None } else { Some(words.join(" ")) })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stack_registry::name::Name;

    use super::*;
    use stack_registry::choice::ListedModel;

    fn decide(
        model: Option<&str>,
        prompt: Option<&str>,
        words: &[&str],
    ) -> Result<(String, Option<String>), Undecided> {
        let stored = |name: &str| ListedModel {
            name: Name::parse(name).unwrap(),
            origin: None,
            commit: None,
            digest: None,
            files: Vec::new(),
        };
        let is_there = |path: &Path| path == Path::new("here.gguf") || path == Path::new("a b.gguf");
        let list = ModelList::new(vec![stored("llama3"), stored("med/tiny:v1")], &is_there);
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let asked = Asked { model: model.map(OsStr::new), prompt, words: &words };
        let Decision { chosen, prompt } = asked.decide(&list)?;
        let model = match chosen.model {
            ModelPath::BuiltIn => "built-in".to_owned(),
            ModelPath::Stored(name) => name.short(),
            ModelPath::Path(path) => format!("file {}", path.display()),
        };
        Ok((model, prompt))
    }

    #[test]
    fn model_and_prompt_are_told_apart() {
        for (model, given, words, expected, prompt) in [
            (None, None, &[][..], "built-in", None),
            (None, None, &["Tell me a story."], "built-in", Some("Tell me a story.")),
            (None, None, &["Tell me", "a", "story"], "built-in", Some("Tell me a story")),
            (None, None, &["llama3"], "llama3", None),
            (None, None, &["llama3", "why is the sky blue"], "llama3", Some("why is the sky blue")),
            (None, None, &["llama3", "why", "is", "it"], "llama3", Some("why is it")),
            (None, None, &["llama3", "- one"], "llama3", Some("- one")),
            (None, None, &["llama3", ""], "llama3", Some("")),
            (None, None, &["med/tiny:v1", "hi"], "med/tiny:v1", Some("hi")),
            (None, None, &["default", "hi"], "built-in", Some("hi")),
            (None, None, &["default"], "built-in", None),
            (None, None, &["here.gguf", "hi"], "file here.gguf", Some("hi")),
            (None, None, &["gone.gguf", "hi"], "file gone.gguf", Some("hi")),
            (None, None, &["a b.gguf"], "file a b.gguf", None),
            (None, None, &["./x", "hi"], "file ./x", Some("hi")),
            (None, Some("hello"), &[], "built-in", Some("hello")),
            (None, Some("hello"), &["llama3"], "llama3", Some("hello")),
            (Some("llama3"), Some("hello"), &[], "llama3", Some("hello")),
            (Some("llama3"), None, &["hello"], "llama3", Some("hello")),
            (Some("llama3"), None, &["med/tiny:v1", "x"], "llama3", Some("med/tiny:v1 x")),
            (Some("default"), None, &["llama3"], "built-in", Some("llama3")),
            (Some("here.gguf"), None, &[], "file here.gguf", None),
        ] {
            let decided = decide(model, given, words).unwrap();
            assert_eq!(
                decided,
                (expected.to_owned(), prompt.map(str::to_owned)),
                "{model:?} {given:?} {words:?}"
            );
        }
    }

    #[test]
    fn no_other_model_answers_for_one_that_is_missing() {
        for (model, given, words, prompt) in [
            (None, None, &["llama4"][..], Some("llama4")),
            (None, None, &["hello"], Some("hello")),
            (None, None, &["Tell", "me", "more"], Some("Tell me more")),
            (None, None, &["llama3:70b", "hi"], Some("llama3:70b hi")),
            (None, None, &["Qwen/Qwen3", "hi"], Some("Qwen/Qwen3 hi")),
            (None, None, &["hf://a/b", "hi"], Some("hf://a/b hi")),
            (None, None, &["ftp://a/b", "hi"], Some("ftp://a/b hi")),
            (None, None, &["-5"], Some("-5")),
            (None, None, &[""], Some("")),
            (None, None, &["", "hi"], Some(" hi")),
            (None, None, &["  "], Some("  ")),
            (None, Some("hi"), &["llama4"], None),
            (None, Some("hi"), &[""], None),
            (Some("llama4"), None, &["hi"], None),
            (Some(""), None, &["hi"], None),
            (Some("two words"), None, &["hi"], None),
        ] {
            let Err(Undecided::NoModel { prompt: meant, .. }) = decide(model, given, words) else {
                panic!("{model:?} {given:?} {words:?}")
            };
            assert_eq!(meant.as_deref(), prompt, "{words:?}");
        }
    }

    #[test]
    fn there_is_one_prompt() {
        for (model, words) in
            [(Some("llama3"), &["hi"][..]), (None, &["llama3", "hi"]), (None, &["Tell me a story."])]
        {
            assert_eq!(decide(model, Some("hello"), words), Err(Undecided::TwoPrompts), "{words:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn prompts_are_text() {
        use std::os::unix::ffi::OsStrExt;
        let words = [OsString::from("default"), OsStr::from_bytes(b"\xFF").to_owned()];
        let list = ModelList::new(Vec::new(), &Path::exists);
        let asked = Asked { words: &words, ..Asked::default() };
        assert_eq!(asked.decide(&list), Err(Undecided::NotText));
    }
}
