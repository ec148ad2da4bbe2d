//! Who decides whether a call runs: ranks, rules that are data with their own tests, modes and taint.

mod rule;

use std::error::Error;
use std::fmt;

use serde_json::{Value, json};
use stack_audit::{Hash, Taint};

use crate::call::Proposal;
use crate::digest::digest_json;
use crate::toolbox::{self, Rank};
pub use rule::Rule;

/// What becomes of a call. The order is that of strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It runs.
    Allow,
    /// A person is asked, unless they have allowed the tool for this session.
    AskOnce,
    /// A person is asked each time.
    Ask,
    /// It does not run.
    Deny,
}

impl Decision {
    const ALL: [Self; 4] = [Self::Allow, Self::AskOnce, Self::Ask, Self::Deny];

    /// Returns its name in rules and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::AskOnce => "ask_once",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }

    /// Finds the decision of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.name() == name)
    }

    /// What happens without a rule.
    pub fn of_rank(rank: Rank) -> Self {
        match rank {
            Rank::Restricted => Self::Allow,
            Rank::Standard => Self::AskOnce,
            Rank::Elevated => Self::Ask,
        }
    }

    /// One step stricter; a person who is asked each time can be asked no more often.
    fn stricter(self) -> Self {
        match self {
            Self::Allow => Self::AskOnce,
            Self::AskOnce | Self::Ask => Self::Ask,
            Self::Deny => Self::Deny,
        }
    }
}

/// What a session may do at all. Modes only narrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// All tools.
    #[default]
    Agent,
    /// Reading, and Markdown below `plans/`.
    Plan,
    /// Reading.
    Ask,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Plan, Self::Ask];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Plan => "plan",
            Self::Ask => "ask",
        }
    }

    /// Finds the mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of rules that was loaded: its own tests have passed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// What was decided about a call, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision.
    pub decision: Decision,
    /// The rule that made it; none where the rank did.
    pub rule: Option<String>,
    /// Whether text of strangers made it stricter.
    pub is_tainted: bool,
}

impl Policy {
    /// Reads a set of rules: `{"rule": [{"id", "tool", "decision", …}]}`, and runs the tests of each.
    ///
    /// # Errors
    ///
    /// For the first rule that makes no sense or fails one of its tests. Then none is loaded.
    pub fn from_json(value: &Value) -> Result<Self, PolicyError> {
        let whole = |problem: String| PolicyError { rule: String::new(), problem };
        let Value::Object(fields) = value else {
            return Err(whole("a policy is a table with [[rule]] entries".to_owned()));
        };
        if let Some(key) = fields.keys().find(|key| *key != "rule") {
            return Err(whole(format!("there is no key {key:?}; a policy holds [[rule]] entries")));
        }
        let none = Vec::new();
        let rules = match fields.get("rule") {
            None => &none,
            Some(Value::Array(rules)) if rules.len() <= RULES_MAX => rules,
            Some(_) => return Err(whole(format!("`rule` is a list of at most {RULES_MAX} tables"))),
        };
        let mut read: Vec<Rule> = Vec::with_capacity(rules.len());
        for rule in rules {
            let rule = Rule::from_json(rule)?;
            if read.iter().any(|other| other.id == rule.id) {
                let problem = "another rule has the same id".to_owned();
                return Err(PolicyError { rule: rule.id, problem });
            }
            read.push(rule);
        }
        Ok(Self { rules: read })
    }

    /// Returns the rules as they are kept with a session.
    pub fn to_json(&self) -> Value {
        json!({"rule": self.rules.iter().map(Rule::to_json).collect::<Vec<_>>()})
    }

    /// Returns the digest that entries name.
    pub fn digest(&self) -> Hash {
        digest_json("stack/policy/v1", &self.to_json())
    }

    /// Returns the rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Decides about a call. A rule that matches replaces what the rank says; among rules the strictest wins. What
    /// strangers wrote makes every call that writes or executes one step harder.
    pub fn decide(&self, proposal: &Proposal, taint: Taint) -> Verdict {
        let rank = proposal.tool().rank;
        let matching = self.rules.iter().filter(|rule| rule.matches(proposal));
        let strictest = matching.max_by_key(|rule| rule.decision);
        let decision = strictest.map_or(Decision::of_rank(rank), |rule| rule.decision);
        let is_tainted = taint.untrusted && rank > Rank::Restricted;
        let decision = if is_tainted { decision.stricter() } else { decision };
        Verdict { decision, rule: strictest.map(|rule| rule.id.clone()), is_tainted }
    }
}

/// Why a set of rules was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The rule; empty for the set as a whole.
    pub rule: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule.as_str() {
            "" => f.write_str(&self.problem),
            rule => write!(f, "rule {rule:?}: {}", self.problem),
        }
    }
}

impl Error for PolicyError {}

/// Whether a rule may name this tool.
fn require_tool(rule: &str, name: &str) -> Result<(), PolicyError> {
    let problem = if toolbox::is_of_system(name) {
        format!("no rule can decide about {name}: models never do that")
    } else if toolbox::find(name).is_none() {
        format!("there is no tool {name:?}; `stack tools list` shows them")
    } else {
        return Ok(());
    };
    Err(PolicyError { rule: rule.to_owned(), problem })
}

const RULES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use stack_audit::StreamId;

    use super::*;
    use crate::call::CallId;

    fn proposal(tool: &str, arguments: &Value) -> Proposal {
        let call = CallId::derive(StreamId([1; 16]), 4, 0);
        Proposal::read(call, tool, &arguments.to_string(), Mode::Agent).unwrap()
    }

    fn decide(policy: &Value, tool: &str, arguments: &Value, untrusted: bool) -> Decision {
        let policy = Policy::from_json(policy).unwrap();
        policy.decide(&proposal(tool, arguments), Taint { untrusted, private: false }).decision
    }

    #[test]
    fn without_a_rule_the_rank_decides_and_strangers_make_it_stricter() {
        let none = json!({});
        let (read, write) = (json!({"path": "a"}), json!({"path": "a", "content": ""}));
        assert_eq!(decide(&none, "read_file", &read, false), Decision::Allow);
        assert_eq!(decide(&none, "read_file", &read, true), Decision::Allow);
        assert_eq!(decide(&none, "write_file", &write, false), Decision::AskOnce);
        assert_eq!(decide(&none, "write_file", &write, true), Decision::Ask);
        assert_eq!(decide(&none, "delete_file", &read, false), Decision::Ask);
        assert_eq!(decide(&none, "delete_file", &read, true), Decision::Ask);
    }

    #[test]
    fn among_rules_the_strictest_wins() {
        let policy = json!({"rule": [
            {"id": "notes", "tool": "write_file", "decision": "allow", "path_prefix": "notes"},
            {"id": "secret", "tool": "write_file", "decision": "deny", "path_prefix": "notes/secret"},
        ]});
        let write = |path: &str| json!({"path": path, "content": ""});
        assert_eq!(decide(&policy, "write_file", &write("notes/a"), false), Decision::Allow);
        assert_eq!(decide(&policy, "write_file", &write("notes/a"), true), Decision::AskOnce);
        assert_eq!(decide(&policy, "write_file", &write("notes/secret/a"), false), Decision::Deny);
        assert_eq!(decide(&policy, "write_file", &write("notes-b/a"), false), Decision::AskOnce);
    }

    #[test]
    fn one_bad_rule_is_no_policy() {
        for (rule, part) in [
            (json!({"tool": "read_file", "decision": "allow"}), "id"),
            (json!({"id": "a", "tool": "format_disk", "decision": "allow"}), "models never"),
            (json!({"id": "a", "tool": "nothing", "decision": "deny"}), "no tool"),
            (json!({"id": "a", "tool": "read_file", "decision": "maybe"}), "allow, ask_once, ask or deny"),
            (json!({"id": "a", "tool": "read_file", "decision": "deny", "when": 1}), "no key"),
            (json!({"id": "a", "tool": "read_file", "decision": "deny", "path_prefix": "../x"}), "upwards"),
            (json!({"id": "a", "tool": "read_file", "decision": "deny", "match": [1]}), "no path"),
            (
                json!({"id": "a", "tool": "write_file", "decision": "allow", "path_prefix": "out",
                       "match": ["out/a"], "not_match": ["out"]}),
                "not_match",
            ),
            (
                json!({"id": "a", "tool": "write_file", "decision": "allow", "path_prefix": "out",
                       "match": ["out-b/a"]}),
                "match",
            ),
        ] {
            let error = Policy::from_json(&json!({"rule": [rule]})).unwrap_err();
            assert!(error.to_string().contains(part), "{error} lacks {part}");
        }
        for policy in [json!([]), json!({"rules": []}), json!({"rule": {}})] {
            assert!(Policy::from_json(&policy).is_err(), "{policy}");
        }
        let twice = json!({"id": "a", "tool": "read_file", "decision": "deny"});
        assert!(Policy::from_json(&json!({"rule": [twice, twice]})).is_err());
    }

    #[test]
    fn a_set_is_kept_as_it_was_read() {
        let policy = Policy::from_json(&json!({"rule": [
            {"id": "out", "tool": "move_file", "decision": "allow", "path_prefix": "out",
             "match": ["out/a"], "not_match": ["out-b/a", "a/out"]},
        ]}))
        .unwrap();
        let again = Policy::from_json(&policy.to_json()).unwrap();
        assert_eq!((again.digest(), &again), (policy.digest(), &policy));
        assert_ne!(policy.digest(), Policy::default().digest());
        // What loosens has to hold for both paths of a call.
        let inside = proposal("move_file", &json!({"from": "out/a", "to": "out/b"}));
        assert_eq!(policy.decide(&inside, Taint::default()).decision, Decision::Allow);
        let outwards = proposal("move_file", &json!({"from": "out/a", "to": "b"}));
        assert_eq!(policy.decide(&outwards, Taint::default()).decision, Decision::AskOnce);
    }
}
