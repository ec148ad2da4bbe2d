//! The second signature: over the same bytes as the first.

use std::path::Path;

use stack_seal::bundle::Signed;
use stack_seal::key::PublicKey;
use stack_seal::statement::Statement;

use crate::commands::verify::{Depth, Extra, Manner, Opening, check_files};
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::signing::{Target, read_bundle, unsigned};
use crate::trust::TrustFolder;

/// Checks the first signature, that the statement asks for ours, and that the files are what it says. Returns it and
/// the bytes to sign.
pub(super) fn check(
    home: &Home,
    target: &Target,
    first: &Path,
    key: &PublicKey,
) -> Result<(Statement, Vec<u8>), CommandError> {
    let bundle = read_bundle(first)?;
    let known = TrustFolder::new(home).policy()?.keys();
    let signed: Signed<Statement> =
        bundle.open(&known).map_err(|error| unsigned(&first.display().to_string(), error))?;
    let statement = signed.payload();
    let asked = statement.claim().is_some_and(|claim| claim.signers.contains(key));
    if !asked {
        let message = format!("{} does not list {key} as a signer", first.display());
        return Err(CommandError::new(Kind::Untrusted, message)
            .reason("unknown-signer")
            .hint("the first signer adds you with --also"));
    }
    if signed.key() == key {
        let message = format!("{} is already signed by this identity", first.display());
        return Err(
            CommandError::new(Kind::Usage, message).hint("sign with another identity: --identity NAME")
        );
    }
    let manner = Manner { depth: Depth::Both, extra: Extra::Refused, sealed: Opening::Never };
    check_files(target, statement, &[], &manner, &mut |_, outcome| outcome.map(drop))?;
    Ok((statement.clone(), signed.bytes().to_vec()))
}
