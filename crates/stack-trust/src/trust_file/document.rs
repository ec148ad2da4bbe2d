//! Changes to `trust.toml` that leave comments and everything else where it was.

use std::{fmt, mem};

use stack_seal::key::PublicKey;
use stack_seal::revocation::Revoked;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::BadTrustFile;
use crate::policy::Enforcement;

/// A `trust.toml` that is being changed.
#[derive(Clone, Debug)]
pub struct Document(DocumentMut);

/// What a rule is to say.
#[derive(Clone, Copy, Debug)]
pub struct RuleRequest<'a> {
    /// For which names.
    pub pattern: &'a str,
    /// Whose signatures are to count from now on.
    pub signer: &'a str,
    /// How strictly, if that is to change.
    pub level: Option<Enforcement>,
    /// How many signers are needed, if that is to change.
    pub threshold: Option<u32>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it is not TOML.
    pub fn parse(text: &str) -> Result<Self, BadTrustFile> {
        text.parse().map(Self).map_err(|error: toml_edit::TomlError| BadTrustFile::new(error.to_string()))
    }

    /// Gives an identity further keys, and makes it where there is none.
    pub fn add_keys(&mut self, name: &str, keys: &[PublicKey]) {
        let identities = self.tables("identity");
        let index = position(identities, "name", name).unwrap_or_else(|| {
            let mut table = Table::new();
            table["name"] = value(name);
            table["keys"] = value(Array::new());
            identities.push(table);
            identities.len() - 1
        });
        let Some(table) = identities.get_mut(index) else { return };
        for key in keys {
            add_to(table, "keys", &key.to_string());
        }
    }

    /// Lets a signer count for a pattern; the rule for this very pattern is changed, or a new one added.
    pub fn add_rule(&mut self, change: &RuleRequest<'_>) {
        let rules = self.tables("rule");
        let index = position(rules, "match", change.pattern).unwrap_or_else(|| {
            let mut table = Table::new();
            table["match"] = value(change.pattern);
            table["level"] = value(change.level.unwrap_or(Enforcement::Strict).name());
            rules.push(table);
            rules.len() - 1
        });
        let Some(table) = rules.get_mut(index) else { return };
        add_to(table, "signers", change.signer);
        if let Some(level) = change.level {
            table["level"] = value(level.name());
        }
        if let Some(threshold) = change.threshold {
            table["threshold"] = value(i64::from(threshold));
        }
    }

    /// Takes an identity away, also from all rules.
    pub fn remove_identity(&mut self, name: &str) {
        let identities = self.tables("identity");
        if let Some(index) = position(identities, "name", name) {
            identities.remove(index);
        }
        for rule in self.tables("rule").iter_mut() {
            remove_from(rule, "signers", name);
        }
    }

    /// Takes a key away from whoever has it.
    pub fn remove_key(&mut self, key: &PublicKey) {
        for identity in self.tables("identity").iter_mut() {
            remove_from(identity, "keys", &key.to_string());
        }
    }

    /// Declares that a key or a model no longer counts.
    pub fn revoke(&mut self, what: &Revoked, reason: Option<&str>) {
        let (field, text) = match what {
            Revoked::Key(key) => ("key", key.to_string()),
            Revoked::Root(root) => ("root", root.to_string()),
        };
        let revoked = self.tables("revoked");
        if position(revoked, field, &text).is_some() {
            return;
        }
        let mut table = Table::new();
        table[field] = value(text);
        if let Some(reason) = reason {
            table["reason"] = value(reason);
        }
        revoked.push(table);
    }

    /// The tables of one kind. Those that the file has on one line, `revoked = [{ … }]`, get lines of their own: nothing
    /// that was said is lost by an edit. What is something else altogether makes the file senseless, and is replaced.
    fn tables(&mut self, kind: &str) -> &mut ArrayOfTables {
        let item = self.0.entry(kind).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        if !item.is_array_of_tables() {
            let tables = mem::take(item).into_array_of_tables();
            *item = Item::ArrayOfTables(tables.unwrap_or_default());
        }
        item.as_array_of_tables_mut().expect("anything else was just replaced")
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn position(tables: &ArrayOfTables, key: &str, text: &str) -> Option<usize> {
    tables.iter().position(|table| table.get(key).and_then(Item::as_str) == Some(text))
}

/// Adds a text to a list, once.
fn add_to(table: &mut Table, list: &str, text: &str) {
    let item = table.entry(list).or_insert_with(|| value(Array::new()));
    if let Some(array) = item.as_array_mut()
        && !array.iter().any(|one| one.as_str() == Some(text))
    {
        array.push(text);
    }
}

fn remove_from(table: &mut Table, list: &str, text: &str) {
    if let Some(array) = table.get_mut(list).and_then(Item::as_array_mut) {
        array.retain(|one| one.as_str() != Some(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::key;
    use crate::trust_file::parse_policy;

    #[test]
    fn comments_and_order_stay() {
        let text = "# Ours.\nlevel = \"audit\" # for now\n\n# The ward.\n[[rule]]\nmatch = \"med/**\"\nlevel = \"strict\"\n";
        let mut document = Document::parse(text).unwrap();
        document.add_keys("alice", &[key(1)]);
        document.add_rule(&RuleRequest {
            pattern: "med/**",
            signer: "alice",
            level: None,
            threshold: Some(2),
        });
        let changed = document.to_string();
        assert!(changed.starts_with(text), "{changed}");
        assert!(changed.contains("signers = [\"alice\"]") && changed.contains("threshold = 2"), "{changed}");
        let policy = parse_policy(&changed).unwrap();
        assert_eq!((policy.rules[0].signers.len(), policy.identities[0].keys.len()), (1, 1));
    }

    #[test]
    fn tables_on_one_line_are_not_lost() {
        let text = format!(
            "identity = [{{ name = \"alice\", keys = [\"{}\"] }}]\nrule = [{{ match = \"**\", signers = [\"alice\"] }}]\n\
             revoked = [{{ key = \"{}\" }}]\n",
            key(1),
            key(2)
        );
        let before = parse_policy(&text).unwrap();
        let mut document = Document::parse(&text).unwrap();
        document.add_keys("bob", &[key(3)]);
        document.add_rule(&RuleRequest { pattern: "med/**", signer: "bob", level: None, threshold: None });
        document.revoke(&Revoked::Key(key(4)), None);
        let after = parse_policy(&document.to_string()).unwrap();
        assert_eq!(after.identities[..1], before.identities);
        assert_eq!((after.rules[..1].to_vec(), after.rules.len()), (before.rules, 2));
        assert_eq!((after.revoked[..1].to_vec(), after.revoked.len()), (before.revoked, 2));
    }

    #[test]
    fn what_is_added_can_be_removed() {
        let mut document = Document::parse("").unwrap();
        document.add_keys("alice", &[key(1), key(2), key(1)]);
        document.add_rule(&RuleRequest {
            pattern: "**",
            signer: "alice",
            level: Some(Enforcement::Audit),
            threshold: None,
        });
        document.revoke(&Revoked::Key(key(1)), Some("lost"));
        document.revoke(&Revoked::Key(key(1)), Some("again"));
        document.remove_key(&key(1));
        let policy = parse_policy(&document.to_string()).unwrap();
        assert_eq!(policy.identities[0].keys, [key(2)]);
        assert_eq!((policy.revoked.len(), policy.rules[0].level), (1, Enforcement::Audit));
        document.remove_identity("alice");
        let policy = parse_policy(&document.to_string()).unwrap();
        assert!(policy.identities.is_empty() && policy.rules[0].signers.is_empty());
    }
}
