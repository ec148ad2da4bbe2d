//! Identity files: a passphrase through Argon2id. Such files never travel, so the stanza may be our own.
//!
//! Everything else about them is age v1: the codec is the same, only the way from the passphrase to the file key
//! differs.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::file_key::FileKey;
use super::header::Header;
use super::passphrase::SALT;
use super::stanza::{self, Stanza};
use super::{HeaderError, OpenError, Passphrase, Random, payload};

/// What guessing one passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// What we write: 256 MiB, three passes, one lane.
    pub(crate) const WRITTEN: Self = Self { memory_kib: 262_144, passes: 3, lanes: 1 };

    /// The least that we accept: 19 MiB.
    #[cfg(test)]
    pub(crate) const LEAST: Self = Self { memory_kib: MEMORY_MIN_KIB, passes: 1, lanes: 1 };

    /// Checks the bounds; nothing may allocate before.
    fn accepted(self) -> bool {
        (MEMORY_MIN_KIB..=MEMORY_MAX_KIB).contains(&self.memory_kib)
            && (1..=PASSES_MAX).contains(&self.passes)
            && (1..=LANES_MAX).contains(&self.lanes)
    }
}

/// Seals the text of an identity file.
pub(crate) fn seal_identity_file(
    plain: &[u8],
    passphrase: &Passphrase,
    cost: Cost,
    random: &mut Random<'_>,
) -> Vec<u8> {
    let file_key = FileKey::generate(random);
    let mut salt = [0; SALT];
    random(&mut salt);
    let body = file_key.wrap(&derive(passphrase, &salt, cost));
    let numbers = [cost.memory_kib, cost.passes, cost.lanes].map(|number| number.to_string());
    let args = [KIND, &stanza::encode(&salt), &numbers[0], &numbers[1], &numbers[2]];
    let mut sealed = Header::new(vec![Stanza::new(&args, &body)], &file_key).to_bytes();
    sealed.extend(payload::seal_bytes(&file_key, plain, random));
    sealed
}

/// Opens what [`seal_identity_file`] sealed.
pub(crate) fn open_identity_file(
    sealed: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, len) = Header::parse(sealed)?;
    let [stanza] = header.stanzas.as_slice() else {
        return Err(HeaderError::NotAlone { kind: KIND.to_owned() }.into());
    };
    if stanza.kind() != KIND {
        return Err(OpenError::NoIdentity);
    }
    let file_key = header.confirm(unwrap(stanza, passphrase)?.ok_or(OpenError::WrongPassphrase)?)?;
    payload::open_bytes(&file_key, &sealed[len..])
}

fn unwrap(stanza: &Stanza, passphrase: &Passphrase) -> Result<Option<FileKey>, HeaderError> {
    let ([salt, memory, passes, lanes], body) = stanza.parts()?;
    let salt = stanza.bytes(salt)?;
    let cost = Cost {
        memory_kib: stanza.number(memory)?,
        passes: stanza.number(passes)?,
        lanes: stanza.number(lanes)?,
    };
    if cost.accepted() {
        Ok(FileKey::unwrap(body, &derive(passphrase, &salt, cost)))
    } else {
        Err(HeaderError::TooCostly { kind: KIND.to_owned() })
    }
}

fn derive(passphrase: &Passphrase, salt: &[u8; SALT], cost: Cost) -> Zeroizing<[u8; 32]> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32));
    let params = params.expect("accepted costs are Argon2's, too");
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &[KIND.as_bytes(), salt].concat(), &mut *key)
        .expect("salt and output have lengths that Argon2 takes");
    key
}

/// The kind of this stanza, and the label in front of the salt.
const KIND: &str = "sovereign-stack/argon2id";

const MEMORY_MIN_KIB: u32 = 19 * 1024;
const MEMORY_MAX_KIB: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn only_the_right_passphrase_opens() {
        let sealed = seal_identity_file(b"secret", &passphrase("right"), Cost::LEAST, &mut |b| b.fill(3));
        assert_eq!(*open_identity_file(&sealed, &passphrase("right")).unwrap(), b"secret");
        let wrong = open_identity_file(&sealed, &passphrase("wrong"));
        assert!(matches!(wrong, Err(OpenError::WrongPassphrase)));
    }

    #[test]
    fn costs_are_checked_before_memory_is_taken() {
        let salt = stanza::encode(&[0; SALT]);
        for costs in [
            ["4294967295", "3", "1"],
            ["1048577", "3", "1"],
            ["19455", "3", "1"],
            ["262144", "11", "1"],
            ["262144", "3", "5"],
        ] {
            let stanza = Stanza::new(&[KIND, &salt, costs[0], costs[1], costs[2]], &[0; 32]);
            let error = unwrap(&stanza, &passphrase("x")).unwrap_err();
            assert_eq!(error, HeaderError::TooCostly { kind: KIND.to_owned() }, "{costs:?}");
        }
        for costs in [["0", "3", "1"], ["262144", "0", "1"], ["262144", "3", "0"], ["262144", "3", "01"]] {
            let stanza = Stanza::new(&[KIND, &salt, costs[0], costs[1], costs[2]], &[0; 32]);
            assert!(
                matches!(unwrap(&stanza, &passphrase("x")), Err(HeaderError::Stanza { .. })),
                "{costs:?}"
            );
        }
    }
}
