//! `stack run`: one answer, or a conversation on the terminal.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::mem;

use clap::{Args, ValueHint};
use serde_json::json;
use stack_chat::{ChatRequest, FinishReason, Message, Prompt, Role};
use stack_registry::choice::{Chosen, ModelList, ModelPath, Spelling};
use tokio::runtime::{self, Runtime};

use crate::chat::answer::{Answer, Cut, answer, cut, speed};
use crate::chat::{Chat, Manner, Models};
use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::{Asked, Decision, ModelArgument, told};
use crate::models::path::{self, OpenModel, locate};
use crate::models::ready::{Candidate, Prompts, Ready};
use crate::options::{EngineArguments, SamplingArguments};
use crate::process::threads::Workload;
use crate::terminal::output::stderr;
use crate::terminal::screen::Screen;
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
    /// Print one JSON object with the answer, finish reason, token counts and timings
    #[arg(long)]
    json: bool,
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
    let prompt = arguments.with_pipe(prompt.as_deref())?;
    let candidate = arguments.candidate(model, found.open(&arguments.access)?)?;
    let ready = candidate.load(&arguments.engine.options(arguments.work())?)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CommandError::new(Kind::Machine, "the program cannot wait for events").caused(error)
    })?;
    if arguments.verbose {
        stderr(format!("loaded {} in {:.2} s", ready.id, ready.load.as_secs_f64()));
    }
    if let Some(prompt) = prompt {
        arguments.answer_once(ready, &runtime, prompt)
    } else {
        let manner = Manner { verbose: arguments.verbose, word_wrap: !arguments.nowordwrap, history: true };
        let request = arguments.request(Prompt::Messages(Vec::new()));
        Chat::new(arguments, ready, &runtime, arguments.system.clone(), request, manner).run()
    }
}

impl Arguments {
    /// How much there is to compute. What cannot be decided computes nothing.
    pub(crate) fn work(&self) -> Workload {
        match self.decide() {
            Ok(Decision { chosen: Chosen { model: ModelPath::BuiltIn, .. }, .. }) => Workload::Tiny,
            _ => Workload::Unknown,
        }
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
            None if self.raw || self.json => Err(CommandError::new(
                Kind::Usage,
                "there is no prompt, and a conversation takes neither --raw nor --json",
            )
            .hint("give the prompt as an argument or through a pipe")),
            None => Ok(None),
        }
    }

    /// Finds what a model lacks to answer.
    fn candidate(&self, path: ModelPath, model: OpenModel) -> Result<Candidate, CommandError> {
        let prompts = if self.raw { Prompts::Raw } else { Prompts::Templated };
        Candidate::new(path, model, &self.engine.options(self.work())?, prompts)
    }

    fn answer_once(&self, ready: Ready, runtime: &Runtime, prompt: String) -> Result<(), CommandError> {
        let prompt = if self.raw {
            Prompt::Text(prompt)
        } else {
            let system = self.system.iter().map(|text| Message::new(Role::System, text));
            Prompt::Messages(system.chain([Message::user(prompt)]).collect())
        };
        let mut screen = Screen::new(!self.nowordwrap);
        let silence = Silence::begin();
        let mut show = |text: &str| if self.json { Ok(()) } else { screen.show(text) };
        let answer = runtime.block_on(answer(&*ready.chat, self.request(prompt), &mut show))?;
        drop(silence);
        let mut data = screen.end()?;
        let Some(finish) = answer.finish else {
            // A long step would keep the terminal waiting; the threads end with the process.
            mem::forget(ready.chat);
            data.write("\n")?;
            return Err(CommandError::new(Kind::Interrupted, "interrupted"));
        };
        if self.json {
            data.json(&report(&ready, &answer, finish))?;
        } else if !answer.text.ends_with('\n') {
            data.write("\n")?;
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

    fn request(&self, prompt: Prompt) -> ChatRequest {
        ChatRequest {
            sampling: self.sampling.sampling(),
            max_tokens: self.sampling.max_tokens(),
            stop: self.stop.clone(),
            ..ChatRequest::new(prompt)
        }
    }
}

impl Models for Arguments {
    fn find(&self, name: &str) -> Result<ModelPath, CommandError> {
        ModelArgument::from(OsString::from(name)).find(&self.access.home()?)
    }

    fn open(&self, model: &ModelPath) -> Result<Candidate, CommandError> {
        self.candidate(model.clone(), path::open(model, &self.access)?)
    }

    fn load(&self, candidate: Candidate) -> Result<Ready, CommandError> {
        candidate.load(&self.engine.options(self.work())?)
    }

    fn names(&self) -> Vec<String> {
        // What is offered to be completed is a convenience.
        let entries = || self.access.home().ok()?.existing_store().ok()??.entries().ok();
        entries().unwrap_or_default().into_iter().map(|entry| entry.name.short()).collect()
    }
}

/// Puts what came through the pipe behind the argument. The line break that `echo` adds is no part of it.
fn join(argument: Option<&str>, piped: Option<&str>) -> Option<String> {
    let piped = piped.map(|text| text.strip_suffix('\n').unwrap_or(text));
    let piped = piped.map(|text| text.strip_suffix('\r').unwrap_or(text));
    let parts: Vec<&str> = argument.into_iter().chain(piped).filter(|text| !text.is_empty()).collect();
    if parts.is_empty() { None } else { Some(parts.join("\n")) }
}

fn report(ready: &Ready, answer: &Answer, finish: FinishReason) -> serde_json::Value {
    json!({
        "model": ready.id,
        "text": answer.text,
        "finish_reason": match finish {
            FinishReason::Stop => "stop",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::Length => "length",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Paused => "paused",
        },
        "seed": answer.seed,
        "usage": {
            "prompt_tokens": answer.usage.prompt(),
            "cached_tokens": answer.usage.cache_read,
            "generated_tokens": answer.usage.generated(),
        },
        "timings": {
            "load_seconds": ready.load.as_secs_f64(),
            "queue_seconds": answer.timings.queue.as_secs_f64(),
            "prefill_seconds": answer.timings.prefill.as_secs_f64(),
            "decode_seconds": answer.timings.decode.as_secs_f64(),
        },
    })
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
