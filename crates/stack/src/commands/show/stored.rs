//! What the store knows of a model.

use serde::Serialize;
use stack_registry::attached::{unchecked_claim, whole_bundles};
use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::store::Store;
use stack_seal::statement::Claim;

use crate::error::CommandError;
use crate::terminal::output::{Data, sanitize};
use crate::terminal::units;

/// A model of the store: where it came from, its files, and what is claimed about it.
#[derive(Debug, Serialize)]
pub(super) struct Stored {
    pub(super) name: String,
    /// The digest of the manifest.
    digest: String,
    origin: Option<String>,
    commit: Option<String>,
    /// Who was accepted as the signer when the name was given.
    signer: Option<String>,
    files: Vec<File>,
    claims: Vec<Claimed>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    size_bytes: u64,
    sha256: String,
    blake3: Option<String>,
    sealed: bool,
    /// Where it lies.
    at: String,
    adopted: bool,
}

/// What an attached signature claims. `stack verify` says whether it is true.
#[derive(Debug, Serialize)]
struct Claimed {
    name: String,
    signers: Vec<String>,
    quorum: u32,
    issued: String,
    expires: Option<String>,
    serial: u64,
    tier: &'static str,
    license: Option<String>,
    template: Option<String>,
    recipe: Option<String>,
    parents: Vec<Parent>,
}

#[derive(Debug, Serialize)]
struct Parent {
    relation: &'static str,
    name: String,
    root: String,
}

impl Stored {
    pub(super) fn of(store: &Store, model: &StoredModel) -> Result<Self, CommandError> {
        let manifest = model.entry.manifest.digest;
        let record = &model.entry.record;
        let bundles = whole_bundles(store, store.index()?.referrers(&manifest), &manifest)?;
        let claims: Vec<Claim> = bundles.iter().filter_map(|bundle| unchecked_claim(bundle)).collect();
        Ok(Self {
            name: model.entry.name.short(),
            digest: manifest.to_string(),
            origin: record.origin.clone(),
            commit: record.commit.clone(),
            signer: record.signer.clone(),
            files: model.files.iter().map(File::of).collect(),
            claims: claims.iter().map(Claimed::of).collect(),
        })
    }

    /// Prints a row for each fact.
    pub(super) fn print(&self, data: &mut Data) -> Result<(), CommandError> {
        let mut row = |label: &str, value: &str| data.line(&sanitize(&format!("{label:<13} {value}")));
        row("stored as", &self.name)?;
        row("manifest", &self.digest)?;
        row("origin", self.origin.as_deref().unwrap_or("not recorded"))?;
        if let Some(commit) = &self.commit {
            row("commit", commit)?;
        }
        for file in &self.files {
            let place = if file.adopted { format!(", adopted from {}", file.at) } else { String::new() };
            let sealed = if file.sealed { ", sealed" } else { "" };
            row("file", &format!("{}, {}{sealed}{place}", file.path, units::bytes(file.size_bytes)))?;
            row("", &file.sha256)?;
            if let Some(blake3) = &file.blake3 {
                row("", blake3)?;
            }
        }
        if self.claims.is_empty() {
            row("signed", "no")?;
        }
        for claim in &self.claims {
            let until = claim.expires.as_ref().map(|expires| format!(" until {expires}")).unwrap_or_default();
            row("claimed by", &format!("{} on {}{until}", claim.signers.join(", "), claim.issued))?;
            row("", &format!("as {}, tier {}, serial {}", claim.name, claim.tier, claim.serial))?;
            if let Some(license) = &claim.license {
                row("", &format!("license {license}"))?;
            }
        }
        self.print_lineage(data)
    }

    /// Prints what the model was made from, as far as somebody says so.
    pub(super) fn print_lineage(&self, data: &mut Data) -> Result<(), CommandError> {
        for parent in self.claims.iter().flat_map(|claim| &claim.parents) {
            let line = format!("{:<13} {} {}", parent.relation, parent.name, parent.root);
            data.line(&sanitize(&line))?;
        }
        Ok(())
    }

    /// What the model was made from, for programs.
    pub(super) fn lineage(&self) -> impl Serialize + '_ {
        self.claims.iter().flat_map(|claim| &claim.parents).collect::<Vec<_>>()
    }
}

impl File {
    fn of(file: &ModelFile) -> Self {
        let (blob, sealed) = match &file.bytes {
            FileBytes::Plain(blob) => (blob, false),
            FileBytes::Sealed { payload, .. } => (payload, true),
        };
        Self {
            path: file.path.to_string(),
            size_bytes: blob.length,
            sha256: blob.digest.to_string(),
            blake3: file.blake3.map(|root| root.to_string()),
            sealed,
            at: blob.path.display().to_string(),
            adopted: !blob.own,
        }
    }
}

impl Claimed {
    fn of(claim: &Claim) -> Self {
        let parent = |parent: &stack_seal::statement::Parent| Parent {
            relation: parent.relation.name(),
            name: parent.name.clone(),
            root: parent.root.to_string(),
        };
        Self {
            name: claim.name.clone(),
            signers: claim.signers.iter().map(ToString::to_string).collect(),
            quorum: claim.quorum,
            issued: claim.issued.to_string(),
            expires: claim.expires.map(|expires| expires.to_string()),
            serial: claim.serial,
            tier: claim.tier.name(),
            license: claim.license.clone(),
            template: claim.template.map(|template| template.to_string()),
            recipe: claim.recipe.clone(),
            parents: claim.parents.iter().map(parent).collect(),
        }
    }
}
