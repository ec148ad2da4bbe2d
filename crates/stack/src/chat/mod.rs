//! A conversation on a terminal.
//!
//! The whole conversation is sent each turn; the engine finds again what it has computed of it.

pub(crate) mod answer;
mod command;
mod complete;
mod file;
mod forget;
mod history;
mod line;
mod settings;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use stack_chat::{ChatRequest, Failure, FailureKind, Message, ModelCard, Overflow, Prompt, Role};
use stack_registry::choice::ModelPath;
use tokio::runtime::Runtime;

use self::command::{Command, Topic};
use self::complete::Completions;
use self::history::History;
use self::line::{Draft, Line};
use self::settings::Parameter;
use crate::chat::answer::{Answer, AnswerError, Cut, answer, cut, said, speed};
use crate::error::{CommandError, Kind};
use crate::models::ready::{Candidate, Ready};
use crate::terminal::output::{sanitize, stderr, stderr_exactly};
use crate::terminal::report::report;
use crate::terminal::screen::Screen;
use crate::terminal::thoughts::Thoughts;
use crate::terminal::{Silence, units};

/// Where a conversation gets models from.
pub(crate) trait Models {
    /// Finds the model that a name, a path or an address means.
    fn find(&self, name: &str) -> Result<ModelPath, CommandError>;

    /// Opens a model, and finds what it lacks to answer.
    fn open(&self, path: &ModelPath) -> Result<Candidate, CommandError>;

    /// Lists names that can be opened.
    fn names(&self) -> Vec<String>;
}

/// How a conversation is shown and kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Whether times are told after each answer.
    pub(crate) verbose: bool,
    /// Whether lines are wrapped between words.
    pub(crate) word_wrap: bool,
    /// Whether what is typed is kept for later conversations.
    pub(crate) history: bool,
}

/// A conversation and what its next answer is asked with.
pub(crate) struct Chat<'a> {
    models: &'a dyn Models,
    /// The model that answers; absent only while another one is loaded.
    ready: Option<Ready>,
    runtime: &'a Runtime,
    system: Option<String>,
    messages: Vec<Message>,
    /// Every option but the prompt.
    request: ChatRequest,
    manner: Manner,
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

type LineEditor<'a> = Editor<Completions<'a>, FileHistory>;

impl<'a> Chat<'a> {
    /// Prepares a conversation whose answers are asked for as `request` is, but for the prompt.
    pub(crate) fn new(
        models: &'a dyn Models,
        ready: Ready,
        runtime: &'a Runtime,
        system: Option<String>,
        request: ChatRequest,
        manner: Manner,
    ) -> Self {
        Self { models, ready: Some(ready), runtime, system, messages: Vec::new(), request, manner }
    }

    /// Talks until Ctrl-D or `/bye`.
    pub(crate) fn run(mut self) -> Result<(), CommandError> {
        stderr(format!("{}: /? lists the commands, Ctrl-C stops an answer, Ctrl-D ends", self.ready().id));
        let config = Config::builder()
            .max_history_size(HISTORY_MAX)
            .map_err(terminal)?
            .completion_type(CompletionType::List)
            .build();
        let mut editor = LineEditor::with_config(config).map_err(terminal)?;
        let models = self.models;
        editor.set_helper(Some(Completions::new(|| models.names())));
        let history = History::open(&mut editor);
        while let Some(text) = read(&mut editor)? {
            if self.manner.history {
                history.add(&mut editor, &text);
            }
            let next = match Line::parse(&text) {
                Ok(Line::Empty) => Ok(Next::GoOn),
                Ok(Line::Say(text)) => self.say(text, &mut editor).map(|()| Next::GoOn),
                Ok(Line::Command(command)) => self.obey(command),
                Err(problem) => Err(CommandError::new(Kind::Usage, problem).hint("/? lists the commands")),
            };
            match next {
                Ok(Next::GoOn) => {}
                Ok(Next::End) => break,
                Err(error) if error.kind() == Kind::OutputClosed || self.ready.is_none() => {
                    return Err(error);
                }
                Err(error) => report(&error),
            }
        }
        Ok(())
    }

    /// Asks for the next answer. What failed leaves the conversation as it was.
    fn say(&mut self, text: String, editor: &mut LineEditor<'_>) -> Result<(), CommandError> {
        let before = self.messages.clone();
        self.messages.push(Message::user(text));
        let answered = self.answer_or_drop(editor);
        if !matches!(answered, Ok(Some(_))) {
            self.messages = before;
        }
        let Some(answer) = answered? else { return Ok(()) };
        // An answer that was stopped was read as far as it came, so the model should know of it.
        self.messages.push(Message::new(Role::Assistant, answer.text));
        Ok(())
    }

    /// Asks, and where the conversation does not fit offers to drop its oldest turns; `None` if nobody wants that.
    fn answer_or_drop(&mut self, editor: &mut LineEditor<'_>) -> Result<Option<Answer>, CommandError> {
        let mut agreed = false;
        let turns = forget::turns(&self.messages);
        loop {
            let error = match self.ask() {
                Ok(answer) => return Ok(Some(answer)),
                Err(AnswerError::Chat(error)) => error,
                Err(error) => return Err(error.into()),
            };
            let Some(count) = self.oldest_to_drop(&error) else { return Err(explained(error)) };
            if !agreed {
                stderr(format!("{error}."));
                agreed = confirmed(editor)?;
            }
            if !agreed {
                stderr(
                    "Nothing was dropped, and nothing was answered. /save FILE keeps the conversation, /clear starts anew.",
                );
                return Ok(None);
            }
            self.messages.drain(..count);
            let left = forget::turns(&self.messages);
            stderr(format!("dropped {} of {turns} turns; the system message stays", turns - left));
        }
    }

    /// Asks for an answer to the conversation as it is, and shows it.
    fn ask(&self) -> Result<Answer, AnswerError> {
        let prompt = Prompt::Messages(self.conversation());
        let model = &*self.ready().chat;
        let mut screen = Screen::new(self.manner.word_wrap);
        let mut thoughts = Thoughts::new();
        let silence = Silence::begin();
        let asked = answer(model, ChatRequest { prompt, ..self.request.clone() }, |event| {
            thoughts.see(event);
            said(event).map_or(Ok(()), |text| screen.show(text))
        });
        let answered = self.runtime.block_on(asked);
        thoughts.end();
        let mut data = screen.end()?;
        drop(silence);
        let answer = answered.inspect_err(|error| {
            // What came before the error ends with its line.
            if !matches!(error, AnswerError::Chat(_)) {
                let _closed = data.write("\n");
            }
        })?;
        data.write("\n\n")?;
        drop(data);
        if let Some(note) = self.note(&answer) {
            stderr(note);
        }
        if self.manner.verbose && answer.finish.is_some() {
            stderr(speed(&answer));
        }
        Ok(answer)
    }

    /// Says why an answer ends where it does, if it did not come to its end.
    fn note(&self, answer: &Answer) -> Option<String> {
        Some(match cut(answer, self.request.max_tokens, self.card().context)? {
            Cut::Limit(limit) => format!(
                "note: the answer is cut after {limit} tokens; /set parameter num_predict -1 lets it be longer"
            ),
            Cut::Context(context) => format!(
                "note: the answer is cut, because the context of {context} tokens is full; your next message offers to drop \
                 the oldest turns"
            ),
        })
    }

    /// How many messages to drop for an error that says that they do not fit; `None` where that cannot help.
    fn oldest_to_drop(&self, error: &Failure) -> Option<usize> {
        let Overflow { prompt_tokens, context } = error.overflow?;
        let room = self.request.max_tokens.map_or(context / 4, |most| most.min(context / 2));
        let system: Vec<Message> = self.system_message().collect();
        forget::oldest_to_drop(&self.messages, &system, prompt_tokens, context, room)
    }

    fn obey(&mut self, command: Command) -> Result<Next, CommandError> {
        match command {
            Command::System(text) => {
                stderr(if text.is_some() {
                    "the system message is set"
                } else {
                    "there is no system message now"
                });
                self.system = text;
            }
            Command::Parameter(parameter, value) => {
                parameter.set(&mut self.request, &value).map_err(|problem| {
                    CommandError::new(Kind::Usage, format!("{} {problem}", parameter.name()))
                })?;
                let value = parameter.value(&self.request);
                stderr(format!("{}: {}", parameter.name(), value.as_deref().unwrap_or(parameter.unset())));
            }
            Command::WordWrap(wrap) => {
                self.manner.word_wrap = wrap;
                stderr(if wrap { "lines are wrapped between words" } else { "lines are left as they come" });
            }
            Command::History(keep) => {
                self.manner.history = keep;
                stderr(if keep {
                    "what is typed is kept for later"
                } else {
                    "what is typed is not kept from here on"
                });
            }
            Command::Verbose(verbose) => {
                self.manner.verbose = verbose;
                stderr(if verbose { "times are told after each answer" } else { "times are no longer told" });
            }
            Command::Show(Topic::Template) => stderr_exactly(sanitize(&self.shown(Topic::Template))),
            Command::Show(topic) => stderr(sanitize(&self.shown(topic))),
            Command::Model(None) => stderr(sanitize(&self.shown(Topic::Info))),
            Command::Model(Some(name)) => self.change_model(&name)?,
            Command::Clear => {
                self.messages.clear();
                stderr("the conversation starts anew");
            }
            Command::Save(path) => {
                file::save(&path, &self.conversation())?;
                stderr(format!("saved as {}", path.display()));
            }
            Command::Load(path) => {
                (self.system, self.messages) = file::load(&path)?;
                stderr(format!("the conversation has {} messages", self.messages.len()));
            }
            Command::Help(text) => stderr(text),
            Command::Bye => return Ok(Next::End),
        }
        Ok(Next::GoOn)
    }

    /// Lets another model answer; the conversation goes on.
    fn change_model(&mut self, name: &str) -> Result<(), CommandError> {
        // What is wrong with its name or header leaves the one that is there in place.
        let candidate = self.models.open(&self.models.find(name)?)?;
        let former = self.ready.take().expect("a model is loaded between commands").path;
        // Two models may be more than the memory holds, so the former one has gone before the weights are read.
        let loaded = candidate.load();
        match loaded {
            Ok(ready) => {
                stderr(format!("{} answers now; loaded in {:.1} s", ready.id, ready.load.as_secs_f64()));
                self.ready = Some(ready);
                Ok(())
            }
            Err(error) => {
                self.ready = Some(self.models.open(&former).and_then(Candidate::load)?);
                Err(error)
            }
        }
    }

    /// What `/show` prints.
    fn shown(&self, topic: Topic) -> String {
        let or = |text: &Option<String>, none: &str| text.clone().unwrap_or_else(|| none.to_owned());
        match topic {
            Topic::Info => info(&self.ready().id, self.card()),
            Topic::License => or(&self.ready().license, "the model's file names no license"),
            Topic::System => or(&self.system, "there is no system message"),
            Topic::Template => or(&self.ready().template, "the model has no chat template"),
            Topic::Parameters => {
                let set = |parameter: Parameter| {
                    let value = parameter.value(&self.request)?;
                    Some(format!("{:<18}{value}", parameter.name()))
                };
                let lines: Vec<String> = Parameter::ALL.into_iter().filter_map(set).collect();
                if lines.is_empty() {
                    "no parameter is set; the model's own defaults count".to_owned()
                } else {
                    lines.join("\n")
                }
            }
        }
    }

    fn ready(&self) -> &Ready {
        self.ready.as_ref().expect("a model is loaded between commands")
    }

    fn card(&self) -> &ModelCard {
        self.ready().chat.card()
    }

    fn conversation(&self) -> Vec<Message> {
        self.system_message().chain(self.messages.iter().cloned()).collect()
    }

    fn system_message(&self) -> impl Iterator<Item = Message> {
        self.system.iter().map(|text| Message::new(Role::System, text))
    }
}

/// Says what gives a single message that is too long more room.
fn explained(error: Failure) -> CommandError {
    let overflow = matches!(error.kind, FailureKind::ContextExceeded);
    let error = CommandError::from(error);
    if overflow {
        return error.hint("the message alone is too long; `stack run --ctx N` may give it more room");
    }
    error
}

fn info(id: &str, card: &ModelCard) -> String {
    [
        ("model", id.to_owned()),
        ("architecture", card.architecture.clone()),
        ("parameters", format!("{} in {}", units::count(card.parameters), units::bytes(card.size_bytes))),
        ("context", format!("{} tokens, trained for {}", card.context, card.context_trained)),
        ("embedding", card.embedding.to_string()),
        ("vocabulary", format!("{} tokens", card.vocabulary)),
    ]
    .map(|(label, value)| format!("{label:<13} {value}"))
    .join("\n")
}

/// Asks whether the oldest turns may be dropped. Only a clear yes is one.
fn confirmed(editor: &mut LineEditor<'_>) -> Result<bool, CommandError> {
    match editor.readline("Drop the oldest turns and go on? [y/N] ") {
        Ok(line) => Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str())),
        Err(ReadlineError::Interrupted | ReadlineError::Eof) => Ok(false),
        Err(error) => Err(terminal(error)),
    }
}

/// Reads what may be several lines; `None` at the end of input.
fn read(editor: &mut LineEditor<'_>) -> Result<Option<String>, CommandError> {
    let mut draft = Draft::default();
    loop {
        match editor.readline(if draft.is_empty() { ">>> " } else { "... " }) {
            Ok(line) => {
                if draft.push(&line) {
                    return Ok(Some(draft.into_text()));
                }
            }
            Err(ReadlineError::Interrupted) => {
                stderr("Ctrl-D or /bye ends the conversation");
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
