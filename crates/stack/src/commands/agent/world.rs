//! What a session works with: a model that is loaded, a folder that is open, a log that is written, and a person.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueHint};
use stack_agent::files::{Trash, Workspace};
use stack_agent::kernel::Session;
use stack_agent::session::{Resolution, SessionError, SessionRunner, SessionWorld};
use stack_agent::tools::ToolWorld;
use stack_chat::Ability;

use super::observer::Watcher;
use super::person::Person;
use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::ModelArgument;
use crate::models::path;
use crate::models::ready::{Candidate, Prompts, Ready};
use crate::options::EngineArguments;
use crate::process::threads::Workload;
use crate::terminal::interruptible::listen;

/// What both beginning and going on take.
#[derive(Debug, Args)]
pub(super) struct SessionArguments {
    #[command(flatten)]
    pub(super) engine: EngineArguments,
    #[command(flatten)]
    pub(super) access: AccessArguments,
    /// Print one JSON object with the answer, the state and what was taken
    #[arg(long)]
    pub(super) json: bool,
    /// Do not print what the model says and the tools do
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// The model: a name of the store, a GGUF file, a folder or an address, or `default`
    #[arg(short, long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub(super) model: Option<ModelArgument>,
}

impl SessionArguments {
    /// Loads the model.
    ///
    /// # Errors
    ///
    /// Also when its template shows it no tools: it would talk, and end with nothing done.
    pub(super) fn load(&self, model: &ModelArgument) -> Result<Ready, CommandError> {
        let found = model.find(&self.access.home()?)?;
        let options = self.engine.options(Workload::Unknown)?;
        let draft = self.engine.draft(&self.access.home()?)?;
        let draft = draft.map(|draft| path::open(&draft, &self.access)).transpose()?;
        let opened = path::open(&found, &self.access)?.with_draft(draft);
        let ready = Candidate::new(found, opened, options, Prompts::Templated)?.load()?;
        if ready.chat.card().abilities.contains(&Ability::Calls) {
            return Ok(ready);
        }
        let message = format!("the chat template of {} shows the model no tools", model.text());
        Err(CommandError::new(Kind::Refused, message)
            .reason("no-tools")
            .hint("name a model that was made to call tools with --model, or give a template that shows them with --template"))
    }

    /// Opens the folder that tools work in. What opens everything else is no workspace.
    pub(super) fn workspace(&self, folder: &Path) -> Result<Workspace, CommandError> {
        let workspace = Workspace::open(folder)
            .map_err(|error| CommandError::reading(format!("the workspace {}", folder.display()), error))?;
        let home = self.access.home()?.root()?.to_owned();
        // A home that does not exist yet holds nothing.
        let home = home.canonicalize().unwrap_or(home);
        if home.starts_with(workspace.path()) || workspace.path().starts_with(&home) {
            let message =
                format!("the workspace {} and the home folder hold one another", workspace.path().display());
            return Err(CommandError::new(Kind::Refused, message)
                .reason("workspace")
                .hint("the home has keys and the audit log; give a folder of its own with --workspace"));
        }
        Ok(workspace)
    }

    /// Runs a session until it ends or waits for a person who is not there.
    pub(super) fn run(
        &self,
        ready: &Ready,
        workspace: &Workspace,
        resolution: Option<Resolution>,
        act: impl FnOnce(SessionWorld<'_>) -> Result<SessionRunner<'_>, SessionError>,
    ) -> Result<Session, CommandError> {
        let (audit, actor) = self.access.audit()?.writable()?;
        let cancel = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancel);
        listen(move || flag.store(true, Ordering::Relaxed)).map_err(|error| {
            CommandError::new(Kind::Machine, "the program cannot listen for signals").caused(error)
        })?;
        let trash: Trash = super::trash(&self.access)?;
        let mut person = Person::new(Arc::clone(&cancel), resolution);
        let mut watcher = Watcher::new(self.quiet || self.json);
        let world = SessionWorld {
            audit,
            actor,
            model: &*ready.chat,
            tools: ToolWorld { workspace, trash: &trash },
            approver: &mut person,
            observer: &mut watcher,
            cancel: &cancel,
        };
        Ok(act(world)?.run()?)
    }
}
