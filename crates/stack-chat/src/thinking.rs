//! How much a model may think before it answers.

/// How much a model may think before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// As the model does by itself.
    #[default]
    Default,
    /// Not at all.
    Off,
    /// As hard as this.
    Effort(Effort),
    /// With so many tokens.
    Budget(u32),
}

/// How hard a model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Long.
    High,
    /// As long as it can.
    Max,
}

impl Thinking {
    /// Returns the effort that was asked for; a number of tokens is the least effort that may take them.
    pub fn effort(self) -> Option<Effort> {
        match self {
            Self::Default | Self::Off => None,
            Self::Effort(effort) => Some(effort),
            Self::Budget(tokens) => Some(match tokens {
                0..=1024 => Effort::Minimal,
                1025..=4096 => Effort::Low,
                4097..=8192 => Effort::Medium,
                8193..=24_576 => Effort::High,
                _ => Effort::Max,
            }),
        }
    }
}

impl Effort {
    /// Returns the word that interfaces and chat templates share.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Max => "max",
        }
    }

    /// Returns how many tokens stand for it where a number is asked for; `None` is as many as the model allows.
    pub fn budget(self) -> Option<u32> {
        match self {
            Self::Minimal => Some(1024),
            Self::Low => Some(2048),
            Self::Medium => Some(8192),
            Self::High => Some(24_576),
            Self::Max => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_the_least_effort_that_may_take_it() {
        for (tokens, effort) in [
            (0, Effort::Minimal),
            (1024, Effort::Minimal),
            (1025, Effort::Low),
            (8192, Effort::Medium),
            (24_576, Effort::High),
            (24_577, Effort::Max),
        ] {
            assert_eq!(Thinking::Budget(tokens).effort(), Some(effort), "{tokens}");
        }
        assert_eq!(Thinking::Off.effort(), None);
    }

    #[test]
    fn the_budget_of_an_effort_stands_for_that_effort() {
        for effort in [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High] {
            let back = effort.budget().and_then(|tokens| Thinking::Budget(tokens).effort());
            assert_eq!(back, Some(effort));
        }
        assert_eq!(Effort::Max.budget(), None);
    }
}
