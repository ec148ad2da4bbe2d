//! What the audit log says about a load: which model, whether the policy let it pass and by which rule, and which bytes
//! it turned out to be.

use serde_json::{Value, json};
use stack_engine::load;
use stack_seal::verified::{Attested, Basis, VerifiedFile};
use stack_trust::admission::{Admission, AdmissionError};

use crate::audit::{Act, ActKind};
use crate::error::CommandError;
use crate::home::access::AccessArguments;

/// The act of loading a model.
pub(super) fn load(id: &str) -> Act {
    Act::new(ActKind::LOAD, json!({"model": id}))
}

/// Writes down that the policy does not let a model pass. Returns what to tell: that, or why it cannot be written.
pub(super) fn refused(access: &AccessArguments, id: &str, error: CommandError) -> CommandError {
    match access.audit().and_then(|log| log.deny(load(id), &error)) {
        Ok(()) => error,
        Err(unwritten) => unwritten,
    }
}

/// Lets a model answer whose bytes were verified, and returns what to write down of that.
pub(super) fn confirmed(
    admission: Option<&Admission>,
    basis: &Basis,
    files: &[VerifiedFile],
) -> Result<Value, AdmissionError> {
    admission.map(|admission| admission.confirm(basis)).transpose()?;
    let signers = if let Basis::Signed(Attested { signers }) = basis { signers.as_slice() } else { &[] };
    Ok(json!({
        "basis": load::card_basis(basis).name(),
        "signers": signers,
        "policy": admission.map(Admission::rule),
        "roots": files.iter().map(|file| file.root.to_string()).collect::<Vec<_>>(),
    }))
}
