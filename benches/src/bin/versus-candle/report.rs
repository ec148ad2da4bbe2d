//! What is printed at the end.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Work;
use crate::turn::{Side, Turn};
use stack_benches::Machine;
use stack_benches::median;

/// All turns of one comparison, and what they were run on.
pub(crate) struct Report {
    machine: Machine,
    model: PathBuf,
    work: Work,
    turns: Vec<Turn>,
}

impl Report {
    pub(crate) fn new(machine: Machine, model: &Path, work: Work) -> Self {
        Self { machine, model: model.to_owned(), work, turns: Vec::new() }
    }

    pub(crate) fn add(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    pub(crate) fn to_json(&self) -> Value {
        let side =
            |side| json!({ "prefill": self.median(side, prefill), "decode": self.median(side, decode) });
        let turns = self.turns.iter().map(|turn| {
            let name = turn.side.name();
            json!({ "side": name, "prefill": turn.prefill, "decode": turn.decode, "command": turn.command })
        });
        json!({
            "machine": self.machine.to_json(),
            "commit": self.machine.commit,
            "model": self.model,
            "prompt": self.work.prompt,
            "generate": self.work.generate,
            "stack": side(Side::Stack),
            "candle": side(Side::Candle),
            "ratio": { "prefill": self.ratio(prefill), "decode": self.ratio(decode) },
            "turns": turns.collect::<Vec<_>>(),
        })
    }

    /// Returns the median over the turns of one side.
    fn median(&self, side: Side, part: fn(&Turn) -> f64) -> f64 {
        let mut rates: Vec<f64> = self.turns.iter().filter(|turn| turn.side == side).map(part).collect();
        median(&mut rates)
    }

    /// Returns how many times as fast as candle this engine is.
    fn ratio(&self, part: fn(&Turn) -> f64) -> f64 {
        self.median(Side::Stack, part) / self.median(Side::Candle, part)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, threads, system, commit } = &self.machine;
        writeln!(f, "machine  {processor}, {threads} threads, {system}")?;
        writeln!(f, "commit   {commit}")?;
        writeln!(f, "model    {}", self.model.display())?;
        for turn in self.turns.iter().take(2) {
            writeln!(f, "command  {}", turn.command)?;
        }
        let Work { prompt, generate, .. } = self.work;
        writeln!(
            f,
            "\n{:8}  {:>22}  {:>22}",
            "tokens/s",
            format!("prefill {prompt}"),
            format!("decode {generate}")
        )?;
        for turn in &self.turns {
            writeln!(f, "{:8}  {:>22.1}  {:>22.1}", turn.side.name(), turn.prefill, turn.decode)?;
        }
        writeln!(f, "\nmedians")?;
        for side in [Side::Stack, Side::Candle] {
            let [prefill, decode] = [self.median(side, prefill), self.median(side, decode)];
            writeln!(f, "{:8}  {prefill:>22.1}  {decode:>22.1}", side.name())?;
        }
        writeln!(f, "{:8}  {:>21.2}×  {:>21.2}×", "ratio", self.ratio(prefill), self.ratio(decode))
    }
}

fn prefill(turn: &Turn) -> f64 {
    turn.prefill
}

fn decode(turn: &Turn) -> f64 {
    turn.decode
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_compares_medians() {
        let machine = Machine {
            processor: "a processor".to_owned(),
            threads: 2,
            system: "a system".to_owned(),
            commit: "abc".to_owned(),
        };
        let work = Work { prompt: 512, generate: 64, reps: 5, threads: None };
        let mut report = Report::new(machine, Path::new("model.gguf"), work);
        for (side, prefill, decode) in [
            (Side::Stack, 100.0, 10.0),
            (Side::Candle, 50.0, 10.0),
            (Side::Stack, 300.0, 30.0),
            (Side::Candle, 50.0, 30.0),
        ] {
            report.add(Turn { side, prefill, decode, command: String::new() });
        }
        assert_eq!(report.to_json()["ratio"], json!({ "prefill": 4.0, "decode": 1.0 }));
        assert!(report.to_string().contains("4.00×"));
    }
}
