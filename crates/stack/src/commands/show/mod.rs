//! `stack show`: what is in a model, from its header alone, and what the store knows of it.

mod facts;
mod print;
mod stored;

use clap::{Args, value_parser};
use stack_registry::choice::ModelPath;
use stack_registry::manifest::DOCUMENT_BYTES_MAX;
use stack_registry::model::{FileBytes, StoredModel};
use stack_registry::name::Name;
use stack_registry::store::StoreError;
use stack_trust::home::Home;
use stack_trust::target::StoredTarget;

use self::facts::Facts;
use self::stored::Stored;
use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::OneModel;
use crate::models::path::{Inspected, locate};
use crate::terminal::output::Data;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: OneModel,
    /// Print only the chat template
    #[arg(long, conflicts_with = "json")]
    template: bool,
    /// Print only the manifest of a stored model
    #[arg(long, conflicts_with_all = ["json", "template"])]
    manifest: bool,
    /// Print only the lineage of a stored model, as claimed by its signers
    #[arg(long, conflicts_with_all = ["template", "manifest"])]
    lineage: bool,
    /// Estimate the memory for this context length
    #[arg(short, long, value_name = "TOKENS", alias = "ctx-size", value_parser = value_parser!(u32).range(1..))]
    ctx: Option<u32>,
    #[command(flatten)]
    access: AccessArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the facts.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut data = Data::new();
    let home = arguments.access.home()?;
    let path = arguments.model.find(&home)?;
    let inspected = match &path {
        ModelPath::Stored(name) => return show_stored(arguments, &home, name, &mut data),
        ModelPath::BuiltIn => Inspected::BuiltIn,
        ModelPath::Path(path) => Inspected::Path(path),
    };
    if arguments.manifest || arguments.lineage {
        let message = format!("{} is not a stored model, so it has no manifest", path.id());
        return Err(CommandError::new(Kind::Usage, message).hint("`stack list` shows the stored models"));
    }
    let mut facts = Facts::read(inspected, &arguments.access, arguments.ctx)?;
    facts.judge(locate(&path, &home)?, &arguments.access);
    show(arguments, &facts, &mut data)
}

fn show(arguments: &Arguments, facts: &Facts, data: &mut Data) -> Result<(), CommandError> {
    if arguments.template {
        let template = facts.template.as_ref().ok_or_else(|| {
            CommandError::new(Kind::Missing, format!("the model {} has no chat template", facts.id))
                .hint("use one from a file with `stack run --template FILE`")
        })?;
        return data.write_foreign(template);
    }
    if arguments.json { data.json(facts) } else { print::print(facts, data) }
}

fn show_stored(arguments: &Arguments, home: &Home, name: &Name, data: &mut Data) -> Result<(), CommandError> {
    let store = home.existing_store()?.ok_or_else(|| StoreError::missing(name.short()))?;
    let model = StoredModel::open(&store, name)?;
    if arguments.manifest {
        let manifest = store.read(&model.entry.manifest.digest, DOCUMENT_BYTES_MAX)?;
        return data.write_foreign(&(String::from_utf8_lossy(&manifest) + "\n"));
    }
    let stored = Stored::of(&store, &model)?;
    if arguments.lineage {
        return if arguments.json { data.json(&stored.lineage()) } else { stored.print_lineage(data) };
    }
    // Of what is sealed or in parts, only the store's own facts are shown.
    let header = match &model.weights()[..] {
        [file] => match &file.bytes {
            FileBytes::Plain(blob) => Some(Inspected::Path(&blob.path)),
            FileBytes::Sealed { .. } => None,
        },
        _ => None,
    };
    let mut facts = match header {
        Some(path) => Facts::read(path, &arguments.access, arguments.ctx)?,
        None => Facts { problem: Some("its weights are sealed or split".to_owned()), ..Facts::default() },
    };
    facts.id.clone_from(&stored.name);
    if !arguments.template && !arguments.json {
        stored.print(data)?;
        if header.is_none() {
            return Ok(());
        }
    }
    facts.judge(StoredTarget { store, model }.into(), &arguments.access);
    facts.stored = Some(stored);
    show(arguments, &facts, data)
}
