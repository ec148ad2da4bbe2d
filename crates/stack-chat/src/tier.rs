//! How far a request may reach, and where its answer comes from.

/// How far a request may reach. It is a ceiling: the operator sets it, and a request may lower it for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// This process, and backends on this machine that the operator listed.
    Sovereign,
    /// Hosts that the operator listed.
    Private,
    /// Public interfaces.
    Standard,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Class {
    /// This process.
    #[default]
    InProcess,
    /// Another process of this machine.
    Loopback,
    /// A host that the operator listed.
    Listed,
    /// A public interface.
    Public,
}

impl Tier {
    /// All tiers, the strictest first.
    pub const ALL: [Self; 3] = [Self::Sovereign, Self::Private, Self::Standard];

    /// Returns its name in options, headers and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sovereign => "sovereign",
            Self::Private => "private",
            Self::Standard => "standard",
        }
    }

    /// Finds the tier of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

impl Class {
    /// Returns its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in_process",
            Self::Loopback => "loopback",
            Self::Listed => "listed",
            Self::Public => "public",
        }
    }

    /// Returns the strictest tier that reaches it.
    pub const fn tier(self) -> Tier {
        match self {
            Self::InProcess | Self::Loopback => Tier::Sovereign,
            Self::Listed => Tier::Private,
            Self::Public => Tier::Standard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_have_names_and_an_order() {
        assert!(Tier::ALL.is_sorted());
        for tier in Tier::ALL {
            assert_eq!(Tier::from_name(tier.name()), Some(tier));
        }
        assert_eq!(Tier::from_name("public"), None);
    }
}
