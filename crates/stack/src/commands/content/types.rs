//! `stack content types`: the types of text.

use clap::Args;
use serde_json::{Value, json};
use stack_insight::content::{Kind, Measure};

use crate::error::CommandError;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Lists the types.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut data = Data::new();
    if arguments.json {
        return data.json(&Kind::ALL.map(to_json));
    }
    for kind in Kind::ALL {
        let length = kind.range().map_or("any length".to_owned(), |(measure, min, max)| {
            format!("{}–{} {}", thousands(min), thousands(max), unit(measure))
        });
        data.line(&format!("{}  {:<20} {length:<18} {}", kind.code(), kind.name(), kind.format()))?;
    }
    Ok(())
}

fn to_json(kind: Kind) -> Value {
    let length =
        kind.range().map(|(measure, min, max)| json!({"unit": unit(measure), "min": min, "max": max}));
    json!({"type": kind.code(), "name": kind.name(), "length": length, "format": kind.format()})
}

fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::Lines => "lines",
        Measure::Words => "words",
    }
}

fn thousands(number: u32) -> String {
    if number < 1000 { number.to_string() } else { format!("{} {:03}", number / 1000, number % 1000) }
}
