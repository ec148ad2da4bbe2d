//! `stack verify`: checks who vouches for a model, and that it is what they signed. It writes nothing.

mod everything;
mod files;
mod policy;
mod report;

use std::path::PathBuf;

use clap::Args;
use stack_registry::trust::{Level, Outcome, Step};
use stack_seal::age::UnlockedFile;
use stack_seal::bundle::{Bundle, Signed};
use stack_seal::digest::Digest;
use stack_seal::statement::Statement;

use self::report::{Report, Stop};
use crate::cli::access::KeyArguments;
use crate::cli::options::CommonArguments;
use crate::error::{CommandError, Kind};
use crate::home::{Home, identities};
use crate::models::choice::ModelArgument;
use crate::process::no_sockets::Sockets;
use crate::signing::{ModelFacts, Target, read_bundle, unsigned};
use crate::terminal::interruptible;
use crate::terminal::output::Data;
use crate::trust::{Question, Trust, TrustFolder, refused};

pub(crate) use files::{Depth, Extra, Manner, Opening, check_files};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "they are the switches of a command line")]
pub(crate) struct Arguments {
    /// A file, a folder, or the name of a stored model
    #[arg(default_value = "", hide_default_value = true, required_unless_present = "all")]
    target: ModelArgument,
    /// Check the bytes of every stored model, whoever signed it
    #[arg(long, conflicts_with_all = ["target", "signature", "key", "signer", "digest"])]
    all: bool,
    /// Rebuild a lost index from the manifests in the store
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
    // Whoever stopped has written down why.
    let _stopped = if arguments.all {
        everything::examine(arguments, &mut report)
    } else {
        examine(arguments, &mut report)
    };
    let mut data = Data::new();
    if arguments.common.json {
        report.print_json(&arguments.target.text(), &mut data)?;
    } else {
        report.print(&mut data)?;
    }
    report.into_result()
}

fn examine(arguments: &Arguments, report: &mut Report) -> Result<(), Stop> {
    let inputs = gather(arguments);
    let Some(inputs) = report.record_with("inputs", inputs.map(|inputs| (inputs.summary(), inputs)))? else {
        return Ok(());
    };
    if let Some(digest) = &arguments.digest {
        report.record("digest", files::compare(&inputs.target, digest))?;
    }
    if arguments.digest_alone() {
        return Ok(());
    }
    let mut signatures: Vec<Signed<Statement>> = Vec::new();
    let known = inputs.trust.policy.keys();
    let opened: Vec<_> = inputs.bundles.iter().map(|(name, bundle)| (name, bundle.open(&known))).collect();
    let one_holds = opened.iter().any(|(_, opened)| opened.is_ok());
    for (name, opened) in opened {
        match opened {
            // Anybody may put a wrong one beside a right one.
            Err(error) if one_holds => {
                report.record("signature", Ok(format!("{name}: passed over: {error}")))?;
            }
            opened => {
                let opened = opened.map_err(|error| unsigned(name, error));
                let opened = opened.map(|signed| (format!("{name}: by {}", signed.key()), signed));
                signatures.extend(report.record_with("signature", opened)?);
            }
        }
    }
    let facts = ModelFacts::look(&inputs.target);
    let question =
        Question { facts: facts.as_ref(), sealed: facts.is_none(), tier: None, level: Some(Level::Strict) };
    let verdict = inputs.trust.judge(&inputs.target, &signatures, &question);
    // What the signature step passes has a line for each signature already.
    let checks = verdict.checks.iter().filter(|check| check.step != Step::Signature || signatures.is_empty());
    for check in checks {
        let outcome = match check.outcome {
            Outcome::Passed => Ok(check.detail.clone()),
            Outcome::Recorded(reason) | Outcome::Refused(reason) => {
                Err(refused(&arguments.target.text(), reason, &check.detail))
            }
        };
        report.record(check.step.name(), outcome)?;
    }
    let Some(statement) = verdict.statement.map(|index| signatures[index].payload()) else { return Ok(()) };
    report.describe(statement, &verdict);
    let depth = if arguments.full { Depth::Both } else { Depth::Blake3 };
    let extra = if arguments.ignore_unsigned { Extra::Ignored } else { Extra::Refused };
    let unlock = |name: &str| arguments.unlock(&inputs.target, name);
    let sealed = if arguments.open { Opening::Always(&unlock) } else { Opening::IfNeeded(&unlock) };
    let manner = Manner { depth, extra, sealed };
    check_files(&inputs.target, statement, &arguments.signature, &manner, &mut |check, outcome| {
        report.record(check, outcome)
    })
}

/// All that the checks need, before the first one.
struct Inputs {
    target: Target,
    bundles: Vec<(String, Bundle)>,
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
    /// Unlocks a sealed file of the target.
    fn unlock(&self, target: &Target, name: &str) -> Result<UnlockedFile, CommandError> {
        target.unlock(&self.common.home()?, &self.keys, name)
    }

    /// Whether only bytes are to be compared with a digest.
    fn digest_alone(&self) -> bool {
        self.digest.is_some() && self.signature.is_empty() && self.key.is_empty() && self.signer.is_empty()
    }
}

fn gather(arguments: &Arguments) -> Result<Inputs, CommandError> {
    let home = arguments.common.home()?;
    let target = Target::find(&home, &arguments.target)?;
    if arguments.digest_alone() {
        let trust = Trust::default();
        return Ok(Inputs { target, bundles: Vec::new(), trust });
    }
    let bundles = bundles(arguments, &home, &target)?;
    let mut trust = TrustFolder::new(&home).read()?;
    if !arguments.key.is_empty() {
        let keys = arguments.key.iter().map(|text| identities::public_key(&home, text));
        policy::trust_only(&mut trust.policy, &keys.collect::<Result<Vec<_>, _>>()?);
    }
    policy::count_only(&mut trust.policy, &arguments.signer)?;
    Ok(Inputs { target, bundles, trust })
}

fn bundles(
    arguments: &Arguments,
    home: &Home,
    target: &Target,
) -> Result<Vec<(String, Bundle)>, CommandError> {
    if !arguments.signature.is_empty() {
        let read = |path: &PathBuf| Ok((path.display().to_string(), read_bundle(path)?));
        return arguments.signature.iter().map(read).collect();
    }
    let found = target.bundles(home)?;
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
