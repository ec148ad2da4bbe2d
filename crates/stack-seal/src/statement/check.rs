//! What holds for every statement, whether it was made here or read.

use std::collections::BTreeSet;

use super::{Claim, SignedFile, Statement, StatementError};

/// Checks all that a [`Statement`] promises.
pub(super) fn statement(statement: &Statement) -> Result<(), StatementError> {
    text("the model's name", &statement.model, TEXT_MAX)?;
    if statement.model.is_empty() {
        return Err(StatementError::malformed("the model has no name"));
    }
    files(&statement.files, statement.claim.is_some())?;
    for name in &statement.ignored {
        text("an ignored path", name, NAME_MAX)?;
    }
    statement.claim.as_ref().map_or(Ok(()), |found| claim(found, statement))
}

fn files(files: &[SignedFile], claimed: bool) -> Result<(), StatementError> {
    if files.is_empty() {
        return Err(StatementError::malformed("it lists no files"));
    }
    if !files.is_sorted_by(|a, b| a.name < b.name) {
        return Err(StatementError::malformed("its files are not sorted, or one is duplicated"));
    }
    // OMS calls a file by itself `.`, and so do the tools of others.
    let nameless = files.len() == 1 && files[0].name == "." && !claimed;
    for file in files {
        if !nameless && !is_plain(&file.name) {
            let what = format!("{:?} is not a plain relative path", file.name);
            return Err(StatementError::malformed(what));
        }
        if claimed && (file.blake3.is_none() || file.size.is_none()) {
            let what = format!("{} lacks its BLAKE3 root or its size", file.name);
            return Err(StatementError::malformed(what));
        }
        if let Some(leaves) = &file.leaves
            && (Some(leaves.root()) != file.blake3 || Some(leaves.tree().length()) != file.size)
        {
            return Err(StatementError::malformed(format!("the leaves of {} are not its own", file.name)));
        }
    }
    Ok(())
}

/// Whether joining this name to a folder cannot lead out of it, on any system.
fn is_plain(name: &str) -> bool {
    name.len() <= NAME_MAX
        && !name.contains(|character: char| character.is_control() || matches!(character, '\\' | ':'))
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn claim(claim: &Claim, statement: &Statement) -> Result<(), StatementError> {
    let fail = |what: &str| Err(StatementError::malformed(what));
    text("the claim's name", &claim.name, CLAIM_NAME_MAX)?;
    if claim.name.is_empty() || claim.name.contains(char::is_whitespace) {
        return fail("the claim has no model name");
    }
    if claim.serial > SERIAL_MAX {
        return fail("the serial is above 2^53 - 1");
    }
    if claim.expires.is_some_and(|expires| expires < claim.issued) {
        return fail("it expires before it was issued");
    }
    if claim.signers.is_empty() || claim.signers.len() > SIGNERS_MAX {
        return fail("a claim has between one and sixteen signers");
    }
    if claim.signers.iter().collect::<BTreeSet<_>>().len() < claim.signers.len() {
        return fail("a signer is listed twice");
    }
    if claim.quorum == 0 || claim.quorum as usize > claim.signers.len() {
        return fail("the quorum is zero or above the number of signers");
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if claim.format.is_empty() || claim.format.len() > FORMAT_MAX || !claim.format.bytes().all(plain) {
        return fail("the format is not a short word of lower-case letters");
    }
    for (what, value) in
        [("the origin", &claim.origin), ("the license", &claim.license), ("the recipe", &claim.recipe)]
    {
        text(what, value.as_deref().unwrap_or(""), TEXT_MAX)?;
    }
    if claim.parents.len() > PARENTS_MAX {
        return fail("it has too many parents");
    }
    for parent in &claim.parents {
        text("a parent's name", &parent.name, CLAIM_NAME_MAX)?;
    }
    for sealed in &claim.sealed {
        if statement.file(&sealed.name).is_none() {
            return fail("a sealed file is not among the files");
        }
        if sealed.recipients.len() > RECIPIENTS_MAX {
            return fail("a sealed file has too many recipients");
        }
        for recipient in &sealed.recipients {
            text("a recipient", recipient, TEXT_MAX)?;
        }
    }
    Ok(())
}

/// Texts are short, and nothing in them moves a cursor.
fn text(what: &str, text: &str, max: usize) -> Result<(), StatementError> {
    if text.len() > max {
        return Err(StatementError::malformed(format!("{what} is longer than {max} bytes")));
    }
    if text.contains(char::is_control) {
        return Err(StatementError::malformed(format!("{what} holds a control character")));
    }
    Ok(())
}

/// Larger serials are not exact in every JSON reader.
const SERIAL_MAX: u64 = (1 << 53) - 1;
const NAME_MAX: usize = 1024;
const CLAIM_NAME_MAX: usize = 255;
const TEXT_MAX: usize = 4096;
const FORMAT_MAX: usize = 32;
const SIGNERS_MAX: usize = 16;
const PARENTS_MAX: usize = 64;
const RECIPIENTS_MAX: usize = 256;
