//! What is printed at the end.

use std::fmt;

use serde_json::{Value, json};
use stack_benches::{Machine, median};

use crate::peer::Config;
use crate::point::Point;
use crate::process::Turn;

/// All points, and what they were run on.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) peer_commit: String,
    pub(crate) points: Vec<Measured>,
}

/// One point with the turns of both sides.
pub(crate) struct Measured {
    pub(crate) point: Point,
    pub(crate) ours: Side,
    peers: Vec<(Config, Side)>,
}

/// The turns of one side.
#[derive(Default)]
pub(crate) struct Side {
    rates: Vec<f64>,
    /// Of the memory bandwidth that was measured right after.
    shares: Vec<f64>,
    command: String,
}

impl Side {
    pub(crate) fn add(&mut self, turn: Turn) {
        self.rates.extend(turn.rates);
        self.shares.extend(turn.shares);
        self.command = turn.command;
    }

    pub(crate) fn median(&self) -> f64 {
        median(&mut self.rates.clone())
    }

    /// The share of the memory bandwidth, where it was measured.
    fn share(&self) -> Option<f64> {
        (!self.shares.is_empty()).then(|| median(&mut self.shares.clone()))
    }

    fn to_json(&self) -> Value {
        let mut side = json!({ "median": self.median(), "rates": self.rates, "command": self.command });
        if let Some(share) = self.share() {
            side["share_of_bandwidth"] = share.into();
        }
        side
    }
}

impl Measured {
    pub(crate) fn new(point: Point) -> Self {
        Self { point, ours: Side::default(), peers: Vec::new() }
    }

    /// Returns the turns of one configuration of the peer.
    pub(crate) fn peer(&mut self, config: Config) -> &mut Side {
        let at = self.peers.iter().position(|(other, _)| *other == config).unwrap_or_else(|| {
            self.peers.push((config, Side::default()));
            self.peers.len() - 1
        });
        &mut self.peers[at].1
    }

    /// Returns the peer's default and its fastest configuration so far.
    pub(crate) fn worth_repeating(&self) -> Vec<Config> {
        let mut configs = vec![Config::DEFAULT];
        configs.extend(Some(self.best().0).filter(|best| *best != Config::DEFAULT));
        configs
    }

    /// Returns the peer's fastest configuration and its rate.
    pub(crate) fn best(&self) -> (Config, f64) {
        let rates = self.peers.iter().map(|(config, side)| (*config, side.median()));
        rates.max_by(|a, b| a.1.total_cmp(&b.1)).expect("every point measures the peer's default")
    }

    /// Returns the rate of the peer as it comes.
    pub(crate) fn default_rate(&self) -> f64 {
        let default = self.peers.iter().find(|(config, _)| *config == Config::DEFAULT);
        default.expect("every point measures the peer's default").1.median()
    }

    fn to_json(&self) -> Value {
        let (best, rate) = self.best();
        let peers = self.peers.iter().map(|(config, side)| {
            let mut side = side.to_json();
            side["config"] = config.to_string().into();
            side
        });
        json!({
            "model": self.point.model,
            "threads": self.point.threads,
            "work": self.point.work.to_string(),
            "stack": self.ours.to_json(),
            "peer": peers.collect::<Vec<_>>(),
            "best": best.to_string(),
            "ratio": { "best": self.ours.median() / rate, "default": self.ours.median() / self.default_rate() },
        })
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, peer_commit: String) -> Self {
        Self { machine, peer_commit, points: Vec::new() }
    }

    pub(crate) fn add(&mut self, measured: Measured) {
        self.points.push(measured);
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "machine": self.machine.to_json(),
            "commit": self.machine.commit,
            "peer_commit": self.peer_commit,
            "points": self.points.iter().map(Measured::to_json).collect::<Vec<_>>(),
        })
    }
}

/// A table in Markdown, and the commands of the first point.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, threads, system, commit } = &self.machine;
        writeln!(f, "machine    {processor}, {threads} threads, {system}")?;
        writeln!(f, "commit     {commit}")?;
        writeln!(f, "llama.cpp  {}", self.peer_commit)?;
        if let Some(first) = self.points.first() {
            writeln!(f, "command    {}", first.ours.command)?;
            for (_, side) in first.peers.iter().take(1) {
                writeln!(f, "command    {}", side.command)?;
            }
        }
        writeln!(
            f,
            "\nTokens per second, medians; in brackets the range of ours. At the end what our decoding reads of what memory gave right after.\n"
        )?;
        writeln!(
            f,
            "| model | threads | work | stack | llama.cpp default | llama.cpp best | to default | to best | of bandwidth |"
        )?;
        writeln!(f, "| --- | --: | --- | --: | --: | --: | --: | --: | --: |")?;
        for measured in &self.points {
            let (config, best) = measured.best();
            let (ours, default) = (measured.ours.median(), measured.default_rate());
            let lowest = measured.ours.rates.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = measured.ours.rates.iter().copied().fold(0.0, f64::max);
            let share =
                measured.ours.share().map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share));
            writeln!(
                f,
                "| {} | {} | {} | {ours:.1} ({lowest:.1}–{highest:.1}) | {default:.1} | {best:.1} ({config}) | {:.2} | {:.2} | {share} |",
                measured.point.model_name(),
                measured.point.threads,
                measured.point.work,
                ours / default,
                ours / best,
            )?;
        }
        Ok(())
    }
}
