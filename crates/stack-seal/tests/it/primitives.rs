//! The primitives that sealing is made of, against Wycheproof's vectors, the RFCs, and `ring`.

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::vectors::{self, Wycheproof, hex};

#[derive(Deserialize)]
struct Group<T> {
    tests: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Aead {
    tc_id: u32,
    key: String,
    iv: String,
    aad: String,
    msg: String,
    ct: String,
    tag: String,
    result: String,
}

/// Opens a case with one implementation; `None` where the tag is wrong or the nonce cannot be one.
type Open = fn(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;

fn open<C: KeyInit + AeadInOut>(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (body, tag) = sealed.split_last_chunk::<16>()?;
    let mut body = body.to_vec();
    let (nonce, tag) = (nonce.try_into().ok()?, tag.as_slice().try_into().ok()?);
    C::new_from_slice(key).ok()?.decrypt_inout_detached(nonce, aad, body.as_mut_slice().into(), tag).ok()?;
    Some(body)
}

fn open_with_ring(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    key.open_in_place(nonce, Aad::from(aad), &mut sealed).ok().map(|plain| plain.to_vec())
}

fn check_aead(name: &str, open: Open, counts: (usize, usize)) {
    let Some(vectors) = vectors::read::<Wycheproof<Group<Aead>>>(name) else { return };
    let (mut valid, mut invalid) = (0, 0);
    for case in vectors.test_groups.iter().flat_map(|group| &group.tests) {
        let sealed = [hex(&case.ct), hex(&case.tag)].concat();
        let opened = open(&hex(&case.key), &hex(&case.iv), &hex(&case.aad), &sealed);
        if case.result == "valid" {
            assert_eq!(opened, Some(hex(&case.msg)), "case {}", case.tc_id);
            valid += 1;
        } else {
            assert_eq!(opened, None, "case {}", case.tc_id);
            invalid += 1;
        }
    }
    assert_eq!((valid, invalid), counts);
}

#[test]
fn the_cipher() {
    check_aead("wycheproof/chacha20_poly1305_test.json", open::<ChaCha20Poly1305>, (256, 69));
    check_aead("wycheproof/xchacha20_poly1305_test.json", open::<XChaCha20Poly1305>, (246, 69));
}

#[test]
fn the_oracle_agrees() {
    check_aead("wycheproof/chacha20_poly1305_test.json", open_with_ring, (256, 69));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HkdfCase {
    tc_id: u32,
    ikm: String,
    salt: String,
    info: String,
    size: usize,
    okm: String,
    result: String,
}

#[test]
fn hkdf() {
    let name = "wycheproof/hkdf_sha256_test.json";
    let Some(vectors) = vectors::read::<Wycheproof<Group<HkdfCase>>>(name) else { return };
    let (mut valid, mut invalid) = (0, 0);
    for case in vectors.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; case.size];
        let hkdf = hkdf::Hkdf::<Sha256>::new(Some(&hex(&case.salt)), &hex(&case.ikm));
        let expanded = hkdf.expand(&hex(&case.info), &mut okm).ok().map(|()| okm);
        if case.result == "valid" {
            assert_eq!(expanded, Some(hex(&case.okm)), "case {}", case.tc_id);
            valid += 1;
        } else {
            assert_eq!(expanded, None, "case {}", case.tc_id);
            invalid += 1;
        }
    }
    assert_eq!((valid, invalid), (83, 3));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HmacGroup {
    tag_size: usize,
    tests: Vec<HmacCase>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HmacCase {
    tc_id: u32,
    key: String,
    msg: String,
    tag: String,
    result: String,
}

#[test]
fn hmac() {
    let Some(vectors) = vectors::read::<Wycheproof<HmacGroup>>("wycheproof/hmac_sha256_test.json") else {
        return;
    };
    let (mut valid, mut invalid) = (0, 0);
    for group in &vectors.test_groups {
        for case in &group.tests {
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&hex(&case.key)).unwrap();
            mac.update(&hex(&case.msg));
            let tag = hex(&case.tag);
            assert!(tag.len() * 8 <= group.tag_size);
            let accepted = mac.verify_truncated_left(&tag).is_ok();
            assert_eq!(accepted, case.result == "valid", "case {}", case.tc_id);
            if accepted { valid += 1 } else { invalid += 1 }
        }
    }
    assert_eq!((valid, invalid), (66, 108));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct X25519Case {
    tc_id: u32,
    public: String,
    private: String,
    shared: String,
    result: String,
}

#[test]
fn x25519() {
    let Some(vectors) = vectors::read::<Wycheproof<Group<X25519Case>>>("wycheproof/x25519_test.json") else {
        return;
    };
    let (mut valid, mut acceptable) = (0, 0);
    for case in vectors.test_groups.iter().flat_map(|group| &group.tests) {
        let array = |text: &str| <[u8; 32]>::try_from(hex(text)).unwrap();
        let secret = x25519_dalek::StaticSecret::from(array(&case.private));
        let shared = secret.diffie_hellman(&array(&case.public).into());
        assert_eq!(shared.to_bytes(), array(&case.shared), "case {}", case.tc_id);
        // Age refuses exactly the shared secrets that are all zero.
        assert_eq!(shared.was_contributory(), shared.to_bytes() != [0; 32], "case {}", case.tc_id);
        match case.result.as_str() {
            "valid" => valid += 1,
            _ => acceptable += 1,
        }
    }
    assert_eq!((valid, acceptable), (264, 254));
}

/// RFC 7914, section 12; its last answer, which takes 1 GiB, is left out.
#[test]
fn scrypt() {
    for (passphrase, salt, log_n, r, p, expected) in [
        (
            "",
            "",
            4,
            1,
            1,
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442\
             fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
        ),
        (
            "password",
            "NaCl",
            10,
            8,
            16,
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162\
             2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
        ),
        (
            "pleaseletmein",
            "SodiumChloride",
            14,
            8,
            1,
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2\
             d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
        ),
    ] {
        let mut key = [0; 64];
        let params = ::scrypt::Params::new(log_n, r, p).unwrap();
        ::scrypt::scrypt(passphrase.as_bytes(), salt.as_bytes(), &params, &mut key).unwrap();
        assert_eq!(key.as_slice(), hex(expected), "{passphrase}");
    }
}

/// RFC 9106, section 5.3.
#[test]
fn argon2id() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let argon = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
    let expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
    assert_eq!(tag.as_slice(), hex(expected));
}
