//! How a candidate is doing.

use std::time::{Duration, Instant};

use stack_chat::Class;

use super::facts::Need;
use crate::load::Latency;
use crate::queue::Queue;

/// How a candidate is doing when a request comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Why it cannot be asked at all, if that is so.
    pub disabled: Option<String>,
    /// Where its answers come from.
    pub class: Class,
    /// What it is known to be unable to do.
    pub lacks: Vec<Need>,
    /// How many tokens fit, if that is known.
    pub context: Option<u32>,
    /// What its breakers say, if they do not admit an attempt.
    pub circuit: Option<CircuitRefusal>,
    /// Until when it asked to be left alone.
    pub cooldown: Option<Instant>,
    /// How many requests it has, and how many it takes.
    pub queue: Queue,
    /// How long its first output has taken lately.
    pub first_output: Latency,
}

/// A breaker that does not admit an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitRefusal {
    /// When it may, if that is known.
    pub wait: Option<Duration>,
}

impl Standing {
    /// Makes the standing of a candidate of which nothing speaks against it.
    pub fn new(class: Class) -> Self {
        Self {
            disabled: None,
            class,
            lacks: Vec::new(),
            context: None,
            circuit: None,
            cooldown: None,
            queue: Queue::default(),
            first_output: Latency::default(),
        }
    }
}
