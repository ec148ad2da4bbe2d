//! What happens to an act when the log cannot be written. A pure decision, so that every door decides alike.

/// What somebody is about to do, as far as it matters whether it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Something leaves the machine.
    Egress,
    /// A key is made, changed or removed.
    Key,
    /// Trust is given or taken.
    Trust,
    /// An administrator acts.
    Admin,
    /// A model is loaded, or answers.
    Load,
    /// Something on this machine is read or changed.
    Local,
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requirement {
    /// What stays on the machine goes on without a log, and says so.
    #[default]
    WherePossible,
    /// Nothing is done that is not written down.
    Always,
}

/// Whether an act may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accountability {
    /// It is written down.
    Audited,
    /// It goes on, and its caller says "not audited".
    NotAudited,
    /// It must not be done.
    Refused,
}

/// Decides about an act; `is_writable` says whether there is a log that takes entries.
pub fn accountability(act: Act, requirement: Requirement, is_writable: bool) -> Accountability {
    if is_writable {
        return Accountability::Audited;
    }
    match (act, requirement) {
        (Act::Load | Act::Local, Requirement::WherePossible) => Accountability::NotAudited,
        _ => Accountability::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_log_only_what_stays_goes_on() {
        let all = [Act::Egress, Act::Key, Act::Trust, Act::Admin, Act::Load, Act::Local];
        for act in all {
            assert_eq!(accountability(act, Requirement::Always, true), Accountability::Audited);
            assert_eq!(accountability(act, Requirement::Always, false), Accountability::Refused);
            let stays = matches!(act, Act::Load | Act::Local);
            let expected = if stays { Accountability::NotAudited } else { Accountability::Refused };
            assert_eq!(accountability(act, Requirement::WherePossible, false), expected, "{act:?}");
        }
    }
}
