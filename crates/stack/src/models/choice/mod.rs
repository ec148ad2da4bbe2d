//! Which model a command line means.
//!
//! [`stack_registry::choice`] decides; [`ModelArgument::find`] says on stderr what else has the name. `run`, which takes a
//! prompt beside the model, decides by [`Asked`].

mod error;
mod prompt;

use std::borrow::Cow;
use std::ffi::OsString;

use clap::{Args, ValueHint};
use stack_registry::choice::{Chosen, ModelList, ModelPath, Spelling, choose};
use stack_registry::store::StoreError;
use stack_trust::home::Home;
use stack_trust::target::Target;

pub(crate) use prompt::{Asked, Decision};

use crate::error::{CommandError, Kind};
use crate::terminal::output::{sanitize, stderr};

/// MODEL as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelArgument(OsString);

/// The one model that a command is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneModel {
    /// The model: a name of the store, a GGUF file, a folder or an address, or `default`
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    #[arg(required_unless_present = "named", conflicts_with = "named")]
    model: Option<ModelArgument>,
    /// The same as MODEL, as `run` and `serve` take it
    #[arg(short = 'm', long = "model", id = "named", value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    named: Option<ModelArgument>,
}

impl OneModel {
    /// Finds the model.
    pub(crate) fn find(&self, home: &Home) -> Result<ModelPath, CommandError> {
        let given = self.model.as_ref().or(self.named.as_ref());
        given.expect("one of the two is required").find(home)
    }
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
        let list = ModelList::beside(&spelling, || home.existing_store())?;
        Ok(told(choose(spelling, &list)?))
    }
}

impl ModelArgument {
    /// Finds what is meant, to sign it, to verify it or to seal it: what `stack run` would load.
    ///
    /// # Errors
    ///
    /// When there is no such file, folder or model of the store.
    pub(crate) fn target(&self, home: &Home) -> Result<Target, CommandError> {
        match self.find(home)? {
            ModelPath::BuiltIn => {
                let message = "the default model is part of the program, and has no files of its own";
                Err(CommandError::new(Kind::Usage, message)
                    .hint("give a file, a folder, or a name from `stack list`"))
            }
            ModelPath::Stored(name) => {
                let store = home.existing_store()?.ok_or_else(|| StoreError::missing(name.short()))?;
                Ok(Target::stored(store, &name)?)
            }
            ModelPath::Path(path) => Ok(Target::at(path)?),
        }
    }
}

/// Says on stderr which of two things of one name is taken.
pub(crate) fn told(chosen: Chosen) -> ModelPath {
    if let Some(path) = &chosen.passed_over {
        let path = sanitize(&path.display().to_string());
        let taken = match &chosen.model {
            ModelPath::Stored(_) => "the model of the store",
            ModelPath::BuiltIn | ModelPath::Path(_) => "the built-in model",
        };
        stderr(format!("note: {path} is {taken}; the file or folder of that name is ./{path}"));
    }
    chosen.model
}
