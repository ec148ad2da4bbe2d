//! `stack pull`: brings models in.

mod audited;
mod report;

use clap::{Args, value_parser};
use stack_registry::fetch::{Authorization, Cancel, Fetch, RetryFetch};
use stack_registry::hub::{ContentDigest, FileSelector, Glob, Hub, RepositoryFile, choose};
use stack_registry::manifest::{Descriptor, Manifest};
use stack_registry::name::{HubSelector, Name, Reference};
use stack_registry::oci::{Remote, Scope};
use stack_registry::pull::{
    Pulled, Puller, TransferError, TransferErrorKind, Upstream, from_address, from_hub, from_registry,
};
use stack_registry::scheduler::Limits;
use stack_registry::store::{Entry, Rebind, Store, StoreError};
use stack_registry::throttle::SharedThrottle;
use stack_registry::url::Url;
use stack_seal::digest::Digest;
use stack_trust::home::Home;

use self::audited::about;
use self::report::{print, print_offer, report};
use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind, did_you_mean};
use crate::models::weights_check;
use crate::options::transfer::TransferArguments;
use crate::process::machine::{self, environment};
use crate::terminal::units;
use crate::transport::registry::{Plaintext, registry};
use crate::transport::{Fetcher, hub_token};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(
        required = true,
        value_name = "REF",
        value_parser = Reference::parse,
        help = "hf://owner/repo[@rev][:quant|/file], oci://host/repo[:tag], or https://…"
    )]
    references: Vec<Reference>,
    /// Name for the model in the store
    #[arg(long = "as", value_name = "NAME", value_parser = Name::parse)]
    name: Option<Name>,
    /// Download only matching files of the repository
    #[arg(long, value_name = "GLOB")]
    file: Option<String>,
    /// Branch, tag or commit of the repository
    #[arg(long, value_name = "R")]
    revision: Option<String>,
    /// Accept only the file or manifest with this digest
    #[arg(long, value_name = "D")]
    digest: Option<Digest>,
    /// Maximum number of connections
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..=16))]
    jobs: Option<u8>,
    /// Maximum bytes per second, such as 500KB or 10MiB
    #[arg(long, value_name = "B/s", value_parser = units::parse_bytes)]
    limit_rate: Option<u64>,
    /// Move an existing name to what upstream has now
    #[arg(long)]
    update: bool,
    /// Print what would be downloaded and download nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) transfer: TransferArguments,
}

/// Fetches models and names them, one after the other.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.transfer.common.home()?;
    if !arguments.dry_run {
        // Said before anything is fetched for nothing.
        home.root()?;
    }
    if arguments.references.len() > 1 && (arguments.name.is_some() || arguments.digest.is_some()) {
        let message = "--as and --digest are about one model, but several were given";
        return Err(CommandError::new(Kind::Usage, message).hint("pull them one at a time"));
    }
    for reference in &arguments.references {
        refuse_meaningless(arguments, reference)?;
    }
    let fetcher = arguments.transfer.fetcher(&home)?;
    arguments.references.iter().try_for_each(|reference| pull(arguments, &home, &fetcher, reference))
}

fn pull(
    arguments: &Arguments,
    home: &Home,
    fetcher: &Fetcher,
    reference: &Reference,
) -> Result<(), CommandError> {
    if let Reference::Name(name) = reference {
        return known(arguments, home, name);
    }
    let remote = remote(reference, fetcher.interrupt())?;
    let act = Act::new(ActKind::PULL, about(arguments, reference)).at_tier(fetcher.tier());
    let fetched = arguments.transfer.common.audit()?.record(act, || {
        let fetched = fetch(arguments, home, fetcher, reference, remote.as_ref())?;
        let about = fetched.about();
        Ok((fetched, about))
    })?;
    match fetched {
        Fetched::Offer(upstream, name) => print_offer(arguments, &upstream, &name),
        Fetched::LocalCopy(entry, error) => {
            arguments.transfer.say(&format!("{error}; keeping the local copy"));
            report(arguments, &entry, false)
        }
        Fetched::Pulled(pulled, upstream) => print(arguments, &pulled, &upstream),
    }
}

/// What came of asking for a model.
enum Fetched<'a> {
    /// What would be downloaded.
    Offer(Upstream<'a>, Name),
    /// What was there already, and why nothing else was asked for.
    LocalCopy(Entry, TransferError),
    Pulled(Box<Pulled>, Upstream<'a>),
}

fn fetch<'a>(
    arguments: &Arguments,
    home: &Home,
    fetcher: &Fetcher,
    reference: &Reference,
    remote: Option<&'a Remote>,
) -> Result<Fetched<'a>, CommandError> {
    let seed = machine::seed()?;
    let patient = RetryFetch::new(fetcher, seed);
    let offered = offer(arguments, reference, &patient, fetcher.interrupt(), remote);
    let upstream = match offered {
        Err(error)
            if matches!(error.kind, TransferErrorKind::Refused(_))
                && !arguments.update
                && !arguments.dry_run =>
        {
            return local_copy(arguments, reference, home, error);
        }
        offered => promised(arguments, offered?)?,
    };
    let name = arguments.name.clone().unwrap_or_else(|| upstream.name.clone());
    if arguments.dry_run {
        return Ok(Fetched::Offer(upstream, name));
    }
    home.make(&home.store()?)?;
    let store = Store::open(home.root()?)?;
    let rebind = if arguments.update { Rebind::Allowed } else { Rebind::Never };
    let show = arguments.transfer.progress();
    let watch = |progress: stack_registry::progress::Progress<'_>| show.note(&progress);
    let puller = Puller {
        store: &store,
        fetch: fetcher,
        watch: &watch,
        cancel: fetcher.interrupt(),
        limits: limits(arguments.jobs),
        throttle: arguments.limit_rate.map(SharedThrottle::new),
        seed,
        now: machine::now().seconds(),
        inspect: &|path, blob| weights_check::check(path.as_str(), &blob.path),
    };
    let pulled = puller.pull(&upstream, &name, rebind);
    show.end();
    let pulled = pulled.map_err(|error| show.failed(error))?;
    if upstream.files.iter().any(|file| file.digests.is_empty() && file.git_blob.is_none()) {
        arguments.transfer.say("this source provides no digest; the downloaded bytes are pinned");
    }
    Ok(Fetched::Pulled(Box::new(pulled), upstream))
}

/// Refuses options that say nothing about the kind of source at hand.
fn refuse_meaningless(arguments: &Arguments, reference: &Reference) -> Result<(), CommandError> {
    let (hub, registry) =
        (matches!(reference, Reference::Hub { .. }), matches!(reference, Reference::Oci { .. }));
    let option = if arguments.file.is_some() && !hub {
        "--file"
    } else if arguments.revision.is_some() && !hub && !registry {
        "--revision"
    } else {
        return Ok(());
    };
    Err(CommandError::new(Kind::Usage, format!("{option} does not apply to this source"))
        .hint("leave it out; it selects files within a repository"))
}

/// Asks the source what it has.
fn offer<'a>(
    arguments: &Arguments,
    reference: &Reference,
    fetch: &dyn Fetch,
    cancel: &Cancel,
    remote: Option<&'a Remote>,
) -> Result<Upstream<'a>, TransferError> {
    match reference {
        Reference::Hub { owner, repository, revision, choice } => {
            let wanted = wanted(arguments, choice.as_ref());
            let revision = arguments.revision.as_deref().or(revision.as_deref());
            from_hub(fetch, &hub()?, (owner, repository), revision, &wanted, cancel)
        }
        Reference::Oci { host, repository, version } => {
            let remote = remote.expect("made for references of this kind");
            let version = arguments.revision.as_deref().unwrap_or(version);
            from_registry(fetch, remote, (host, repository, version))
        }
        Reference::Url(address) => from_address(fetch, address, cancel),
        Reference::Path(path) => Err(TransferError::new(
            TransferErrorKind::BadName,
            format!("{} is a local file; `stack adopt` registers it in place", path.display()),
        )),
        Reference::Name(name) => {
            Err(TransferError::new(TransferErrorKind::BadName, format!("{name} is not a source")))
        }
    }
}

/// Which files of a repository are meant.
fn wanted(arguments: &Arguments, choice: Option<&HubSelector>) -> FileSelector {
    match (&arguments.file, choice) {
        (Some(glob), _) => FileSelector::Glob(Glob::new(glob)),
        (None, Some(HubSelector::Quantization(name))) => FileSelector::Quantization(name.clone()),
        (None, Some(HubSelector::File(path))) => FileSelector::File(path.clone()),
        (None, None) => FileSelector::Default,
    }
}

/// Names the registry that the reference means, if it means one. On this machine, registries speak http.
fn remote(reference: &Reference, cancel: &Cancel) -> Result<Option<Remote>, CommandError> {
    let Reference::Oci { host, repository, .. } = reference else { return Ok(None) };
    registry(host, repository, Scope::Pull, Plaintext::OnLoopback, cancel).map(Some)
}

fn hub() -> Result<Hub, TransferError> {
    let endpoint = environment("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
    let endpoint = Url::parse(&endpoint).map_err(|error| {
        TransferError::new(TransferErrorKind::BadName, "HF_ENDPOINT is not a URL").caused(error)
    })?;
    let token = hub_token::find(&endpoint)?;
    Ok(Hub { endpoint, token: token.map(|token| Authorization::bearer(&token)) })
}

/// Adds the digest that was asked for to what the source promises.
fn promised<'a>(arguments: &Arguments, mut upstream: Upstream<'a>) -> Result<Upstream<'a>, CommandError> {
    let Some(digest) = arguments.digest else { return Ok(upstream) };
    upstream.exact = true;
    if upstream.manifest.as_ref().is_some_and(|(manifest, _)| manifest.digest == digest) {
        return Ok(upstream);
    }
    if upstream.files.iter().any(|file| file.digests.contains(&digest)) {
        return Ok(upstream);
    }
    match upstream.files.as_mut_slice() {
        [only] if only.sha256().is_none() || digest.algorithm == stack_seal::digest::Algorithm::Blake3 => {
            only.promise(digest);
            Ok(upstream)
        }
        _ => Err(CommandError::new(
            Kind::Differs,
            format!("{} has nothing with the digest {digest}", upstream.origin),
        )
        .reason("digest-mismatch")
        .hint("`stack pull REF --dry-run` lists what it has")),
    }
}

/// A complete local copy wins over a network that may not be asked.
fn local_copy(
    arguments: &Arguments,
    reference: &Reference,
    home: &Home,
    error: TransferError,
) -> Result<Fetched<'static>, CommandError> {
    let store = Store::existing(home.root()?)?;
    let entries = store.as_ref().map(Store::entries).transpose()?;
    let is_copy =
        |entry: &Entry| store.as_ref().is_some_and(|store| is_copy(arguments, reference, store, entry));
    let mut fitting = entries.into_iter().flatten().filter(is_copy);
    match (fitting.next(), fitting.next()) {
        (Some(entry), None) => Ok(Fetched::LocalCopy(entry, error)),
        _ => Err(error.into()),
    }
}

/// Whether an entry is what was asked for: of that source, at that revision, with those files and that digest.
fn is_copy(arguments: &Arguments, reference: &Reference, store: &Store, entry: &Entry) -> bool {
    let Ok(manifest) = store.manifest(&entry.manifest.digest) else { return false };
    let origin = entry.record.origin.as_deref().unwrap_or_default();
    let is_at = |version: &str| entry.record.commit.as_deref() == Some(version);
    let same_source = match reference {
        Reference::Hub { owner, repository, revision, choice } => {
            let revision = arguments.revision.as_deref().or(revision.as_deref());
            origin.starts_with(&format!("hf://{owner}/{repository}@"))
                && revision.is_none_or(is_at)
                && holds_exactly(&manifest, &wanted(arguments, choice.as_ref()))
        }
        Reference::Oci { host, repository, version } => {
            let version = arguments.revision.as_deref().unwrap_or(version);
            let is_tagged = version.to_ascii_lowercase() == entry.name.tag();
            origin.starts_with(&format!("oci://{host}/{repository}@")) && (is_tagged || is_at(version))
        }
        Reference::Url(address) => origin == address,
        Reference::Path(_) | Reference::Name(_) => false,
    };
    let has_digest = |digest: Digest| {
        let is_layer = |layer: &Descriptor| layer.digest == digest || layer.blake3() == Some(digest);
        entry.manifest.digest == digest || manifest.layers.iter().any(is_layer)
    };
    same_source
        && arguments.digest.is_none_or(has_digest)
        && arguments.name.as_ref().is_none_or(|name| *name == entry.name)
}

/// Whether a choice among the files of a model is all of them.
fn holds_exactly(manifest: &Manifest, wanted: &FileSelector) -> bool {
    let files: Vec<RepositoryFile> = manifest
        .layers
        .iter()
        .filter_map(|layer| {
            let path = layer.file_path()?;
            Some(RepositoryFile { path, size: layer.size, content: ContentDigest::Sha256(layer.digest) })
        })
        .collect();
    choose(&files, wanted).is_ok_and(|chosen| chosen.files.len() == files.len())
}

/// A name that the store has needs no network; one that it does not have leads nowhere.
fn known(arguments: &Arguments, home: &Home, name: &Name) -> Result<(), CommandError> {
    let store = Store::existing(home.root()?)?;
    match store.map(|store| store.resolve(name)) {
        Some(Ok(entry)) => report(arguments, &entry, false),
        Some(Err(StoreError::NotInStore { near, .. })) => Err(without_source(name, &near)),
        Some(Err(error)) => Err(error.into()),
        None => Err(without_source(name, &[])),
    }
}

/// The error for a name that the store does not have, with the address that is most likely meant.
fn without_source(name: &Name, near: &[String]) -> CommandError {
    let text = name.short();
    let address = match text.split('/').count() {
        // An owner and a model are what the hub has.
        2 if name.host().is_none() => format!("hf://{text}"),
        1 => format!("hf://OWNER/REPO --as {text}"),
        _ => format!("oci://{text}"),
    };
    CommandError::new(Kind::Missing, format!("{text} is not in the store")).reason("not-in-store").hint(
        format!(
            "{}a name does not say where the model is; an address does: `stack pull {address}`",
            did_you_mean(near)
        ),
    )
}

fn limits(jobs: Option<u8>) -> Limits {
    let default = Limits::default();
    match jobs.map(usize::from) {
        Some(jobs) => Limits { connections: jobs.min(default.connections), connections_max: jobs, ..default },
        None => default,
    }
}

const HUB: &str = "https://huggingface.co";
