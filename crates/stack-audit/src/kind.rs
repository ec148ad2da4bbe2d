//! What entries are about: numbers, so that a log outlives the program that knew their names.

use std::fmt;

/// The kind of an entry. The high byte is the subsystem; a number is never given to anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u16);

/// Declares the kinds once, as constants and as the table of their names.
macro_rules! kinds {
    ($($number:literal $constant:ident $name:literal $doc:literal)*) => {
        impl Kind {
            $(#[doc = $doc] pub const $constant: Self = Self($number);)*
        }

        const NAMES: &[(Kind, &str)] = &[$((Kind::$constant, $name)),*];
    };
}

kinds! {
    0x0101 OPENED "log.opened" "The log was opened for writing."
    0x0102 RECOVERED "log.recovered" "Intents of an earlier epoch were settled."
    0x0103 ERASED "log.erased" "Payloads are erased."
    0x0104 EXPORTED "log.exported" "A stream was exported."
    0x0105 VERIFIED "log.verified" "The log was verified."
    0x0106 ROTATED "log.rotated" "The log goes on in another file."
    0x0107 DISK_FULL "log.disk-full" "Drafts were refused for want of space."
    0x0108 HELD "log.held" "The payloads of a stream must be kept."
    0x0109 RELEASED "log.released" "A hold has ended."
    0x010a KEY_CHANGED "log.key-changed" "Another key signs from here on."
    0x0201 SESSION_START "session.start" "A session starts."
    0x0202 SESSION_STATE "session.state" "A session changes its state."
    0x0203 SESSION_END "session.end" "A session has ended."
    0x0204 SESSION_MESSAGE "session.message" "A user wrote."
    0x0205 SESSION_COMPACTED "session.compacted" "Older entries were summarised."
    0x0301 MODEL_CALL "model.call" "A model is called."
    0x0401 TOOL_CALL "tool.call" "A tool is run."
    0x0402 TOOL_RESOLVED "tool.resolved" "A person settled an ambiguous effect."
    0x0501 APPROVAL "policy.approval" "A person is asked."
    0x0502 GRANT "policy.grant" "A permission that outlasts one call."
    0x0503 POLICY_LOADED "policy.loaded" "Another policy is in force."
    0x0601 LIMIT_HIT "limit.hit" "A limit was reached."
    0x0602 TEXT_FLAGGED "limit.text-flagged" "A text looks like instructions to a model."
    0x0603 CALL_DENIED "limit.call-denied" "A call was denied."
    0x0701 EGRESS "gateway.egress" "Something leaves the machine, or was kept from it."
    0x0702 DENIALS "gateway.denials" "Denials of the same kind, counted."
    0x0703 BREAKER "gateway.breaker" "A breaker changed its state."
    0x0704 BUDGET "gateway.budget" "Money or tokens were reserved or spent."
    0x0705 ADAPTER "gateway.adapter" "Adapters are put in force, or repaired."
    0x0706 ANSWERED "gateway.answered" "A request was answered, and by whom."
    0x0801 PULL "registry.pull" "A model is downloaded."
    0x0802 SIGN "registry.sign" "A model is signed."
    0x0803 VERIFY "registry.verify" "A model is verified."
    0x0804 LOAD "registry.load" "A model is loaded."
    0x0805 KEY "registry.key" "A key is made, changed or removed."
    0x0806 PUSH "registry.push" "A model is uploaded."
    0x0807 REMOVE "registry.remove" "A model is removed."
    0x0808 COLLECT "registry.collect" "Unused blobs are removed."
    0x0809 TRUST "registry.trust" "Trust is given or taken."
    0x080a IMPORT "registry.import" "Models are read from a package."
    0x080b EXPORT "registry.export" "Models are written to a package."
    0x080c ADOPT "registry.adopt" "Models of other programs are registered."
    0x080d NAME "registry.name" "A model gets another name."
    0x080e ENCRYPT "registry.encrypt" "Weights are encrypted."
    0x080f DECRYPT "registry.decrypt" "Weights are decrypted."
    0x0810 REKEY "registry.rekey" "Others can open encrypted weights."
    0x0901 AUTOMATON_CREATED "automaton.created" "An automaton was created."
    0x0902 AUTOMATON_TICK "automaton.tick" "An automaton acts."
    0x0903 AUTOMATON_TASK "automaton.task" "An automaton works on a task."
    0x0a01 ADMIN "server.admin" "An administrator acts."
    0x0a02 REFUSED_LOGIN "server.refused-login" "A login was refused."
    0x0a03 SERVE "server.serve" "Models are served."
}

impl Kind {
    /// Returns whether entries of this kind are about the log itself: those are never erased.
    pub fn is_of_log(self) -> bool {
        self.0 >> 8 == 1
    }

    /// Finds the kind that has this name, or this number in four hex digits.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind);
        let number = || stack_seal::hex::decode::<2>(name).map(u16::from_be_bytes).map(Self);
        known.or_else(number)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(kind, _)| kind == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{:04x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_given_once() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        for (kind, name) in NAMES {
            assert_eq!(Kind::from_name(name), Some(*kind));
            assert_eq!(kind.to_string(), *name);
        }
        assert_eq!(Kind::from_name("7f01"), Some(Kind(0x7f01)));
        assert_eq!((Kind(0x7f01).to_string(), Kind::from_name("pull")), ("7f01".to_owned(), None));
    }
}
