//! `stack logits`: what a model computes, to compare engines.

use clap::Args;
use serde::Serialize;
use stack_engine::executor::{Chunk, Output, Wanted};
use stack_engine::spec::DecoderSpec;

use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::OneModel;
use crate::models::path;
use crate::options::Compute;
use crate::process::threads::Workload;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: OneModel,
    /// Token ids
    #[arg(long, value_name = "ID,…", value_delimiter = ',', required = true)]
    tokens: Vec<u32>,
    /// Compute the first N tokens in one batch and the rest one at a time
    #[arg(long, value_name = "N")]
    split: Option<usize>,
    #[command(flatten)]
    access: AccessArguments,
    #[command(flatten)]
    pub(crate) compute: Compute,
    /// Print one JSON object with the tokens and the logits
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    tokens: &'a [u32],
    logits: Vec<Vec<f32>>,
}

/// Prints one row of logits for each position.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let model = path::open(&arguments.model.find(&arguments.access.home()?)?, &arguments.access)?;
    let spec = DecoderSpec::read(&*model.source)?;
    if arguments.tokens.len() > spec.context_trained {
        let (tokens, context) = (arguments.tokens.len(), spec.context_trained);
        let message = format!("{tokens} tokens exceed the context length of {context}");
        return Err(CommandError::new(Kind::Limit, message).hint("give fewer tokens"));
    }
    let context = spec.context_trained;
    let placement = arguments.compute.placement(Workload::Unknown)?;
    let mut executor = model.load_executor(&placement, context)?;
    let sequence = executor.open();
    let mut data = Data::new();
    let mut logits = Vec::new();
    for tokens in batches(&arguments.tokens, arguments.split) {
        let rows = executor.forward(&[Chunk { sequence, tokens, wanted: Wanted::All }], Output::Logits)?;
        for row in rows.iter() {
            if arguments.json {
                logits.push(row.to_vec());
            } else {
                let numbers: Vec<String> = row.iter().map(f32::to_string).collect();
                data.line(&numbers.join(" "))?;
            }
        }
    }
    if arguments.json { data.json(&Report { tokens: &arguments.tokens, logits }) } else { Ok(()) }
}

/// Cuts the tokens into what is computed together.
fn batches(tokens: &[u32], split: Option<usize>) -> impl Iterator<Item = &[u32]> {
    let (together, single) = tokens.split_at(split.unwrap_or(tokens.len()).min(tokens.len()));
    Some(together).filter(|tokens| !tokens.is_empty()).into_iter().chain(single.chunks(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_off_goes_one_by_one() {
        let cut = |split| batches(&[1, 2, 3], split).map(<[u32]>::len).collect::<Vec<_>>();
        assert_eq!(cut(None), [3]);
        assert_eq!(cut(Some(2)), [2, 1]);
        assert_eq!(cut(Some(0)), [1, 1, 1]);
        assert_eq!(cut(Some(9)), [3]);
    }
}
