//! Which model a text means: one rule for everybody who is given one.
//!
//! What a text looks like is its [`Spelling`]; what there is stands in a [`ModelList`]; [`choose`] decides. All of that is
//! pure, but for the look at the store and at the disk that [`ModelList::beside`] takes.

mod address;
mod list;
mod model_path;
mod spelling;

use std::path::{Path, PathBuf};

pub use list::{ListedModel, ModelList};
pub use model_path::ModelPath;
pub use spelling::Spelling;

use crate::name::{BadName, Reference};

/// A model that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Where it is.
    pub model: ModelPath,
    /// A file or folder of the same name, which is not meant.
    pub passed_over: Option<PathBuf>,
}

/// Why there is no model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoModel {
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

/// Decides which model is meant: a name of the store goes before a file of that name, so that nobody can put a file in
/// its way, and what is spelled like a path is never looked up in the store.
///
/// # Errors
///
/// When there is no such model.
pub fn choose(spelling: Spelling, list: &ModelList<'_>) -> Result<Chosen, NoModel> {
    let path = |path: PathBuf| Ok(Chosen { model: ModelPath::Path(path), passed_over: None });
    let named = |model: ModelPath, text: &str| {
        let passed_over = Some(PathBuf::from(text)).filter(|path| list.is_there(path));
        Ok(Chosen { model, passed_over })
    };
    match spelling {
        Spelling::BuiltIn => named(ModelPath::BuiltIn, BUILT_IN),
        Spelling::Path(place) => path(place),
        Spelling::Name(name) if list.has(&name) => {
            let text = name.short();
            named(ModelPath::Stored(name), &text)
        }
        Spelling::Name(name) if list.is_there(Path::new(&name.short())) => path(name.short().into()),
        Spelling::Word(text) | Spelling::Text(text) if list.is_there(Path::new(&text)) => path(text.into()),
        Spelling::Name(name) => {
            let word = name.short();
            Err(NoModel::Missing { near: list.near(&word), word })
        }
        Spelling::Word(word) => Err(NoModel::Missing { near: list.near(&word), word }),
        Spelling::Text(text) => Err(NoModel::Text(text)),
        Spelling::Empty => Err(NoModel::Empty),
        Spelling::BadAddress(error) => Err(NoModel::BadAddress(error)),
        Spelling::Address { text, reference } => pulled(text, &reference, list),
    }
}

/// Finds the one model that came from an address.
fn pulled(address: String, reference: &Reference, list: &ModelList<'_>) -> Result<Chosen, NoModel> {
    let chosen =
        |model: &ListedModel| Ok(Chosen { model: ModelPath::Stored(model.name.clone()), passed_over: None });
    let fitting: Vec<&ListedModel> = list.models().filter(|model| model.is_from(reference)).collect();
    let mut natural = fitting.iter().filter(|model| model.has_natural_name(reference));
    match (&fitting[..], natural.next(), natural.next()) {
        ([], ..) => Err(NoModel::NotPulled { near: list.of_same_source(reference), address }),
        ([only], ..) | (_, Some(only), None) => chosen(only),
        _ => {
            let names = fitting.iter().map(|model| model.name.short()).collect();
            Err(NoModel::Several { address, names })
        }
    }
}

/// The name of the model that is part of the program.
pub const BUILT_IN: &str = "default";

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::name::Name;

    fn listed(name: &str, origin: Option<&str>) -> ListedModel {
        ListedModel {
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
        let list = ModelList::new(
            vec![
                listed("llama3", None),
                listed("both", None),
                listed("hf.co/qwen/q-gguf:q4_0", Some("hf://Qwen/Q-GGUF@1")),
                listed("hf.co/qwen/q-gguf:q8_0", Some("hf://Qwen/Q-GGUF@1")),
                listed("mine", Some("https://x.org/m.gguf")),
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
            let chosen = choose(Spelling::of(OsStr::new(argument)), &list);
            assert_eq!(chosen.map(|chosen| chosen.model), expected, "{argument:?}");
        }
        let passed_over =
            |argument: &str| choose(Spelling::of(OsStr::new(argument)), &list).unwrap().passed_over;
        assert_eq!(passed_over("both"), Some("both".into()));
        assert_eq!(passed_over("default"), Some("default".into()));
        assert_eq!((passed_over("llama3"), passed_over("./both")), (None, None));
    }
}
