//! A conversation on a terminal.
//!
//! The whole conversation is sent each turn; the engine finds again what it has computed of it.

mod file;
mod history;
mod line;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use stack_chat::{ChatModel, ChatRequest, Message, Prompt, Role};
use tokio::runtime::Runtime;

use self::history::History;
use self::line::{Command, Draft, Line};
use crate::answer::{answer, speed};
use crate::command_error::{CommandError, Kind};
use crate::output::{Data, talk};

/// A conversation and what its next answer is asked with.
pub(crate) struct Chat<'a> {
    model: &'a dyn ChatModel,
    runtime: &'a Runtime,
    system: Option<String>,
    messages: Vec<Message>,
    /// Every option but the prompt.
    request: ChatRequest,
    verbose: bool,
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl<'a> Chat<'a> {
    /// Prepares a conversation whose answers are asked for as `request` is, but for the prompt.
    pub(crate) fn new(
        model: &'a dyn ChatModel,
        runtime: &'a Runtime,
        system: Option<String>,
        request: ChatRequest,
        verbose: bool,
    ) -> Self {
        Self { model, runtime, system, messages: Vec::new(), request, verbose }
    }

    /// Talks until Ctrl-D or `/bye`.
    pub(crate) fn run(mut self, name: &str) -> Result<(), CommandError> {
        talk(format!("{name}: /help lists the commands, Ctrl-C stops an answer, Ctrl-D ends"));
        let config = Config::builder().max_history_size(HISTORY_MAX).map_err(terminal)?.build();
        let mut editor = Editor::<(), FileHistory>::with_config(config).map_err(terminal)?;
        let history = History::open(&mut editor);
        while let Some(text) = read(&mut editor)? {
            history.add(&mut editor, &text);
            let next = match Line::parse(&text) {
                Ok(Line::Empty) => Ok(Next::GoOn),
                Ok(Line::Say(text)) => self.say(text).map(|()| Next::GoOn),
                Ok(Line::Command(command)) => self.obey(command),
                Err(problem) => Err(CommandError::new(Kind::Usage, problem).hint("/help lists the commands")),
            };
            match next {
                Ok(Next::GoOn) => {}
                Ok(Next::End) => break,
                Err(error) if error.kind() == Kind::OutputClosed => return Err(error),
                Err(error) => error.report(),
            }
        }
        Ok(())
    }

    /// Asks for the next answer. What failed leaves the conversation as it was.
    fn say(&mut self, text: String) -> Result<(), CommandError> {
        self.messages.push(Message::user(text));
        let prompt = Prompt::Messages(self.conversation());
        let mut data = Data::new();
        let asked = answer(self.model, ChatRequest { prompt, ..self.request.clone() }, |text| {
            data.write_foreign(text)
        });
        let outcome = self.runtime.block_on(asked);
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => {
                self.messages.pop();
                return Err(match error.kind() {
                    Kind::Limit => error.hint("/clear forgets the conversation; --ctx gives it more room"),
                    _ => error,
                });
            }
        };
        data.write("\n\n")?;
        if self.verbose && answer.finish.is_some() {
            talk(speed(&answer));
        }
        // An answer that was stopped was read as far as it came, so the model should know of it.
        self.messages.push(Message::new(Role::Assistant, answer.text));
        Ok(())
    }

    fn obey(&mut self, command: Command) -> Result<Next, CommandError> {
        match command {
            Command::System(text) => {
                talk(if text.is_some() {
                    "the instructions are set"
                } else {
                    "there are no instructions now"
                });
                self.system = text;
            }
            Command::Temperature(temperature) => self.request.sampling.temperature = Some(temperature),
            Command::Seed(seed) => self.request.sampling.seed = seed,
            Command::Clear => {
                self.messages.clear();
                talk("the conversation starts anew");
            }
            Command::Save(path) => {
                file::save(&path, &self.conversation())?;
                talk(format!("saved as {}", path.display()));
            }
            Command::Load(path) => {
                (self.system, self.messages) = file::load(&path)?;
                talk(format!("the conversation has {} messages", self.messages.len()));
            }
            Command::Help => talk(line::HELP),
            Command::Bye => return Ok(Next::End),
        }
        Ok(Next::GoOn)
    }

    fn conversation(&self) -> Vec<Message> {
        let system = self.system.iter().map(|text| Message::new(Role::System, text));
        system.chain(self.messages.iter().cloned()).collect()
    }
}

/// Reads what may be several lines; `None` at the end of input.
fn read(editor: &mut Editor<(), FileHistory>) -> Result<Option<String>, CommandError> {
    let mut draft = Draft::default();
    loop {
        match editor.readline(if draft.is_empty() { ">>> " } else { "... " }) {
            Ok(line) => {
                if draft.push(&line) {
                    return Ok(Some(draft.into_text()));
                }
            }
            Err(ReadlineError::Interrupted) => {
                talk("Ctrl-D or /bye ends the conversation");
                draft = Draft::default();
            }
            Err(ReadlineError::Eof) => return Ok(None),
            Err(error) => return Err(terminal(error)),
        }
    }
}

fn terminal(error: ReadlineError) -> CommandError {
    CommandError::new(Kind::Machine, "the terminal cannot be used")
        .caused(error)
        .hint("give the prompt as an argument or through a pipe")
}

/// Lines that are remembered.
const HISTORY_MAX: usize = 1000;
