//! `stack keygen`: makes an identity.

use std::path::PathBuf;

use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser};
use serde::Serialize;
use serde_json::{Value, json};
use stack_seal::key::KeyKind;
use stack_seal::keyfile::IdentityFile;
use stack_trust::identity::IdentityPaths;
use stack_trust::passphrase::PassphraseSource;
use stack_trust::private_file;
use zeroize::Zeroizing;

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::output::Data;
use crate::terminal::passphrase::PassphraseArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the identity, for example alice@example.com
    #[arg(long, value_name = "NAME")]
    identity: String,
    /// Kind of signing key; p256 and p384 also work with other signing tools
    #[arg(long, value_name = "KIND", default_value = "ed25519", value_parser = kinds())]
    kind: KeyKind,
    /// Folder for the key files [default: `$STACK_HOME/keys`]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// Do not protect the key file with a passphrase
    #[arg(long, conflicts_with = "password_env")]
    no_passphrase: bool,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Serialize)]
struct Made {
    identity: String,
    key: String,
    recipient: String,
    key_file: PathBuf,
    public_file: PathBuf,
}

/// Makes the files and prints the public lines.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.common.home()?;
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => home.keys()?,
    };
    let paths = IdentityPaths::new(&folder, &arguments.identity)?;
    if paths.key.exists() {
        let message = format!("an identity {} already exists", arguments.identity);
        return Err(CommandError::new(Kind::Refused, message).hint(
            "choose another name; the old key is needed for what it signed and what was sealed for it",
        ));
    }
    arguments.passphrase.entrusted();
    let mut random = machine::random()?;
    let identity = IdentityFile::generate(&arguments.identity, machine::now(), arguments.kind, &mut random)
        .map_err(|error| {
        CommandError::new(Kind::Machine, "the keys cannot be generated").caused(error)
    })?;
    let text = if arguments.no_passphrase {
        identity.to_plain()
    } else {
        let passphrase = arguments.passphrase.new_for(&arguments.identity)?;
        Zeroizing::new(identity.seal(&passphrase, &mut random))
    };
    let public = identity.public();
    let about = json!({
        "made": arguments.identity,
        "public_key": public.key.to_string(),
        "recipient": public.recipient.to_string(),
        "file": paths.key.display().to_string(),
    });
    arguments.common.audit()?.record(Act::new(ActKind::KEY, about), || {
        match &arguments.out {
            Some(folder) => private_file::make_folder(folder)
                .map_err(|error| CommandError::reading(folder.display(), error).reason("io"))?,
            None => home.make(&folder)?,
        }
        paths.write(&text, &public)?;
        Ok(((), Value::Null))
    })?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&Made {
            identity: arguments.identity.clone(),
            key: public.key.to_string(),
            recipient: public.recipient.to_string(),
            key_file: paths.key,
            public_file: paths.public,
        });
    }
    arguments.common.stderr(format!("secret key: {} (keep it private)", paths.key.display()));
    arguments.common.stderr(format!("public key: {} (share it)", paths.public.display()));
    data.write(&public.to_string())
}

fn kinds() -> impl TypedValueParser<Value = KeyKind> {
    let names = PossibleValuesParser::new(KeyKind::ALL.map(KeyKind::name));
    names.map(|name| KeyKind::from_name(&name).expect("only names of kinds are possible"))
}
