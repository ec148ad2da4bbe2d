//! `stack verify`: checks who vouches for a model, and that it is what they signed. It writes nothing, except when it finds
//! something expired: that is remembered, so that no clock revives it.

mod everything;
mod policy;
mod report;

use std::path::PathBuf;

use clap::Args;
use stack_seal::bundle::Signed;
use stack_seal::digest::Digest;
use stack_seal::statement::Statement;
use stack_trust::home::Home;
use stack_trust::identity;
use stack_trust::policy::{Enforcement, Outcome, Step};
use stack_trust::signatures::{self, FoundBundle, SignatureError};
use stack_trust::target::{HasherOptions, Target};
use stack_trust::trust_file::{TargetCase, Trust, TrustFolder};
use stack_trust::verification::{
    Depth, Finding, OpenSealed, UnsignedFiles, VerifyOptions, check_files, compare_digest,
};

use self::report::{Report, Stop};
use crate::error::{CommandError, Kind};
use crate::home::access::KeyArguments;
use crate::models::choice::ModelArgument;
use crate::models::facts;
use crate::options::CommonArguments;
use crate::process::no_sockets::Sockets;
use crate::process::{machine, threads};
use crate::terminal::output::Data;
use crate::terminal::progress::FileBars;
use crate::terminal::report::{warn_exposed, warn_passed_over};
use crate::terminal::{interruptible, units};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are the switches of a command line")]
pub(crate) struct Arguments {
    /// A file, a folder, or the name of a stored model
    #[arg(default_value = "", hide_default_value = true, required_unless_present = "all")]
    target: ModelArgument,
    /// Check the bytes of every stored model, whoever signed it
    #[arg(long, conflicts_with_all = ["target", "signature", "key", "signer", "digest"])]
    all: bool,
    /// Repair the index; one that is lost or malformed is rebuilt from the manifests in the store
    #[arg(long, requires = "all")]
    repair: bool,
    /// Signature file [default: TARGET.sig]
    #[arg(long, value_name = "FILE")]
    signature: Vec<PathBuf>,
    /// Trust only this key, for this command: a key, or a file with one
    #[arg(long, value_name = "KEY", conflicts_with = "signer")]
    key: Vec<String>,
    /// Count only signatures of this identity
    #[arg(long, value_name = "ID")]
    signer: Vec<String>,
    /// Compare with this digest; alone, nothing else is checked
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
    /// Also compute SHA-256
    #[arg(long)]
    full: bool,
    /// Allow unsigned files in the folder
    #[arg(long)]
    ignore_unsigned: bool,
    /// Run all checks, even after a failure
    #[arg(long)]
    explain: bool,
    /// Decrypt sealed files in memory and verify their contents
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Makes the checks and prints what they found.
pub(crate) fn run(arguments: &Arguments, sockets: Sockets) -> Result<(), CommandError> {
    interruptible::end_on_interrupt(arguments.common.json, "nothing was found out, and nothing was changed")?;
    let mut report = Report::new(arguments.explain);
    if arguments.explain {
        let said = match sockets {
            Sockets::Refused => "blocked by the kernel for this command",
            Sockets::Possible => "none are opened, but this system cannot block them",
        };
        // What is only said cannot stop anything.
        let _goes_on = report.record("sockets", Ok(said.to_owned()));
    }
    let bars = FileBars::new("hashing");
    let progress = |name: &str, done, total| bars.show(name, done, total);
    let hashing = HasherOptions { workers: threads::usable(), progress: &progress };
    // Whoever stopped has written down why.
    let _stopped = if arguments.all {
        everything::examine(arguments, &hashing, &mut report)
    } else {
        examine(arguments, &hashing, &mut report)
    };
    drop(bars);
    let mut data = Data::new();
    if arguments.common.json {
        report.print_json(&arguments.target.text(), &mut data)?;
    } else if !arguments.common.quiet {
        report.print(&mut data)?;
    }
    report.into_result()
}

fn examine(arguments: &Arguments, hashing: &HasherOptions<'_>, report: &mut Report) -> Result<(), Stop> {
    let inputs = gather(arguments);
    let Some(inputs) = report.record_with("inputs", inputs.map(|inputs| (inputs.summary(), inputs)))? else {
        return Ok(());
    };
    if let Some(digest) = &arguments.digest {
        let found = compare_digest(&inputs.target, digest, hashing);
        let found = found.map(|found| format!("{}: {found}", inputs.target.title()));
        report.record("digest", found.map_err(CommandError::from))?;
    }
    if arguments.digest_alone() {
        return Ok(());
    }
    let signatures = open_signatures(&inputs, report)?;
    let facts = facts::look(&inputs.target);
    let case = TargetCase {
        facts: facts.as_ref(),
        sealed: facts.is_none(),
        tier: None,
        level: Some(Enforcement::Strict),
        now: machine::now(),
    };
    let verdict = inputs.trust.judge(&inputs.target, &signatures, &case);
    let claim = verdict.statement.and_then(|index| signatures[index].payload().claim());
    if let Some(claim) = claim.filter(|_| verdict.expired() && !verdict.identities.is_empty()) {
        TrustFolder::new(&inputs.home).refuse(&verdict, claim, case.now);
    }
    // What the signature step passes has a line for each signature already.
    let checks = verdict.checks.iter().filter(|check| check.step != Step::Signature || signatures.is_empty());
    for check in checks {
        let outcome = match check.outcome {
            Outcome::Passed => Ok(check.detail.clone()),
            Outcome::Recorded(reason) | Outcome::Refused(reason) => {
                Err(CommandError::refused(&arguments.target.text(), reason, &check.detail))
            }
        };
        report.record(check.step.name(), outcome)?;
    }
    let Some(statement) = verdict.statement.map(|index| signatures[index].payload()) else { return Ok(()) };
    // A file may be called anything: what counts is what was signed.
    report.record("name", Ok(signed_name(statement)))?;
    report.describe(statement, &verdict);
    let opener = arguments.keys.opener(&inputs.home);
    let unlock = |name: &str| inputs.target.unlock(&opener, name);
    let options = VerifyOptions {
        depth: if arguments.full { Depth::Both } else { Depth::Blake3 },
        unsigned: if arguments.ignore_unsigned { UnsignedFiles::Ignored } else { UnsignedFiles::Refused },
        signatures: &arguments.signature,
        sealed: if arguments.open { OpenSealed::Always(&unlock) } else { OpenSealed::IfNeeded(&unlock) },
        hashing: *hashing,
    };
    check_files(&inputs.target, statement, &options, &mut |check, found| {
        report.record(check.name(), found.map(|found| told(&found)).map_err(CommandError::from))
    })
}

/// Opens the signatures, with a line of the report for each.
fn open_signatures(inputs: &Inputs, report: &mut Report) -> Result<Vec<Signed<Statement>>, Stop> {
    let mut signatures: Vec<Signed<Statement>> = Vec::new();
    let known = inputs.trust.policy.keys();
    let opened: Vec<_> =
        inputs.bundles.iter().map(|named| (&named.name, named.bundle.open(&known))).collect();
    let one_holds = opened.iter().any(|(_, opened)| opened.is_ok());
    for (name, opened) in opened {
        match opened {
            // Anybody may put a wrong one beside a right one.
            Err(error) if one_holds => {
                report.record("signature", Ok(format!("{name}: passed over: {error}")))?;
            }
            opened => {
                let opened = match opened {
                    Ok(signed) => Ok((format!("{name}: by {}", signed.key()), signed)),
                    Err(source) => Err(SignatureError::Unusable { name: name.clone(), source }.into()),
                };
                signatures.extend(report.record_with("signature", opened)?);
            }
        }
    }
    Ok(signatures)
}

/// Says under which name the files were signed.
fn signed_name(statement: &Statement) -> String {
    match statement.claim() {
        Some(claim) => format!("signed as {}, serial {}, on {}", claim.name, claim.serial, claim.issued),
        None => format!("signed as {:?}, by another program", statement.model()),
    }
}

/// Says what a check of files found.
fn told(found: &Finding) -> String {
    match found {
        Finding::Files(1) => "one, as signed".to_owned(),
        Finding::Files(count) => format!("{count}, as signed"),
        Finding::Length { name, bytes } => format!("{name}: {}", units::bytes(*bytes)),
        Finding::Digests { name, sealed, digests } => {
            let form = if *sealed { "encrypted " } else { "" };
            let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
            format!("{form}{name}: {}", digests.join(" "))
        }
        Finding::Opened { name, root } => format!("opened {name}: {root}"),
    }
}

/// All that the checks need, before the first one.
struct Inputs {
    home: Home,
    target: Target,
    bundles: Vec<FoundBundle>,
    trust: Trust,
}

impl Inputs {
    fn summary(&self) -> String {
        match self.bundles.len() {
            0 => self.target.title(),
            1 => format!("{}, one signature", self.target.title()),
            many => format!("{}, {many} signatures", self.target.title()),
        }
    }
}

impl Arguments {
    /// Whether only bytes are to be compared with a digest.
    fn digest_alone(&self) -> bool {
        self.digest.is_some() && self.signature.is_empty() && self.key.is_empty() && self.signer.is_empty()
    }
}

fn gather(arguments: &Arguments) -> Result<Inputs, CommandError> {
    let home = arguments.common.home()?;
    let target = arguments.target.target(&home)?;
    if arguments.digest_alone() {
        let trust = Trust::default();
        return Ok(Inputs { home, target, bundles: Vec::new(), trust });
    }
    let bundles = bundles(arguments, &target)?;
    let folder = TrustFolder::new(&home);
    folder.tamperings().iter().for_each(warn_exposed);
    let mut trust = folder.read()?;
    if !arguments.key.is_empty() {
        let keys = arguments.key.iter().map(|text| identity::public_key(&home, text));
        policy::trust_only(&mut trust.policy, &keys.collect::<Result<Vec<_>, _>>()?);
    }
    policy::count_only(&mut trust.policy, &arguments.signer)?;
    Ok(Inputs { home, target, bundles, trust })
}

fn bundles(arguments: &Arguments, target: &Target) -> Result<Vec<FoundBundle>, CommandError> {
    if !arguments.signature.is_empty() {
        return Ok(arguments
            .signature
            .iter()
            .map(|path| signatures::read(path))
            .collect::<Result<_, _>>()?);
    }
    let found = target.bundles(&mut warn_passed_over)?;
    if found.is_empty() {
        return Err(CommandError::new(
            Kind::Missing,
            format!("{} has no signature", arguments.target.text()),
        )
        .reason("no-signature")
        .hint("sign it with `stack sign`, or give the signature file with --signature"));
    }
    Ok(found)
}
