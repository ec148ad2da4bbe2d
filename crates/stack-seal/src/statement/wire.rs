//! Statements as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{
    BYTES_MAX, Claim, Parent, Relation, SealedFile, Shape, SignedFile, Statement, StatementError,
    StatementErrorKind, Tier, check,
};
use crate::digest::{Algorithm, Digest, LeafList, Root, SpanTree};
use crate::{hex, json};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStatement {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: [WireSubject; 1],
    predicate: WirePredicate,
}

/// What is read first: it says how the rest is to be read.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Serialize, Deserialize)]
struct WireSubject {
    name: String,
    digest: WireDigest,
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
}

#[derive(Serialize, Deserialize)]
struct WireDigest {
    sha256: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Annotations {
    #[serde(rename = "urn:sovereign-stack:claim:v1", skip_serializing_if = "Option::is_none")]
    claim: Option<WireClaim>,
}

impl Annotations {
    fn is_empty(&self) -> bool {
        self.claim.is_none()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePredicate {
    serialization: WireSerialization,
    resources: Vec<WireResource>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSerialization {
    method: String,
    hash_type: String,
    allow_symlinks: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct WireResource {
    name: String,
    digest: String,
    algorithm: String,
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    annotations: Facts,
}

#[derive(Default, Serialize, Deserialize)]
struct Facts {
    /// The name of a file that OMS calls `.`.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Base64 of 32 bytes for each span.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves: Option<String>,
}

impl Facts {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.blake3.is_none() && self.size.is_none() && self.leaves.is_none()
    }

    /// Reads the leaves, whose number the size must justify.
    fn leaves(&self) -> Result<Option<LeafList>, StatementError> {
        let Some(base64) = &self.leaves else { return Ok(None) };
        let wrong =
            || StatementError::malformed("the leaves of a file are not 32 bytes for each of its spans");
        let tree = SpanTree::new(self.size.ok_or_else(wrong)?).map_err(|_| wrong())?;
        let bytes = STANDARD.decode(base64).map_err(|_| wrong())?;
        LeafList::parse(&bytes, tree).map(Some).map_err(|_| wrong())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireClaim {
    name: String,
    serial: u64,
    issued: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    signers: Vec<String>,
    quorum: u32,
    tier: String,
    format: String,
    template: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parents: Vec<WireParent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sealed: Vec<WireSealed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireParent {
    relation: String,
    name: String,
    root: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSealed {
    name: String,
    payload: [String; 2],
    size: u64,
    recipients: Vec<String>,
}

/// Reads a payload.
pub(super) fn parse(payload: &[u8]) -> Result<Statement, StatementError> {
    if payload.len() > BYTES_MAX {
        return Err(StatementError::malformed("it is longer than 16 MiB"));
    }
    json::check(payload)?;
    let kind: Kind = typed(payload)?;
    if kind.kind != TYPE || kind.predicate_type != PREDICATE {
        let what = format!("it is a {:?}, not a signed model", kind.predicate_type);
        return Err(StatementError::new(StatementErrorKind::Predicate, what));
    }
    let WireStatement { subject: [subject], mut predicate, .. } = typed(payload)?;
    supported(&predicate)?;
    let shape = take_names(&mut predicate.resources)?;
    let statement = Statement {
        model: subject.name,
        files: predicate.resources.into_iter().map(SignedFile::try_from).collect::<Result<_, _>>()?,
        ignored: predicate.serialization.ignore_paths,
        claim: subject.annotations.claim.map(Claim::try_from).transpose()?,
        shape,
    };
    check::statement(&statement)?;
    if statement.root().hex() != subject.digest.sha256 {
        return Err(StatementError::malformed("its files do not have the root that it names"));
    }
    Ok(statement)
}

/// Writes the payload.
pub(super) fn write(statement: &Statement) -> Vec<u8> {
    let wire = WireStatement {
        kind: TYPE.to_owned(),
        predicate_type: PREDICATE.to_owned(),
        subject: [WireSubject {
            name: statement.model.clone(),
            digest: WireDigest { sha256: statement.root().hex() },
            annotations: Annotations { claim: statement.claim.as_ref().map(WireClaim::from) },
        }],
        predicate: WirePredicate {
            serialization: WireSerialization {
                method: METHOD.to_owned(),
                hash_type: HASH.to_owned(),
                allow_symlinks: false,
                shard_size: None,
                ignore_paths: statement.ignored.clone(),
            },
            resources: statement.files.iter().map(|file| WireResource::of(file, statement.shape)).collect(),
        },
    };
    serde_json::to_vec(&wire).expect("structs of strings and integers have a JSON form")
}

fn typed<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, StatementError> {
    serde_json::from_slice(payload).map_err(|error| StatementError::malformed(error.to_string()))
}

/// Gives a file by itself the name that it was signed under, and tells whether there is such a one.
fn take_names(resources: &mut [WireResource]) -> Result<Shape, StatementError> {
    let is_alone = resources.len() == 1;
    let mut named = resources.iter_mut().filter_map(|one| Some((one.annotations.name.take()?, one)));
    let Some((name, file)) = named.next() else { return Ok(Shape::Folder) };
    if !is_alone || file.name != NAMELESS || name == NAMELESS {
        return Err(StatementError::malformed(format!("{:?} has a second name", file.name)));
    }
    file.name = name;
    Ok(Shape::File)
}

/// Refuses, by name, what OMS allows and we do not read.
fn supported(predicate: &WirePredicate) -> Result<(), StatementError> {
    let refuse = |what: String| Err(StatementError::new(StatementErrorKind::Unsupported, what));
    let serialization = &predicate.serialization;
    if serialization.method != METHOD || serialization.shard_size.is_some() {
        return refuse(format!("the serialization {:?} is not supported", serialization.method));
    }
    if serialization.hash_type != HASH {
        return refuse(format!("the hash {:?} is not supported", serialization.hash_type));
    }
    if serialization.allow_symlinks {
        return refuse("symbolic links are not supported".to_owned());
    }
    match predicate.resources.iter().find(|resource| resource.algorithm != HASH) {
        Some(resource) => refuse(format!("the hash {:?} is not supported", resource.algorithm)),
        None => Ok(()),
    }
}

impl TryFrom<WireResource> for SignedFile {
    type Error = StatementError;

    fn try_from(wire: WireResource) -> Result<Self, StatementError> {
        Ok(Self {
            sha256: bytes(&wire.digest)?,
            leaves: wire.annotations.leaves()?,
            blake3: wire.annotations.blake3.as_deref().map(bytes).transpose()?.map(Root),
            size: wire.annotations.size,
            name: wire.name,
        })
    }
}

impl WireResource {
    fn of(file: &SignedFile, shape: Shape) -> Self {
        let (name, beside) = match shape {
            Shape::Folder => (file.name.clone(), None),
            Shape::File => (NAMELESS.to_owned(), Some(file.name.clone())),
        };
        Self {
            name,
            digest: hex::encode(&file.sha256),
            algorithm: HASH.to_owned(),
            annotations: Facts {
                name: beside,
                blake3: file.blake3.map(|root| hex::encode(&root.0)),
                size: file.size,
                leaves: file.leaves.as_ref().map(|leaves| STANDARD.encode(leaves.to_bytes())),
            },
        }
    }
}

impl TryFrom<WireClaim> for Claim {
    type Error = StatementError;

    fn try_from(wire: WireClaim) -> Result<Self, StatementError> {
        let template = match wire.template.as_str() {
            NO_TEMPLATE => None,
            digest => Some(root(digest)?),
        };
        Ok(Self {
            name: wire.name,
            serial: wire.serial,
            issued: field("issued", &wire.issued)?,
            expires: wire.expires.as_deref().map(|time| field("expires", time)).transpose()?,
            signers: wire.signers.iter().map(|key| field("signers", key)).collect::<Result<_, _>>()?,
            quorum: wire.quorum,
            tier: Tier::from_name(&wire.tier).ok_or_else(|| StatementError::malformed("unknown tier"))?,
            format: wire.format,
            template,
            origin: wire.origin,
            license: wire.license,
            recipe: wire.recipe,
            parents: wire.parents.into_iter().map(Parent::try_from).collect::<Result<_, _>>()?,
            sealed: wire.sealed.into_iter().map(SealedFile::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Claim> for WireClaim {
    fn from(claim: &Claim) -> Self {
        Self {
            name: claim.name.clone(),
            serial: claim.serial,
            issued: claim.issued.to_string(),
            expires: claim.expires.map(|time| time.to_string()),
            signers: claim.signers.iter().map(ToString::to_string).collect(),
            quorum: claim.quorum,
            tier: claim.tier.name().to_owned(),
            format: claim.format.clone(),
            template: claim.template.map_or(NO_TEMPLATE.to_owned(), |root| root.to_string()),
            origin: claim.origin.clone(),
            license: claim.license.clone(),
            recipe: claim.recipe.clone(),
            parents: claim.parents.iter().map(WireParent::from).collect(),
            sealed: claim.sealed.iter().map(WireSealed::from).collect(),
        }
    }
}

impl TryFrom<WireParent> for Parent {
    type Error = StatementError;

    fn try_from(wire: WireParent) -> Result<Self, StatementError> {
        let relation = Relation::from_name(&wire.relation)
            .ok_or_else(|| StatementError::malformed("unknown relation"))?;
        Ok(Self { relation, name: wire.name, root: field("root", &wire.root)? })
    }
}

impl From<&Parent> for WireParent {
    fn from(parent: &Parent) -> Self {
        Self {
            relation: parent.relation.name().to_owned(),
            name: parent.name.clone(),
            root: parent.root.to_string(),
        }
    }
}

impl TryFrom<WireSealed> for SealedFile {
    type Error = StatementError;

    fn try_from(wire: WireSealed) -> Result<Self, StatementError> {
        let sha256: Digest = field("payload", &wire.payload[0])?;
        if sha256.algorithm != Algorithm::Sha256 {
            return Err(StatementError::malformed("the first digest of a sealed payload is not SHA-256"));
        }
        Ok(Self {
            name: wire.name,
            sha256: sha256.bytes,
            blake3: root(&wire.payload[1])?,
            size: wire.size,
            recipients: wire.recipients,
        })
    }
}

impl From<&SealedFile> for WireSealed {
    fn from(file: &SealedFile) -> Self {
        let sha256 = Digest { algorithm: Algorithm::Sha256, bytes: file.sha256 };
        Self {
            name: file.name.clone(),
            payload: [sha256.to_string(), file.blake3.to_string()],
            size: file.size,
            recipients: file.recipients.clone(),
        }
    }
}

/// Reads a field that has a spelling of its own.
fn field<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, StatementError> {
    text.parse().map_err(|error| StatementError::malformed(format!("{name}: {error}")))
}

fn root(text: &str) -> Result<Root, StatementError> {
    let digest: Digest = field("digest", text)?;
    Root::try_from(digest).map_err(|error| StatementError::malformed(error.to_string()))
}

fn bytes(digits: &str) -> Result<[u8; 32], StatementError> {
    hex::decode(digits).ok_or_else(|| StatementError::malformed("a digest is not 64 lower-case hex digits"))
}

const TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://model_signing/signature/v1.0";
const METHOD: &str = "files";
const HASH: &str = "sha256";
const NO_TEMPLATE: &str = "none";
/// What OMS calls a file by itself.
const NAMELESS: &str = ".";
