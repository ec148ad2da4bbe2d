//! `stack run`: one answer, or a conversation on the terminal.

use std::io::{self, IsTerminal};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use serde_json::json;
use stack_chat::{ChatModel, ChatRequest, FinishReason, Message, Prompt, Role};
use stack_engine::spec::DecoderSpec;
use tokio::runtime::{self, Runtime};

use crate::access::AccessArguments;
use crate::answer::{Answer, answer, speed};
use crate::chat::Chat;
use crate::command_error::{CommandError, Kind};
use crate::input;
use crate::model_path::{self, ModelPath};
use crate::options::{EngineArguments, SamplingArguments};
use crate::output::{Data, talk};
use crate::threads::Work;

#[derive(Debug, Args)]
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
    /// Say on stderr how long it took
    #[arg(short, long)]
    verbose: bool,
}

/// A model that can be asked.
struct Ready {
    id: String,
    chat: Arc<dyn ChatModel>,
    load: Duration,
    runtime: Runtime,
}

/// Answers.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let prompt = arguments.prompt()?;
    let ready = arguments.load()?;
    if arguments.verbose {
        talk(format!("loaded {} in {:.2} s", ready.id, ready.load.as_secs_f64()));
    }
    if let Some(prompt) = prompt {
        arguments.answer_once(ready, prompt)
    } else {
        let system = arguments.system.clone();
        let request = arguments.request(Prompt::Messages(Vec::new()));
        Chat::new(&*ready.chat, &ready.runtime, system, request, arguments.verbose).run(&ready.id)
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

    /// Loads the model. What it lacks to answer is found before its weights are read.
    fn load(&self) -> Result<Ready, CommandError> {
        let model = self.model.clone().unwrap_or_default().open(&self.access)?;
        let options = self.engine.options()?;
        let id = model.id.clone();
        let cannot = |why: &str, hint: &str| {
            CommandError::new(Kind::Usage, format!("the model {id} {why}")).hint(hint)
        };
        if model.is_encoder() {
            return Err(cannot(
                "turns texts into vectors and answers nothing",
                "`stack serve` has /v1/embeddings",
            ));
        }
        DecoderSpec::read(&*model.source)?;
        if !self.raw && model.template(&options)?.is_none() {
            let hint = "let it continue the prompt with --raw, or give a template with --template FILE";
            return Err(cannot("has no chat template, so it cannot answer", hint));
        }
        if !model.has_vocabulary() {
            return Err(cannot("has no vocabulary, so it knows no text", "`stack logits` takes token ids"));
        }
        let started = Instant::now();
        let chat = model.load(&options)?.chat;
        let chat = chat.ok_or_else(|| cannot("answers nothing", "`stack show` says what it is"))?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            CommandError::new(Kind::Machine, "the program cannot wait for events").caused(error)
        })?;
        Ok(Ready { id, chat, load: started.elapsed(), runtime })
    }

    fn answer_once(&self, ready: Ready, prompt: String) -> Result<(), CommandError> {
        let prompt = if self.raw {
            Prompt::Text(prompt)
        } else {
            let system = self.system.iter().map(|text| Message::new(Role::System, text));
            Prompt::Messages(system.chain([Message::user(prompt)]).collect())
        };
        let mut data = Data::new();
        let mut show = |text: &str| if self.json { Ok(()) } else { data.write_foreign(text) };
        let answer = ready.runtime.block_on(answer(&*ready.chat, self.request(prompt), &mut show))?;
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
