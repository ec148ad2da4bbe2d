//! `stack run`: one answer, many from a file, or a conversation on the terminal.

mod batch;
mod events;
mod form;
mod report;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::mem;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use stack_chat::{ChatEvent, ChatRequest, Message, Prompt, Role, ToolCall};
use stack_registry::choice::{ModelList, ModelPath, Spelling};
use stack_wire::Ignored;
use tokio::runtime::{self, Runtime};

use self::batch::{Batch, Ended};
use self::form::FormArguments;
use self::report::report;
use crate::chat::answer::{Cut, answer, cut, said, speed};
use crate::chat::{Chat, Manner, Models};
use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::{Asked, Decision, ModelArgument, told};
use crate::models::path::{self, OpenModel, locate};
use crate::models::ready::{Candidate, Prompts, Ready};
use crate::models::sampling_defaults::WithDefaults;
use crate::options::{EngineArguments, SamplingArguments};
use crate::process::threads::Workload;
use crate::terminal::output::stderr;
use crate::terminal::screen::Screen;
use crate::terminal::thoughts::Thoughts;
use crate::terminal::{Silence, input};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    /// The model and what to answer: `stack run llama3 "Why?"`; a text alone goes to the default model. What comes through
    /// a pipe is appended; without a prompt, a conversation starts
    #[arg(value_name = "MODEL|PROMPT", value_hint = ValueHint::AnyPath)]
    words: Vec<OsString>,
    /// Answer with this model: a name of the store, a GGUF file, a folder or an address; all arguments are the prompt then
    #[arg(short, long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    model: Option<OsString>,
    /// Answer this; without a MODEL, with the default model
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// System prompt
    #[arg(short, long, value_name = "TEXT", alias = "system-prompt", conflicts_with = "raw")]
    system: Option<String>,
    /// Continue the prompt as it is, without a chat template
    #[arg(long, conflicts_with = "template")]
    raw: bool,
    /// Stop sequence; repeatable
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
    #[command(flatten)]
    access: AccessArguments,
    #[command(flatten)]
    form: FormArguments,
    /// Answer each prompt in this file, in order, several at a time: a JSON text, an object with `prompt`, or one with
    /// `messages` on each line; `-` is stdin. The answers are JSON lines
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["prompt", "json", "jsonl"])]
    batch: Option<PathBuf>,
    /// Write the answers of a batch here; if it was interrupted, the same command goes on behind the last one
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "batch")]
    output: Option<PathBuf>,
    /// Print one JSON object with the answer, finish reason, token counts and timings
    #[arg(long)]
    json: bool,
    /// Print each event of the answer as one JSON line, as it comes
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
    /// Let the terminal break lines where it will, instead of between words
    #[arg(long)]
    nowordwrap: bool,
    /// Print timings to stderr
    #[arg(short, long)]
    verbose: bool,
}

/// Answers.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    arguments.refuse_a_seed_as_system()?;
    let Decision { chosen, prompt } = arguments.decide()?;
    let model = told(chosen);
    // A wrong path should not have to wait for the prompt.
    let found = locate(&model, &arguments.access.home()?)?;
    let prompt = match &arguments.batch {
        Some(_) if prompt.is_some() => {
            let message =
                "a batch takes its prompts from its file, and there is one on the command line, too";
            return Err(CommandError::new(Kind::Usage, message).hint("name the model with --model"));
        }
        Some(_) => None,
        None => arguments.with_pipe(prompt.as_deref())?,
    };
    // A wrong file should not have to wait for the model.
    let request = arguments.request(Prompt::Messages(Vec::new()))?;
    let candidate = arguments.candidate(model, found.open(&arguments.access)?)?;
    let ready = candidate.load()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CommandError::new(Kind::Machine, "the program cannot wait for events").caused(error)
    })?;
    if arguments.verbose {
        stderr(format!("loaded {} in {:.2} s", ready.id, ready.load.as_secs_f64()));
    }
    if let Some(input) = &arguments.batch {
        arguments.answer_all(
            &ready,
            &runtime,
            &Batch { input, output: arguments.output.as_deref() },
            &request,
        )
    } else if let Some(prompt) = prompt {
        arguments.answer_once(ready, &runtime, request, prompt)
    } else {
        let manner = Manner { verbose: arguments.verbose, word_wrap: !arguments.nowordwrap, history: true };
        Chat::new(arguments, ready, &runtime, arguments.system.clone(), request, manner).run()
    }
}

impl Arguments {
    /// How much there is to compute. What cannot be decided computes nothing.
    pub(crate) fn work(&self) -> Workload {
        self.decide().map_or(Workload::Unknown, |decision| work_of(&decision.chosen.model))
    }

    /// Finds out which model is to answer, and what.
    fn decide(&self) -> Result<Decision, CommandError> {
        let asked =
            Asked { model: self.model.as_deref(), prompt: self.prompt.as_deref(), words: &self.words };
        let spelling = asked.model_argument().map(Spelling::of);
        let home = self.access.home()?;
        let list = ModelList::beside(&spelling.unwrap_or(Spelling::BuiltIn), || home.existing_store())?;
        Ok(asked.decide(&list)?)
    }

    /// Refuses `-s 42`, which elsewhere is a seed.
    fn refuse_a_seed_as_system(&self) -> Result<(), CommandError> {
        match self.system.as_deref().map(|text| text.trim().parse::<i64>()) {
            Some(Ok(number)) => {
                let message = format!("the instructions are the number {number}: -s is short for --system");
                Err(CommandError::new(Kind::Usage, message)
                    .hint(format!("fix the draw with --seed {number}")))
            }
            _ => Ok(()),
        }
    }

    /// Joins the prompt and the pipe; `None` asks for a conversation.
    fn with_pipe(&self, prompt: Option<&str>) -> Result<Option<String>, CommandError> {
        let piped = if io::stdin().is_terminal() { None } else { Some(input::stdin()?) };
        match join(prompt, piped.as_deref()) {
            Some(prompt) => Ok(Some(prompt)),
            None if piped.is_some() || prompt.is_some() => {
                Err(CommandError::new(Kind::Usage, "the prompt is empty")
                    .hint("give it as an argument or through a pipe"))
            }
            None if self.raw || self.json || self.jsonl || self.form.demands_form() => Err(CommandError::new(
                Kind::Usage,
                "there is no prompt, and a conversation takes none of --raw, --json, --jsonl, --format, --schema, --tools",
            )
            .hint("give the prompt as an argument or through a pipe")),
            None => Ok(None),
        }
    }

    /// Finds what a model lacks to answer.
    fn candidate(&self, path: ModelPath, model: OpenModel) -> Result<Candidate, CommandError> {
        let prompts = if self.raw { Prompts::Raw } else { Prompts::Templated };
        let options = self.engine.options(work_of(&path))?;
        let draft = self.engine.draft(&self.access.home()?)?;
        let draft = draft.map(|draft| path::open(&draft, &self.access)).transpose()?;
        Candidate::new(path, model.with_draft(draft), options, prompts)
    }

    /// What a text asks.
    fn prompt(&self, text: String) -> Prompt {
        if self.raw {
            return Prompt::Text(text);
        }
        let system = self.system.iter().map(|text| Message::new(Role::System, text));
        Prompt::Messages(system.chain([Message::user(text)]).collect())
    }

    fn answer_all(
        &self,
        ready: &Ready,
        runtime: &Runtime,
        batch: &Batch<'_>,
        request: &ChatRequest,
    ) -> Result<(), CommandError> {
        let chat = WithDefaults::wrap(ready.chat.clone(), &request.sampling, request.max_tokens);
        let make = |text| ChatRequest { prompt: self.prompt(text), ..request.clone() };
        match runtime.block_on(batch.run(&chat, make))? {
            Ended { failed: 0, .. } => Ok(()),
            Ended { answered, failed } => {
                let message = format!("{failed} of {answered} prompts have no answer");
                Err(CommandError::new(Kind::Usage, message).hint("their lines say why, under `error`"))
            }
        }
    }

    fn answer_once(
        &self,
        ready: Ready,
        runtime: &Runtime,
        request: ChatRequest,
        prompt: String,
    ) -> Result<(), CommandError> {
        let request = ChatRequest { prompt: self.prompt(prompt), ..request };
        let mut screen = Screen::new(!self.nowordwrap);
        let mut thoughts = Thoughts::new();
        let silence = Silence::begin();
        let mut show = |event: &ChatEvent| match (self.json, self.jsonl) {
            (true, _) => Ok(()),
            (_, true) => events::line(event).map_or(Ok(()), |line| screen.line(&line)),
            (false, false) => {
                thoughts.see(event);
                said(event).map_or(Ok(()), |text| screen.show(text))
            }
        };
        let answer = runtime.block_on(answer(&*ready.chat, request, &mut show))?;
        drop(silence);
        thoughts.end();
        let mut data = screen.end()?;
        if answer.finish.is_none() {
            // A long step would keep the terminal waiting; the threads end with the process.
            mem::forget(ready.chat);
            data.write("\n")?;
            return Err(CommandError::new(Kind::Interrupted, "interrupted"));
        }
        if self.json {
            data.json(&report(&ready, &answer))?;
        } else if !self.jsonl {
            let is_silent = answer.text.is_empty() && !answer.calls.is_empty();
            if !answer.text.ends_with('\n') && !is_silent {
                data.write("\n")?;
            }
            for ToolCall { name, arguments, .. } in &answer.calls {
                data.write_foreign(&format!("{name} {}\n", arguments.0))?;
            }
        }
        let mut ignored = Ignored::default();
        answer.unused.iter().for_each(|unused| ignored.note_unused(unused));
        if let Some(names) = ignored.header_value() {
            stderr(format!("note: without effect on this model: {names}"));
        }
        match cut(&answer, self.sampling.max_tokens(), ready.chat.card().context) {
            Some(Cut::Context(context)) => {
                stderr(format!(
                    "note: the answer is cut, because the context of {context} tokens is full; --ctx N may give it more"
                ));
            }
            // Whoever asked for so many tokens knows it, unless they watch and wonder.
            Some(Cut::Limit(limit)) if io::stderr().is_terminal() => {
                stderr(format!("note: the answer is cut after {limit} tokens (--max-tokens)"));
            }
            _ => {}
        }
        if self.verbose {
            stderr(speed(&answer));
        }
        Ok(())
    }

    fn request(&self, prompt: Prompt) -> Result<ChatRequest, CommandError> {
        self.form.apply(ChatRequest {
            sampling: self.sampling.sampling(),
            max_tokens: self.sampling.max_tokens(),
            stop: self.stop.clone(),
            ..ChatRequest::new(prompt)
        })
    }
}

impl Models for Arguments {
    fn find(&self, name: &str) -> Result<ModelPath, CommandError> {
        ModelArgument::from(OsString::from(name)).find(&self.access.home()?)
    }

    fn open(&self, model: &ModelPath) -> Result<Candidate, CommandError> {
        self.candidate(model.clone(), path::open(model, &self.access)?)
    }

    fn names(&self) -> Vec<String> {
        // What is offered to be completed is a convenience.
        let entries = || self.access.home().ok()?.existing_store().ok()??.entries().ok();
        entries().unwrap_or_default().into_iter().map(|entry| entry.name.short()).collect()
    }
}

/// How much there is to compute with a model.
fn work_of(model: &ModelPath) -> Workload {
    if *model == ModelPath::BuiltIn { Workload::Tiny } else { Workload::Unknown }
}

/// Puts what came through the pipe behind the argument. The line break that `echo` adds is no part of it.
fn join(argument: Option<&str>, piped: Option<&str>) -> Option<String> {
    let piped = piped.map(|text| text.strip_suffix('\n').unwrap_or(text));
    let piped = piped.map(|text| text.strip_suffix('\r').unwrap_or(text));
    let parts: Vec<&str> = argument.into_iter().chain(piped).filter(|text| !text.is_empty()).collect();
    if parts.is_empty() { None } else { Some(parts.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipe_comes_behind_the_argument() {
        assert_eq!(join(Some("Sum up:"), Some("a\nb\n")).unwrap(), "Sum up:\na\nb");
        assert_eq!(join(None, Some("a\r\n")).unwrap(), "a");
        assert_eq!(join(Some("a"), Some("\n")).unwrap(), "a");
        assert_eq!(join(Some(""), None), None);
        assert_eq!(join(None, Some("\n")), None);
    }
}
