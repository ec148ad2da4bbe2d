//! What is wrong with a folder of adapters.

use std::error::Error;
use std::fmt;

use stack_wire::provider::SpecFault;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterFault {
    /// Its name.
    pub file: String,
    /// What is wrong.
    pub problem: AdapterProblem,
}

/// What can be wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdapterProblem {
    /// It breaks a rule, or fails one of its examples.
    Spec(SpecFault),
    /// Another file is for the same provider and family.
    Twice {
        /// The other file.
        other: String,
    },
    /// The program has this version already, or a newer one.
    VersionTaken {
        /// The version that the program has.
        version: u32,
    },
}

impl From<SpecFault> for AdapterProblem {
    fn from(fault: SpecFault) -> Self {
        Self::Spec(fault)
    }
}

impl AdapterProblem {
    /// Returns its name, for machines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Spec(fault) => fault.rule.name(),
            Self::Twice { .. } => "twice",
            Self::VersionTaken { .. } => "version-taken",
        }
    }
}

impl fmt::Display for AdapterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(fault) => fault.fmt(f),
            Self::Twice { other } => write!(f, "{other} is for the same provider and family"),
            Self::VersionTaken { version } => {
                write!(f, "version {version} is part of the program; a file in its place has a higher one")
            }
        }
    }
}

impl fmt::Display for AdapterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}

impl Error for AdapterFault {}
