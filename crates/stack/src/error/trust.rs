//! What goes wrong with targets, signatures and the policy, as a command tells it.

use stack_seal::bundle::{BundleError, Unsigned};
use stack_seal::statement::{StatementError, StatementErrorKind};
use stack_trust::admission::AdmissionError;
use stack_trust::policy::Reason;
use stack_trust::signatures::SignatureError;
use stack_trust::statement::ParentError;
use stack_trust::target::{TargetError, UnlockError};
use stack_trust::trust_file::TrustError;
use stack_trust::verification::VerificationError;

use super::{CommandError, Kind, missing_or_io};

impl From<TargetError> for CommandError {
    fn from(error: TargetError) -> Self {
        let message = error.to_string();
        let bad_name =
            |message, hint: &str| Self::new(Kind::Malformed, message).reason("bad-name").hint(hint);
        match error {
            TargetError::Missing(_) => Self::new(Kind::Missing, message)
                .reason("no-such-file")
                .hint("give a file, a folder, or a name from `stack list`"),
            TargetError::Special(_) => Self::new(Kind::Malformed, message),
            TargetError::Read { path, source } => Self::reading(path.display(), source),
            TargetError::Hash { path, source } => Self::reading(path.display(), source).reason("io"),
            TargetError::TooDeep(_) | TargetError::TooManyFiles(_) => bad_name(message, "choose a subfolder"),
            TargetError::NotUtf8(_) => bad_name(message, "rename it"),
            TargetError::Link { .. } => bad_name(message, "replace it with the file itself"),
        }
    }
}

impl From<UnlockError> for CommandError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::Target(error) => error.into(),
            UnlockError::Sealed(error) => error.into(),
        }
    }
}

impl From<SignatureError> for CommandError {
    fn from(error: SignatureError) -> Self {
        let message = error.to_string();
        match error {
            SignatureError::Read { path, source } => {
                let code = missing_or_io(&source, "no-signature");
                Self::reading(path.display(), source).reason(code)
            }
            SignatureError::List { folder, source } => Self::reading(folder.display(), source),
            SignatureError::TooMany(_) => Self::new(Kind::Malformed, message),
            SignatureError::Malformed { source, .. } => {
                let code = match &source {
                    BundleError::Duplicate => "duplicate-field",
                    BundleError::Malformed(_) | BundleError::Method(_) => "bad-bundle",
                };
                Self::new(Kind::Malformed, message).reason(code).caused(source)
            }
            SignatureError::Unusable { source, .. } => {
                let (kind, code, hint) = match &source {
                    Unsigned::NoKey => (Kind::Missing, "no-key", "give the signer's key with --key KEY"),
                    Unsigned::BadSignature(_) | Unsigned::NotASigner(_) => {
                        (Kind::Differs, "bad-signature", "request the signature again from the signer")
                    }
                    Unsigned::Payload(error) => (
                        Kind::Malformed,
                        statement_code(error),
                        "only signatures over files with SHA-256 digests are supported",
                    ),
                };
                Self::new(kind, message).reason(code).caused(source).hint(hint)
            }
            SignatureError::Store(error) => error.into(),
        }
    }
}

fn statement_code(error: &StatementError) -> &'static str {
    match error.kind() {
        StatementErrorKind::Malformed | StatementErrorKind::Predicate => "bad-bundle",
        StatementErrorKind::Duplicate => "duplicate-field",
        StatementErrorKind::Unsupported => "unsupported-serialization",
    }
}

impl From<StatementError> for CommandError {
    /// Makes an error from a statement that was to be signed.
    fn from(error: StatementError) -> Self {
        Self::new(Kind::Usage, "the statement is invalid").reason("bad-name").caused(error)
    }
}

impl From<ParentError> for CommandError {
    fn from(error: ParentError) -> Self {
        let message = error.to_string();
        match error {
            ParentError::NotSigned(_) => {
                Self::new(Kind::Missing, message).reason("no-signature").hint("pull or sign it first")
            }
            ParentError::Store(error) => error.into(),
        }
    }
}

impl From<TrustError> for CommandError {
    fn from(error: TrustError) -> Self {
        let message = error.to_string();
        match error {
            TrustError::Read { path, source } => Self::reading(path.display(), source),
            TrustError::Write { source, .. } => Self::new(Kind::Machine, message).reason("io").caused(source),
            TrustError::BadFile { source, .. } => Self::new(Kind::Malformed, message)
                .reason("bad-trust-file")
                .caused(source)
                .hint("fix it; until then no model is trusted"),
            TrustError::BadChange(source) => Self::new(Kind::Usage, message).caused(source),
            TrustError::BadMarks { source, .. } => Self::new(Kind::Malformed, message)
                .reason("bad-marks")
                .caused(source)
                .hint("restore it from a backup; without it, outdated signatures would count again"),
            TrustError::BadRevocation { source, .. } => Self::new(Kind::Malformed, message)
                .reason("bad-bundle")
                .caused(source)
                .hint("restore it, or move it away if you know what it revoked"),
            TrustError::Home(error) => error.into(),
        }
    }
}

impl From<AdmissionError> for CommandError {
    fn from(error: AdmissionError) -> Self {
        let message = error.to_string();
        match error {
            AdmissionError::Trust(error) => error.into(),
            AdmissionError::Signature(error) => error.into(),
            AdmissionError::Target(error) => error.into(),
            AdmissionError::Sealed(error) => error.into(),
            AdmissionError::Read { what, source } => Self::reading(what, source),
            AdmissionError::Differs(_) => Self::new(Kind::Differs, message)
                .reason("digest-mismatch")
                .hint("download it again from its source"),
            AdmissionError::Refused { title, reason, detail, rule } => {
                Self::refused(&title, reason, &detail).caused(rule)
            }
        }
    }
}

impl From<VerificationError> for CommandError {
    fn from(error: VerificationError) -> Self {
        let message = error.to_string();
        let differs = |message, code, hint: &str| Self::new(Kind::Differs, message).reason(code).hint(hint);
        match error {
            VerificationError::Target(error) => error.into(),
            VerificationError::Sealed(error) => error.into(),
            VerificationError::Read { path, source } => Self::reading(path.display(), source).reason("io"),
            VerificationError::Missing(_) => Self::new(Kind::Missing, message)
                .reason("no-such-file")
                .hint("it is part of the signed model; get it from the same source"),
            VerificationError::NotSigned(_) => {
                differs(message, "unsigned-file", "remove it, or allow unsigned files with --ignore-unsigned")
            }
            VerificationError::Length { .. } | VerificationError::OpenedLength { .. } => {
                differs(message, "length-mismatch", AGAIN)
            }
            VerificationError::Root { .. } | VerificationError::Sha256(_) => {
                differs(message, "digest-mismatch", AGAIN)
            }
            VerificationError::SealedFormNotSigned(_) => Self::new(Kind::Closed, message)
                .reason("no-identity")
                .hint("decrypt it with `stack decrypt` and verify the result"),
            VerificationError::NoDigest { .. } => {
                Self::new(Kind::Usage, message).hint("give one of its files")
            }
            VerificationError::OtherDigest { .. } => differs(message, "digest-mismatch", "fetch it again"),
            VerificationError::ModifiedBlob { .. } => {
                differs(message, "digest-mismatch", "download it again with `stack pull --update`")
            }
            VerificationError::OtherContents { .. } => differs(
                message,
                "digest-mismatch",
                "anyone who can open it could have made it; ask whoever sealed it",
            ),
        }
    }
}

impl CommandError {
    /// Makes the error for a model that the policy does not let pass.
    pub(crate) fn refused(what: &str, reason: Reason, detail: &str) -> Self {
        let (kind, hint) = match reason {
            Reason::NoSignature => {
                (Kind::Missing, "sign it with `stack sign`, or give the signature file with --signature")
            }
            Reason::UnknownSigner => (
                Kind::Untrusted,
                "if you know the signer, run `stack trust add NAME --key KEY --for PATTERN`, or verify with --key KEY",
            ),
            Reason::WrongName => (Kind::Untrusted, "store the model under the name it was signed for"),
            Reason::Revoked => (
                Kind::Untrusted,
                "have it signed with a key that is not revoked; `stack trust list` shows revoked keys",
            ),
            Reason::BelowThreshold => (Kind::Untrusted, "add another signature with `stack sign --cosign`"),
            Reason::Expired => (Kind::Untrusted, "request a new signature from the signer"),
            Reason::NotYetValid => (Kind::Untrusted, "check this machine's clock and the signer's"),
            Reason::RolledBack => (Kind::Untrusted, "a newer signature was accepted earlier; use that one"),
            Reason::TemplateChanged => (
                Kind::Untrusted,
                "`stack show --template` prints the template; have the model signed with this template",
            ),
            Reason::TierForbids | Reason::FormatForbids | Reason::SealingForbids => {
                (Kind::Refused, "`stack trust list` shows the rule")
            }
        };
        Self::new(kind, format!("{what}: {detail}")).reason(reason.code()).hint(hint)
    }
}

const AGAIN: &str = "download it again, for example with `stack pull --update`";
