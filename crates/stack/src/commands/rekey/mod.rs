//! `stack rekey`: changes who can open what is sealed.
//!
//! The header is written anew and the payload stays, however large it is. Whoever could open it before may have kept the
//! key to the payload; only `--rotate`, which seals everything anew, makes that key useless for what is kept from now on.

mod file;
mod model;
mod signature;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_seal::age::{Recipients, X25519Recipient};
use stack_trust::home::Home;
use stack_trust::rekey::{RekeyPlan, RekeyRequest};
use stack_trust::target::Target;

use crate::audit::{Act, ActKind};
use crate::commands::reclaimed::Reclaimed;
use crate::error::{CommandError, Kind};
use crate::home::access::KeyArguments;
use crate::models::choice::ModelArgument;
use crate::options::{CommonArguments, recipients};
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A sealed file, or the name of a sealed stored model
    target: ModelArgument,
    /// Add a recipient: age1…, an identity on this machine, or @FILE with one per line
    #[arg(long, value_name = "RECIPIENT")]
    add: Vec<String>,
    /// Remove a recipient
    #[arg(long, value_name = "RECIPIENT")]
    remove: Vec<String>,
    /// Replace all recipients
    #[arg(long, value_name = "RECIPIENT", conflicts_with_all = ["add", "remove"])]
    recipient: Vec<String>,
    /// Encrypt everything again under a new file key
    #[arg(long)]
    rotate: bool,
    /// Renew this identity's signature to cover the sealed form
    #[arg(long)]
    sign: bool,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Serialize)]
struct Report {
    /// The file, or the name.
    target: String,
    /// Of a model, the manifest that its name means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    /// Who can open it; `null` where that is not known, as age files do not say.
    recipients: Option<Vec<String>>,
    rotated: bool,
    /// Of a model, the signature that was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(flatten)]
    freed: Reclaimed,
}

/// Changes who can open a file, or the weights of a model.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let changes =
        !(arguments.add.is_empty() && arguments.remove.is_empty() && arguments.recipient.is_empty());
    if !(changes || arguments.rotate || arguments.sign) {
        return Err(CommandError::new(Kind::Usage, "nothing to change")
            .hint("use --add, --remove, --recipient, --rotate or --sign"));
    }
    let home = arguments.common.home()?;
    let target = arguments.target.target(&home)?;
    let about = json!({
        "what": target.title(),
        "add": arguments.add,
        "remove": arguments.remove,
        "exactly": arguments.recipient,
        "rotate": arguments.rotate,
        "sign": arguments.sign,
    });
    let report = arguments.common.audit()?.record(Act::new(ActKind::REKEY, about), || {
        let report = match target {
            Target::File(path) => file::rekey(arguments, &home, &path)?,
            Target::Stored(stored) => model::rekey(arguments, &home, *stored)?,
            Target::Folder(path) => {
                let message = format!("{} is a folder; files are sealed one at a time", path.display());
                return Err(CommandError::new(Kind::Usage, message).hint("give one of its files"));
            }
        };
        let about =
            json!({"manifest": report.manifest, "for": report.recipients, "signature": report.signature});
        Ok((report, about))
    })?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    for line in report.lines(arguments) {
        arguments.common.stderr(line);
    }
    let line = match &report.manifest {
        Some(manifest) => format!("{} {manifest}", report.target),
        None => report.target,
    };
    data.line(&sanitize(&line))
}

impl Arguments {
    /// Finds out who is meant.
    fn request(&self, home: &Home) -> Result<RekeyRequest, CommandError> {
        Ok(RekeyRequest {
            exactly: recipients::find(home, &self.recipient)?,
            added: recipients::find(home, &self.add)?,
            removed: recipients::find(home, &self.remove)?,
            rotate: self.rotate,
        })
    }

    /// Returns for whom to seal everything anew; a passphrase is asked for once more.
    fn recipients(&self, plan: &RekeyPlan) -> Result<Recipients, CommandError> {
        match plan.recipients()? {
            Some(recipients) => Ok(recipients),
            None => Ok(Recipients::Passphrase(self.keys.passphrase.new_for(&self.target.text())?)),
        }
    }
}

impl Report {
    fn new(target: String, rotated: bool, recipients: Option<&[X25519Recipient]>) -> Self {
        let recipients = recipients.map(|keys| keys.iter().map(X25519Recipient::to_string).collect());
        Self { target, manifest: None, recipients, rotated, signature: None, freed: Reclaimed::default() }
    }

    fn lines(&self, arguments: &Arguments) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(recipients) = &self.recipients {
            lines.push(format!("recipients: {}", recipients.join(", ")));
        }
        if !arguments.remove.is_empty() || !arguments.recipient.is_empty() {
            lines.push("former recipients keep any copies they made".to_owned());
            if !self.rotated {
                lines.push("and may have kept its file key; --rotate encrypts it under a new one".to_owned());
            }
        }
        if let Some(signature) = &self.signature {
            lines.push(format!("signature renewed: {signature}"));
        }
        lines.extend(self.freed.lines("the old sealed form"));
        lines
    }
}
