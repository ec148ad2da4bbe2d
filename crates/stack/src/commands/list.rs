//! `stack list`: the models of the store.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use stack_registry::attached;
use stack_registry::manifest::{Descriptor, FileFormat, Manifest, Role};
use stack_registry::store::{Entry, Store};
use stack_seal::statement::Tier;

use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::output::{Data, sanitize, stderr};
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// List only names that contain this text; `*` matches anything
    pattern: Option<String>,
    /// Also print origins, digests and signatures
    #[arg(long)]
    all: bool,
    /// Print the digests of all blobs, for `stack export --for`
    #[arg(long, conflicts_with_all = ["all", "pattern"])]
    inventory: bool,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Serialize)]
struct Report {
    models: Vec<Model>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrers: Option<Vec<Referrer>>,
}

#[derive(Serialize)]
struct Model {
    name: String,
    /// The digest of the manifest.
    digest: String,
    size_bytes: u64,
    format: Option<&'static str>,
    /// The keys that signed these very files.
    signers: Vec<String>,
    /// The keys that signatures name which do not hold, or are about other files.
    claimed_signers: Vec<String>,
    /// The strictest tier that those say who signed these files.
    tier: Option<&'static str>,
    sealed: bool,
    /// Whether a file lies outside the store.
    adopted: bool,
    origin: Option<String>,
    commit: Option<String>,
    /// Seconds since 1970.
    last_used: Option<u64>,
    /// What is wrong with it.
    problem: Option<String>,
}

#[derive(Serialize)]
struct Referrer {
    digest: String,
    subject: String,
    artifact_type: Option<String>,
}

/// Prints the models.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut data = Data::new();
    let store = arguments.common.existing_store()?;
    if arguments.inventory {
        let digests = store.as_ref().map(inventory).transpose()?.unwrap_or_default();
        if arguments.common.json {
            return data.json(&digests);
        }
        return digests.iter().try_for_each(|digest| data.line(digest));
    }
    let mut report = Report { models: Vec::new(), referrers: arguments.all.then(Vec::new) };
    if let Some(store) = &store {
        let index = store.index()?;
        let referrers = index.all_referrers();
        for entry in Store::entries_in(&index) {
            if arguments.pattern.as_deref().is_none_or(|pattern| matches(pattern, &entry.name.to_string())) {
                let digest = entry.manifest.digest.to_string();
                let referrers = referrers.get(digest.as_str()).map_or(&[][..], Vec::as_slice);
                report.models.push(Model::of(store, referrers, &entry));
            }
        }
        if let Some(referrers) = &mut report.referrers {
            for entry in &index.manifests {
                if let Some(subject) = entry.annotations.get(stack_registry::manifest::key::SUBJECT) {
                    referrers.push(Referrer {
                        digest: entry.digest.to_string(),
                        subject: subject.to_owned(),
                        artifact_type: entry.artifact_type.clone(),
                    });
                }
            }
        }
    }
    if arguments.common.json {
        return data.json(&report);
    }
    if report.models.is_empty() && !arguments.common.quiet {
        stderr(arguments.nothing());
    }
    print(&report, arguments.all, &mut data)
}

impl Arguments {
    /// What is said where no model is listed.
    fn nothing(&self) -> String {
        match &self.pattern {
            Some(pattern) => format!("no model has {} in its name; `stack list` lists all", sanitize(pattern)),
            None => "no models yet: `stack pull hf://OWNER/REPO` fetches one, `stack adopt` uses those that are on \
                     this machine already; without a model, `stack run` answers with the built-in one"
                .to_owned(),
        }
    }
}

fn print(report: &Report, all: bool, data: &mut Data) -> Result<(), CommandError> {
    let now = machine::now().seconds();
    let width = report.models.iter().map(|model| model.name.len()).max().unwrap_or(0).max(4);
    if !report.models.is_empty() {
        data.line(&format!(
            "{:width$}  {:>9}  {:8} {:10} {:6} {:24} LAST USED",
            "NAME", "SIZE", "FORMAT", "TIER", "SEALED", "SIGNER"
        ))?;
    }
    for model in &report.models {
        let sealed = if model.sealed { "yes" } else { "no" };
        let line = format!(
            "{:width$}  {:>9}  {:8} {:10} {:6} {:24} {}",
            model.name,
            units::bytes(model.size_bytes),
            model.format.unwrap_or("other"),
            model.tier.unwrap_or("none"),
            sealed,
            shortened(&model.signers()),
            model.last_used.map_or("never".to_owned(), |used| ago(now.saturating_sub(used))),
        );
        data.line(&sanitize(&line))?;
        if let Some(problem) = &model.problem {
            data.line(&sanitize(&format!("  {problem}")))?;
        }
        if all {
            let origin = model.origin.as_deref().unwrap_or("unknown source");
            data.line(&sanitize(&format!("  {} from {origin}", model.digest)))?;
        }
    }
    for referrer in report.referrers.iter().flatten() {
        let what = referrer.artifact_type.as_deref().unwrap_or("something");
        data.line(&sanitize(&format!("{what} {} refers to {}", referrer.digest, referrer.subject)))?;
    }
    Ok(())
}

impl Model {
    fn of(store: &Store, referrers: &[&Descriptor], entry: &Entry) -> Self {
        let mut model = Self {
            name: entry.name.short(),
            digest: entry.manifest.digest.to_string(),
            size_bytes: 0,
            format: None,
            signers: Vec::new(),
            claimed_signers: Vec::new(),
            tier: None,
            sealed: false,
            adopted: false,
            origin: entry.record.origin.clone(),
            commit: entry.record.commit.clone(),
            last_used: last_used(store, entry),
            problem: None,
        };
        match store.manifest(&entry.manifest.digest) {
            Ok(manifest) => model.look_into(store, referrers, entry, &manifest),
            Err(error) => model.problem = Some(error.to_string()),
        }
        model
    }

    fn look_into(&mut self, store: &Store, referrers: &[&Descriptor], entry: &Entry, manifest: &Manifest) {
        self.size_bytes = manifest.total_bytes();
        let paths: Vec<_> = manifest.layers.iter().filter_map(Descriptor::file_path).collect();
        self.format = FileFormat::of_files(&paths).map(FileFormat::name);
        self.sealed = manifest.layers.iter().any(|layer| layer.role() == Role::SealedPayload);
        for layer in &manifest.layers {
            match store.blob(&layer.digest) {
                Ok(blob) => self.adopted |= !blob.own,
                Err(error) => self.problem = Some(error.to_string()),
            }
        }
        let recorded = entry.record.signer.iter().flat_map(|signers| signers.split(' ')).map(str::to_owned);
        let (mut signers, mut claimed) = (recorded.collect::<BTreeSet<_>>(), BTreeSet::new());
        let mut tiers = BTreeSet::new();
        let bundles = attached::whole_bundles(store, referrers.iter().copied(), &entry.manifest.digest);
        for bundle in bundles.unwrap_or_default() {
            let claim = attached::unchecked_claim(&bundle);
            if let Some(key) = attached::signing_key(&bundle, manifest) {
                signers.insert(key.to_string());
                tiers.extend(claim.map(|claim| claim.tier));
            } else {
                claimed.extend(claim.iter().flat_map(|claim| &claim.signers).map(ToString::to_string));
            }
        }
        self.tier = tiers.first().copied().map(Tier::name);
        self.claimed_signers = claimed.difference(&signers).cloned().collect();
        self.signers = signers.into_iter().collect();
    }

    /// Names the signers for people: those who are not known to have signed these files with a question mark.
    fn signers(&self) -> String {
        let claimed = self.claimed_signers.iter().map(|key| format!("{key}?"));
        let all: Vec<String> = self.signers.iter().cloned().chain(claimed).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    }
}

/// A model was last used when its manifest was last touched.
fn last_used(store: &Store, entry: &Entry) -> Option<u64> {
    let modified = store.blob(&entry.manifest.digest).ok()?.file.metadata().ok()?.modified().ok()?;
    modified.duration_since(UNIX_EPOCH).ok().as_ref().map(Duration::as_secs)
}

/// Lists every blob that is really here. What was adopted may vanish, and is not promised to anybody.
fn inventory(store: &Store) -> Result<Vec<String>, CommandError> {
    let mut digests = BTreeSet::new();
    for entry in &store.index()?.manifests {
        digests.insert(entry.digest);
        digests.extend(store.manifest(&entry.digest)?.needs().map(|needed| needed.digest));
    }
    let mut inventory = Vec::new();
    for digest in digests {
        if store.has(&digest)? && store.blob(&digest)?.own {
            inventory.push(digest.to_string());
        }
    }
    Ok(inventory)
}

/// Whether a name has the pattern in it, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = name;
    for piece in pattern.split('*') {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// Cuts a key, which is long, so that its beginning still tells it from others.
fn shortened(text: &str) -> String {
    if text.chars().count() <= SIGNER_CHARS {
        return text.to_owned();
    }
    // Whether the first one is a question must not be cut off.
    let ending =
        if text.split(", ").next().is_some_and(|first| first.ends_with('?')) { "…?" } else { "…" };
    let start: String = text.chars().take(SIGNER_CHARS - ending.chars().count()).collect();
    start + ending
}

/// Says how long ago something was.
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

const SIGNER_CHARS: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_found_anywhere() {
        assert!(matches("qwen", "a/qwen3:latest") && matches("a/*:latest", "a/qwen3:latest"));
        assert!(!matches("3*qwen", "a/qwen3:latest"));
    }

    #[test]
    fn a_question_is_not_cut_off() {
        let key = format!("ed25519:{}", "a".repeat(64));
        assert_eq!(shortened(&key), "ed25519:aaaaaaaaaaaaaaa…");
        assert_eq!(shortened(&format!("{key}?")), "ed25519:aaaaaaaaaaaaaa…?");
        assert_eq!(shortened("alice?"), "alice?");
    }

    #[test]
    fn times_are_told_in_the_unit_that_suits() {
        assert_eq!([5, 90, 7200, 200_000].map(ago), ["now", "1 min ago", "2 h ago", "2 d ago"]);
    }
}
