//! What the tests of this crate begin with.

use std::cell::Cell;

use stack_seal::age::Passphrase;
use stack_seal::key::{KeyKind, PublicKey, SigningKey};
use stack_seal::statement::{Claim, Tier};
use stack_seal::time::UnixTime;
use zeroize::Zeroizing;

use crate::passphrase::{PassphraseError, PassphraseSource};
use crate::private_file::Exposure;

/// A signing key, the same for the same byte.
pub(crate) fn signing_key(byte: u8) -> SigningKey {
    SigningKey::from_secret(KeyKind::Ed25519, &[byte; 32]).unwrap()
}

/// The public half of [`signing_key`].
pub(crate) fn key(byte: u8) -> PublicKey {
    signing_key(byte).public()
}

/// A claim for the model `m` by the first key.
pub(crate) fn claim() -> Claim {
    Claim {
        name: "m".to_owned(),
        serial: 1,
        issued: UnixTime::from_seconds(100),
        expires: None,
        signers: vec![key(1)],
        quorum: 1,
        tier: Tier::Standard,
        format: "gguf".to_owned(),
        template: None,
        origin: None,
        license: None,
        recipe: None,
        parents: Vec::new(),
        sealed: Vec::new(),
    }
}

/// Always says `secret`, and counts.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) count: Cell<usize>,
    pub(crate) entrusted: Cell<usize>,
}

impl PassphraseSource for Asked {
    fn existing(&self, _: &str) -> Result<Passphrase, PassphraseError> {
        assert!(self.entrusted.get() > 0, "a passphrase is a secret");
        self.count.set(self.count.get() + 1);
        Ok(Passphrase::new(Zeroizing::new("secret".to_owned())))
    }

    fn existing_or_none(&self, what: &str) -> Result<Option<Passphrase>, PassphraseError> {
        self.existing(what).map(Some)
    }

    fn entrusted(&self) {
        self.entrusted.set(self.entrusted.get() + 1);
    }

    fn exposed(&self, _: &Exposure) {}
}
