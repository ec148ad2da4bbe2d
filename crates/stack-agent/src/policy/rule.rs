//! One rule: which calls it is about, what it decides, and the samples that prove it.

use serde_json::{Map, Value};

use super::{Decision, PolicyError, require_tool};
use crate::call::Proposal;
use crate::path::RelativePath;
use crate::schema::Shape;
use crate::toolbox;

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, which the log gives.
    pub id: String,
    /// The tool that it is about.
    pub tool: String,
    /// What it decides.
    pub decision: Decision,
    /// Only paths that are this one or lie below it.
    path_prefix: Option<RelativePath>,
    matches: Vec<Value>,
    not_matches: Vec<Value>,
}

impl Rule {
    /// Reads a rule and runs its tests.
    pub(super) fn from_json(value: &Value) -> Result<Self, PolicyError> {
        let no_id =
            || PolicyError { rule: String::new(), problem: "a rule is a table with an `id`".to_owned() };
        let fields = value.as_object().ok_or_else(no_id)?;
        let id = fields.get("id").and_then(Value::as_str).filter(|id| (1..=64).contains(&id.len()));
        let id = id.ok_or_else(no_id)?.to_owned();
        let bad = |problem: String| PolicyError { rule: id.clone(), problem };
        if let Some(key) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(bad(format!("there is no key {key:?}; there are {}", KEYS.join(", "))));
        }
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        let tool = text("tool").ok_or_else(|| bad("it needs a `tool`".to_owned()))?;
        require_tool(&id, tool)?;
        let decision = text("decision").and_then(Decision::from_name);
        let decision = decision
            .ok_or_else(|| bad("its `decision` is one of allow, ask_once, ask or deny".to_owned()))?;
        let path_prefix = match fields.get("path_prefix") {
            None => None,
            Some(path) => {
                let path = path.as_str().ok_or_else(|| bad("`path_prefix` is a text".to_owned()))?;
                Some(RelativePath::parse(path).map_err(|error| bad(error.to_string()))?)
            }
        };
        let takes_paths = toolbox::find(tool)
            .is_some_and(|tool| tool.arguments.iter().any(|field| matches!(field.shape, Shape::Path)));
        if path_prefix.is_some() && !takes_paths {
            return Err(bad(format!("`path_prefix` is for tools that take paths, and {tool} does not")));
        }
        let samples = |key: &str| match fields.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(samples)) if samples.len() <= SAMPLES_MAX => Ok(samples.clone()),
            Some(_) => Err(bad(format!("`{key}` is a list of at most {SAMPLES_MAX} samples"))),
        };
        let (matches, not_matches) = (samples("match")?, samples("not_match")?);
        let rule =
            Self { id: id.clone(), tool: tool.to_owned(), decision, path_prefix, matches, not_matches };
        for (key, samples, expected) in
            [("match", &rule.matches, true), ("not_match", &rule.not_matches, false)]
        {
            for sample in samples {
                if rule.covers(sample).map_err(&bad)? != expected {
                    return Err(bad(format!("its `{key}` {sample} says otherwise than the rule itself")));
                }
            }
        }
        Ok(rule)
    }

    pub(super) fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), self.id.clone().into());
        fields.insert("tool".to_owned(), self.tool.clone().into());
        fields.insert("decision".to_owned(), self.decision.name().into());
        if let Some(path) = &self.path_prefix {
            fields.insert("path_prefix".to_owned(), path.to_string().into());
        }
        for (key, samples) in [("match", &self.matches), ("not_match", &self.not_matches)] {
            if !samples.is_empty() {
                fields.insert(key.to_owned(), Value::Array(samples.clone()));
            }
        }
        Value::Object(fields)
    }

    /// Says which calls it is about, for people.
    pub fn condition(&self) -> String {
        self.path_prefix.as_ref().map_or_else(|| "always".to_owned(), |path| format!("below {path}"))
    }

    /// Returns whether a call is one that it is about.
    pub(super) fn matches(&self, proposal: &Proposal) -> bool {
        proposal.tool().name == self.tool && self.fits(proposal.paths())
    }

    /// What loosens must hold for all paths of a call; what tightens, for one of them.
    fn fits(&self, paths: &[RelativePath]) -> bool {
        let Some(prefix) = &self.path_prefix else { return true };
        let mut paths = paths.iter();
        let beneath = |path: &RelativePath| path.is_beneath(prefix);
        if self.decision == Decision::Allow {
            paths.len() > 0 && paths.all(beneath)
        } else {
            paths.any(beneath)
        }
    }

    /// Whether it is about a sample, which is a path.
    fn covers(&self, sample: &Value) -> Result<bool, String> {
        let path = sample.as_str().ok_or_else(|| format!("the sample {sample} is no path"))?;
        let path = RelativePath::parse(path).map_err(|error| error.to_string())?;
        Ok(self.fits(&[path]))
    }
}

const KEYS: [&str; 6] = ["id", "tool", "decision", "path_prefix", "match", "not_match"];
const SAMPLES_MAX: usize = 64;
