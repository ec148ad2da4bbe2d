//! `stack tokenize`: how a text becomes tokens.

use clap::{Args, ValueHint};
use serde::Serialize;
use stack_engine::tokenizer::{Control, Specials};

use crate::error::CommandError;
use crate::home::access::AccessArguments;
use crate::models::choice::ModelArgument;
use crate::models::path;
use crate::terminal::input;
use crate::terminal::output::{Data, escaped};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model: a name of the store, a GGUF file, a folder or an address, or `default`
    #[arg(value_hint = ValueHint::AnyPath)]
    model: ModelArgument,
    /// The text [default: stdin]
    text: Option<String>,
    /// Add no BOS or EOS, and read control tokens as plain text
    #[arg(long)]
    no_special: bool,
    #[command(flatten)]
    access: AccessArguments,
    /// Print one JSON object with ids and pieces
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    ids: Vec<u32>,
    pieces: Vec<String>,
}

/// Prints the tokens.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let model = arguments.model.find(&arguments.access.home()?)?;
    let tokenizer = path::open(&model, &arguments.access)?.needed_tokenizer()?;
    let text = match &arguments.text {
        Some(text) => text.clone(),
        None => input::stdin()?,
    };
    let (control, specials) = if arguments.no_special {
        (Control::Literal, Specials::Omit)
    } else {
        (Control::Parsed, Specials::Add)
    };
    let ids = tokenizer.encode(&text, control, specials);
    let pieces = ids.iter().map(|&id| escaped(tokenizer.piece(id))).collect();
    let mut data = Data::new();
    let report = Report { ids, pieces };
    if arguments.json {
        return data.json(&report);
    }
    for (id, piece) in report.ids.iter().zip(&report.pieces) {
        // As Rust writes a text: line breaks and other invisible characters are seen.
        data.line(&format!("{id:>7}  {piece:?}"))?;
    }
    Ok(())
}
