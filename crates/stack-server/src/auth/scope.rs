//! What kinds of acts a key allows.

use std::fmt;

/// A kind of acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To ask models.
    Infer,
    /// To see how the server is doing.
    Read,
    /// To let agents work.
    Agent,
    /// To load and unload models, and to change what concerns everybody.
    Operate,
    /// To approve what agents and repairs propose.
    Approve,
    /// To do everything.
    Admin,
}

impl Scope {
    /// Every scope, the narrowest first.
    pub const ALL: [Self; 6] =
        [Self::Infer, Self::Read, Self::Agent, Self::Operate, Self::Approve, Self::Admin];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Read => "read",
            Self::Agent => "agent",
            Self::Operate => "operate",
            Self::Approve => "approve",
            Self::Admin => "admin",
        }
    }

    /// Finds a scope by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether one of them is `scope`, or allows everything.
    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }

    /// Lists them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_allows_itself_and_admin_everything() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
            let only = Scopes::from_iter([scope]);
            for other in Scope::ALL {
                assert_eq!(only.allow(other), other == scope || scope == Scope::Admin, "{scope} {other}");
                assert!(!Scopes::default().allow(other));
            }
        }
        let two: Scopes = [Scope::Read, Scope::Infer].into_iter().collect();
        assert_eq!(two.iter().collect::<Vec<_>>(), [Scope::Infer, Scope::Read]);
        assert_eq!(Scope::from_name("root"), None);
    }
}
