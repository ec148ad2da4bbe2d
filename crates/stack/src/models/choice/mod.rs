//! Which model a command line means: one rule for all commands.
//!
//! What an argument looks like is its [`Spelling`]; what there is lies on a [`Shelf`]; [`choose`] decides. `run`, which
//! takes a prompt beside the model, decides by [`Asked`]. All of that is pure; [`ModelArgument::find`] looks at the store
//! and at the disk.

mod address;
mod error;
mod prompt;
mod shelf;
mod spelling;

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use stack_registry::name::{BadName, Reference};

pub(crate) use prompt::{Asked, Decision};
pub(crate) use shelf::{Shelf, Shelved};
pub(crate) use spelling::Spelling;

use crate::error::CommandError;
use crate::home::Home;
use crate::models::path::ModelPath;
use crate::terminal::output::{harmless, talk};

/// MODEL as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelArgument(OsString);

/// A model that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Where it is.
    pub(crate) model: ModelPath,
    /// A file or folder of the same name, which is not meant.
    pub(crate) passed_over: Option<PathBuf>,
}

/// Why there is no model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoModel {
    /// The argument is empty, as a variable of a script may be.
    Empty,
    /// The argument is a text of several words.
    Text(String),
    /// Nothing has this name.
    Missing {
        /// What was typed.
        word: String,
        /// Names of the store that may be meant.
        near: Vec<String>,
    },
    /// Nothing in the store came from this address.
    NotPulled {
        /// The address.
        address: String,
        /// Models that came from there, but are another file or version.
        near: Vec<String>,
    },
    /// Several models of the store came from this address.
    Several {
        /// The address.
        address: String,
        /// Their names.
        names: Vec<String>,
    },
    /// The address makes no sense.
    BadAddress(BadName),
}

impl From<OsString> for ModelArgument {
    fn from(argument: OsString) -> Self {
        Self(argument)
    }
}

impl ModelArgument {
    /// How it is spelled.
    pub(crate) fn spelling(&self) -> Spelling {
        Spelling::of(&self.0)
    }

    /// What was typed, as text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        self.0.to_string_lossy()
    }

    /// Finds the model, and says on stderr what else has its name.
    pub(crate) fn find(&self, home: &Home) -> Result<ModelPath, CommandError> {
        let spelling = self.spelling();
        let shelf = Shelf::beside(&spelling, home)?;
        Ok(choose(spelling, &shelf)?.told())
    }
}

impl Chosen {
    /// Says on stderr which of two things of one name is taken.
    pub(crate) fn told(self) -> ModelPath {
        if let Some(path) = &self.passed_over {
            let path = harmless(&path.display().to_string());
            let taken = match &self.model {
                ModelPath::Stored(_) => "the model of the store",
                _ => "the built-in model",
            };
            talk(format!("note: {path} is {taken}; the file or folder of that name is ./{path}"));
        }
        self.model
    }
}

/// Decides which model is meant: a name of the store goes before a file of that name, so that nobody can put a file in
/// its way, and what is spelled like a path is never looked up in the store.
///
/// # Errors
///
/// When there is no such model.
pub(crate) fn choose(spelling: Spelling, shelf: &Shelf<'_>) -> Result<Chosen, NoModel> {
    let path = |path: PathBuf| Ok(Chosen { model: ModelPath::Path(path), passed_over: None });
    let named = |model: ModelPath, text: &str| {
        let passed_over = Some(PathBuf::from(text)).filter(|path| shelf.is_there(path));
        Ok(Chosen { model, passed_over })
    };
    match spelling {
        Spelling::BuiltIn => named(ModelPath::BuiltIn, crate::models::default_model::NAME),
        Spelling::Path(place) => path(place),
        Spelling::Name(name) if shelf.has(&name) => {
            let text = name.short();
            named(ModelPath::Stored(name), &text)
        }
        Spelling::Name(name) if shelf.is_there(Path::new(&name.short())) => path(name.short().into()),
        Spelling::Word(text) | Spelling::Text(text) if shelf.is_there(Path::new(&text)) => path(text.into()),
        Spelling::Name(name) => {
            let word = name.short();
            Err(NoModel::Missing { near: shelf.near(&word), word })
        }
        Spelling::Word(word) => Err(NoModel::Missing { near: shelf.near(&word), word }),
        Spelling::Text(text) => Err(NoModel::Text(text)),
        Spelling::Empty => Err(NoModel::Empty),
        Spelling::BadAddress(error) => Err(NoModel::BadAddress(error)),
        Spelling::Address { text, reference } => pulled(text, &reference, shelf),
    }
}

/// Finds the one model that came from an address.
fn pulled(address: String, reference: &Reference, shelf: &Shelf<'_>) -> Result<Chosen, NoModel> {
    let chosen =
        |model: &Shelved| Ok(Chosen { model: ModelPath::Stored(model.name.clone()), passed_over: None });
    let fitting: Vec<&Shelved> = shelf.models().filter(|model| model.is_from(reference)).collect();
    let mut natural = fitting.iter().filter(|model| model.has_natural_name(reference));
    match (&fitting[..], natural.next(), natural.next()) {
        ([], ..) => Err(NoModel::NotPulled { near: shelf.of_same_source(reference), address }),
        ([only], ..) | (_, Some(only), None) => chosen(only),
        _ => {
            let names = fitting.iter().map(|model| model.name.short()).collect();
            Err(NoModel::Several { address, names })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use stack_registry::name::Name;

    use super::*;

    fn shelved(name: &str, origin: Option<&str>) -> Shelved {
        Shelved {
            name: Name::parse(name).unwrap(),
            origin: origin.map(str::to_owned),
            commit: None,
            digest: None,
            files: Vec::new(),
        }
    }

    #[test]
    fn a_model_is_what_its_argument_says_or_an_error() {
        let there = ["here.gguf", "both", "my model", "default", "Notes"];
        let is_there = |path: &Path| there.iter().any(|known| path == Path::new(known));
        let shelf = Shelf::new(
            vec![
                shelved("llama3", None),
                shelved("both", None),
                shelved("hf.co/qwen/q-gguf:q4_0", Some("hf://Qwen/Q-GGUF@1")),
                shelved("hf.co/qwen/q-gguf:q8_0", Some("hf://Qwen/Q-GGUF@1")),
                shelved("mine", Some("https://x.org/m.gguf")),
            ],
            &is_there,
        );
        let stored = |name: &str| Ok(ModelPath::Stored(Name::parse(name).unwrap()));
        let path = |path: &str| Ok(ModelPath::Path(path.into()));
        let missing = |word: &str, near: &[&str]| {
            let near = near.iter().map(|name| (*name).to_owned()).collect();
            Err(NoModel::Missing { word: word.to_owned(), near })
        };
        let hub = |name: &str| format!("hf.co/qwen/q-gguf:{name}");
        let cases: Vec<(&str, Result<ModelPath, NoModel>)> = vec![
            ("default", Ok(ModelPath::BuiltIn)),
            ("llama3", stored("llama3")),
            ("llama3:latest", stored("llama3")),
            ("both", stored("both")),
            ("./both", path("./both")),
            ("here.gguf", path("here.gguf")),
            ("gone.gguf", path("gone.gguf")),
            ("Notes", path("Notes")),
            ("my model", path("my model")),
            ("hf://Qwen/Q-GGUF:Q8_0", stored(&hub("q8_0"))),
            ("https://x.org/m.gguf", stored("mine")),
            ("LLAMA3", missing("LLAMA3", &["llama3"])),
            ("lama3", missing("lama3", &["llama3"])),
            ("llama3:8b", missing("llama3:8b", &["llama3"])),
            ("q-gguf", missing("q-gguf", &[&hub("q4_0"), &hub("q8_0")])),
            ("hello", missing("hello", &[])),
            ("Hello!", missing("Hello!", &[])),
            ("tell me", Err(NoModel::Text("tell me".to_owned()))),
            ("", Err(NoModel::Empty)),
            (
                "hf://Qwen/Q-GGUF",
                Err(NoModel::Several {
                    address: "hf://Qwen/Q-GGUF".to_owned(),
                    names: vec![hub("q4_0"), hub("q8_0")],
                }),
            ),
            (
                "hf://Qwen/Q-GGUF:Q2_K",
                Err(NoModel::NotPulled {
                    address: "hf://Qwen/Q-GGUF:Q2_K".to_owned(),
                    near: vec![hub("q4_0"), hub("q8_0")],
                }),
            ),
            ("oci://h/x", Err(NoModel::NotPulled { address: "oci://h/x".to_owned(), near: Vec::new() })),
        ];
        for (argument, expected) in cases {
            let chosen = choose(Spelling::of(OsStr::new(argument)), &shelf);
            assert_eq!(chosen.map(|chosen| chosen.model), expected, "{argument:?}");
        }
        let passed_over =
            |argument: &str| choose(Spelling::of(OsStr::new(argument)), &shelf).unwrap().passed_over;
        assert_eq!(passed_over("both"), Some("both".into()));
        assert_eq!(passed_over("default"), Some("default".into()));
        assert_eq!((passed_over("llama3"), passed_over("./both")), (None, None));
    }
}
