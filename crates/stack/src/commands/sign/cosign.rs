//! The second signature: over the same bytes as the first.

use std::path::Path;

use stack_seal::bundle::Signed;
use stack_seal::key::PublicKey;
use stack_seal::statement::Statement;
use stack_trust::home::Home;
use stack_trust::signatures;
use stack_trust::target::{HasherOptions, Target};
use stack_trust::trust_file::TrustFolder;
use stack_trust::verification::{Depth, OpenSealed, UnsignedFiles, VerifyOptions, check_files};

use crate::error::{CommandError, Kind};

/// Checks the first signature, that the statement asks for ours, and that the files are what it says. Returns it and
/// the bytes to sign.
pub(super) fn check(
    home: &Home,
    target: &Target,
    first: &Path,
    key: &PublicKey,
    hashing: HasherOptions<'_>,
) -> Result<(Statement, Vec<u8>), CommandError> {
    let bundle = signatures::read(first)?;
    let known = TrustFolder::new(home).policy()?.keys();
    let signed: Signed<Statement> = bundle.open(&known)?;
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
    let options = VerifyOptions {
        depth: Depth::Both,
        unsigned: UnsignedFiles::Refused,
        signatures: &[],
        sealed: OpenSealed::Never,
        hashing,
    };
    check_files(target, statement, &options, &mut |_, found| found.map(drop))?;
    Ok((statement.clone(), signed.bytes().to_vec()))
}
