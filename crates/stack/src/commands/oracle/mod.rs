//! `stack oracle`: which command does what somebody wants.

mod book;
mod format;
mod interactive;
mod names;
mod tree;

use clap::{Args, Command, ValueEnum, ValueHint};
use serde_json::json;
use stack_engine::executor::DeviceKind;
use stack_insight::oracle::{self, Machine, Oracle, Passage, Passages, Recommendation, parse_size};

use self::format::{advice_json, print_advice};
use crate::error::{CommandError, Kind};
use crate::models::writer::WriterArguments;
use crate::options;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    /// What you want to do, in your own words
    #[arg(value_name = "QUESTION", value_hint = ValueHint::Other)]
    question: Vec<String>,
    /// List commands and parts of the stack by layer, and what lies outside
    #[arg(long, group = "asked")]
    list: bool,
    /// Show a component
    #[arg(long, value_name = "NAME", group = "asked")]
    show: Option<String>,
    /// Show what a component can do
    #[arg(long, value_name = "NAME", group = "asked")]
    capabilities: Option<String>,
    /// Show the commands that join two components
    #[arg(long, value_name = "A,B", value_delimiter = ',', group = "asked")]
    integrate: Vec<String>,
    /// Recommend something for a problem
    #[arg(long, group = "asked", requires = "problem")]
    recommend: bool,
    /// The problem, such as "random forest"
    #[arg(long, value_name = "TEXT", requires = "recommend")]
    problem: Option<String>,
    /// How many rows of data there are, such as 1M
    #[arg(long, value_name = "N", requires = "recommend", value_parser = data_size)]
    data_size: Option<u64>,
    /// List the recipes
    #[arg(long, group = "asked")]
    cookbook: bool,
    /// Show the commands of a recipe
    #[arg(long, value_name = "ID", group = "asked")]
    recipe: Option<String>,
    /// Ask again and again: help, list, show NAME, caps NAME, exit, or a question
    #[arg(short, long, group = "asked")]
    interactive: bool,
    /// Let a local model answer from what was found; a sentence without a source is dropped
    #[arg(long, conflicts_with = "asked")]
    answer: bool,
    #[command(flatten)]
    writer: WriterArguments,
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print one JSON object, as `--format json` does
    #[arg(long)]
    json: bool,
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    Markdown,
    /// What can be typed, and nothing else.
    Code,
}

/// Answers.
pub(crate) fn run(arguments: &Arguments, root: &Command) -> Result<(), CommandError> {
    let format = if arguments.json { Format::Json } else { arguments.format };
    let mut data = Data::new();
    if arguments.list {
        return names::list(format, &mut data);
    }
    if let Some(name) = arguments.show.as_deref() {
        return names::show(name, root, format, &mut data);
    }
    if let Some(name) = &arguments.capabilities {
        return names::capabilities(name, root, format, &mut data);
    }
    if !arguments.integrate.is_empty() {
        return names::integrate(&arguments.integrate, format, &mut data);
    }
    if arguments.cookbook {
        return names::cookbook(format, &mut data);
    }
    if let Some(id) = &arguments.recipe {
        return names::recipe(id, format, &mut data);
    }
    let seer = Seer::new(root)?;
    if arguments.interactive {
        return interactive::run(&seer, root, &mut data);
    }
    let question = match (&arguments.problem, arguments.data_size) {
        (Some(problem), Some(size)) => format!("{problem} {size}"),
        (Some(problem), None) => problem.clone(),
        (None, _) => arguments.question.join(" "),
    };
    if question.trim().is_empty() {
        return Err(CommandError::new(Kind::Usage, "there is no question")
            .hint("`stack oracle \"How do I serve a model?\"`, or `stack oracle --list`"));
    }
    if arguments.answer {
        return arguments.answer(&seer, &question, format, &mut data);
    }
    seer.tell(&question, format, &mut data)
}

impl Arguments {
    fn answer(
        &self,
        seer: &Seer,
        question: &str,
        format: Format,
        data: &mut Data,
    ) -> Result<(), CommandError> {
        let advice = seer.oracle.ask(question, &seer.machine);
        let passages = Passages::new(book::PAGES);
        let mut sources: Vec<Passage> = advice.iter().flat_map(entries).collect();
        sources.extend(passages.search(question, PASSAGES).into_iter().cloned());
        let sources: Vec<&Passage> = sources.iter().collect();
        // Without a source there is nothing to ask a model.
        let answer = if sources.is_empty() {
            oracle::CitedAnswer::default()
        } else {
            let writer = self.writer.load()?;
            writer.wait(oracle::answer(writer.model(), question, &sources))?
        };
        if format == Format::Json {
            let sentence = |(text, source): &(String, String)| json!({"text": text, "source": source});
            let sentences: Vec<_> = answer.sentences.iter().map(sentence).collect();
            let known = !sentences.is_empty();
            return data.json(&json!({"known": known, "sentences": sentences, "dropped": answer.dropped}));
        }
        for (text, source) in &answer.sentences {
            data.line(&sanitize(&format!("{text} [{source}]")))?;
        }
        if answer.sentences.is_empty() { data.line("not known") } else { Ok(()) }
    }
}

/// What was found, as sources of an answer.
fn entries(advice: &Recommendation) -> impl Iterator<Item = Passage> {
    let found = [&advice.primary].into_iter().chain(&advice.alternatives);
    found.map(|found| Passage {
        place: found.name.clone(),
        text: format!(
            "{}: {}\nExample: {}\n",
            found.name,
            found.about,
            oracle::find(&found.name).map_or("", |it| &it.example)
        ),
    })
}

/// The oracle, and the machine that it speaks about.
pub(super) struct Seer {
    oracle: Oracle,
    machine: Machine,
}

impl Seer {
    fn new(root: &Command) -> Result<Self, CommandError> {
        let gpu = [DeviceKind::Cuda, DeviceKind::Metal]
            .into_iter()
            .find(|kind| kind.supported() && kind.open().is_ok());
        let machine =
            Machine { isa: options::level()?.to_string(), gpu: gpu.map(|kind| kind.to_string()), nodes: 1 };
        Ok(Self { oracle: Oracle::new(tree::commands(root)), machine })
    }

    /// Says what is known.
    fn tell(&self, question: &str, format: Format, data: &mut Data) -> Result<(), CommandError> {
        let Some(advice) = self.oracle.ask(question, &self.machine) else {
            return Err(CommandError::new(Kind::Missing, "nothing here answers that")
                .reason("no-answer")
                .hint("ask what you want to do with a model, or see `stack oracle --list`"));
        };
        let page =
            Passages::new(book::PAGES).search(question, 1).first().map(|passage| passage.place.clone());
        match format {
            Format::Json => data.json(&advice_json(&advice, page.as_deref())),
            Format::Code => data.line(&advice.example),
            Format::Text | Format::Markdown => print_advice(&advice, page.as_deref(), format, data),
        }
    }
}

fn data_size(text: &str) -> Result<u64, String> {
    let plain = text.parse().ok();
    plain
        .or_else(|| parse_size(text))
        .ok_or_else(|| "expected a number of rows, such as 500, 10k or 1M".to_owned())
}

/// Sections of the book that an answer may cite.
const PASSAGES: usize = 3;

#[cfg(test)]
mod tests;
