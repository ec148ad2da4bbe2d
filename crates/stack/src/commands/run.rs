//! `stack run`: one answer, or a conversation on the terminal.

use std::io::{self, IsTerminal};
use std::mem;

use clap::{Args, value_parser};
use serde_json::json;
use stack_chat::{ChatRequest, FinishReason, Message, Prompt, Role};
use stack_registry::store::Store;
use tokio::runtime::{self, Runtime};

use crate::access::AccessArguments;
use crate::answer::{Answer, Cut, answer, cut, speed};
use crate::chat::{Chat, Manner, Models};
use crate::command_error::{CommandError, Kind};
use crate::input;
use crate::model_path::{self, ModelPath};
use crate::options::{EngineArguments, SamplingArguments};
use crate::output::talk;
use crate::ready::{Candidate, Prompts, Ready};
use crate::screen::Screen;
use crate::terminal::Silence;
use crate::threads::Work;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    /// Answer with this model, a GGUF file or a folder, instead of the default model
    #[arg(short, long, value_name = "MODEL")]
    model: Option<ModelPath>,
    /// What to answer; what comes through a pipe is appended. With neither, a conversation starts
    prompt: Option<String>,
    /// Give the model these instructions first
    #[arg(short, long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Continue the prompt as it is, without a chat template
    #[arg(long, conflicts_with = "template")]
    raw: bool,
    /// Generate at most this many tokens
    #[arg(long, value_name = "TOKENS", value_parser = value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// End the answer before this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
    #[command(flatten)]
    access: AccessArguments,
    /// Print one JSON object with the answer, why it ended, tokens and times
    #[arg(long)]
    json: bool,
    /// Let the terminal break lines where it will, instead of between words
    #[arg(long)]
    nowordwrap: bool,
    /// Say on stderr how long it took
    #[arg(short, long)]
    verbose: bool,
}

/// Answers.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let prompt = arguments.prompt()?;
    let ready = arguments.candidate(&arguments.model.clone().unwrap_or_default())?;
    let ready = ready.load(&arguments.engine.options()?)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CommandError::new(Kind::Machine, "the program cannot wait for events").caused(error)
    })?;
    if arguments.verbose {
        talk(format!("loaded {} in {:.2} s", ready.id, ready.load.as_secs_f64()));
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
    /// How much there is to compute.
    pub(crate) fn work(&self) -> Work {
        match self.model {
            None | Some(ModelPath::BuiltIn) => Work::Tiny,
            Some(_) => Work::Unknown,
        }
    }

    /// Joins the argument and the pipe; `None` asks for a conversation.
    fn prompt(&self) -> Result<Option<String>, CommandError> {
        if self.model.is_none()
            && let Some(path) = self.prompt.as_deref().filter(|prompt| model_path::is_model(prompt))
        {
            return Err(CommandError::new(Kind::Usage, format!("the prompt {path:?} is a model"))
                .hint(format!("give models with -m: stack run -m {path}")));
        }
        let piped = if io::stdin().is_terminal() { None } else { Some(input::stdin()?) };
        match join(self.prompt.as_deref(), piped.as_deref()) {
            Some(prompt) => Ok(Some(prompt)),
            None if piped.is_some() || self.prompt.is_some() => {
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

    /// Opens a model, and finds what it lacks to answer.
    fn candidate(&self, path: &ModelPath) -> Result<Candidate, CommandError> {
        let model = path.open(&self.access)?;
        let prompts = if self.raw { Prompts::Raw } else { Prompts::Templated };
        Candidate::new(path.clone(), model, &self.engine.options()?, prompts)
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
        match cut(&answer, self.max_tokens, ready.chat.card().context) {
            Some(Cut::Context(context)) => {
                talk(format!("note: the answer is cut, for the context of {context} tokens is full; --ctx may allow more"));
            }
            // Whoever asked for so many tokens knows it, unless they watch and wonder.
            Some(Cut::Limit(limit)) if io::stderr().is_terminal() => {
                talk(format!("note: the answer is cut after {limit} tokens (--max-tokens)"));
            }
            _ => {}
        }
        if self.verbose {
            talk(speed(&answer));
        }
        Ok(())
    }

    fn request(&self, prompt: Prompt) -> ChatRequest {
        ChatRequest {
            sampling: self.sampling.sampling(),
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            ..ChatRequest::new(prompt)
        }
    }
}

impl Models for Arguments {
    fn open(&self, path: &ModelPath) -> Result<Candidate, CommandError> {
        self.candidate(path)
    }

    fn load(&self, candidate: Candidate) -> Result<Ready, CommandError> {
        candidate.load(&self.engine.options()?)
    }

    fn names(&self) -> Vec<String> {
        // What is offered to be completed is a convenience.
        let entries = || Store::existing(self.access.home().ok()?.root()).ok()??.entries().ok();
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
            FinishReason::Length => "length",
        },
        "seed": answer.seed,
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "cached_tokens": answer.usage.cached_tokens,
            "generated_tokens": answer.usage.generated_tokens,
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
