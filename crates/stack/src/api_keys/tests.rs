//! Keys that are made, found and revoked, and files that are not what they should be.

use stack_chat::Priority;
use stack_seal::time::UnixTime;
use stack_server::{Grant, RateLimits, Scope};

use super::*;

fn file() -> (tempfile::TempDir, KeyFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = KeyFile::at(folder.path().join("home").join(FILE_NAME));
    (folder, file)
}

/// Makes a key whose bytes are all `seed`.
fn key(seed: u8) -> (Token, ApiKey) {
    let token = Token::draw(&mut |bytes: &mut [u8]| bytes.fill(seed));
    let grant = Grant {
        key_id: token.id.clone(),
        name: format!("key-{seed}"),
        tenant: parse_tenant("team").unwrap(),
        scopes: [Scope::Infer, Scope::Read].into_iter().collect(),
        models: vec!["qwen*".parse().unwrap()],
        limits: RateLimits { requests: None, tokens: std::num::NonZeroU32::new(5) },
        priority: Priority::Batch,
        expires_s: Some(4_000_000_000),
    };
    let key =
        ApiKey { digest: token.digest(), created: UnixTime::from_seconds(seed.into()), grant: grant.into() };
    (token, key)
}

fn add(file: &KeyFile, key: ApiKey) {
    file.change(|keys| {
        keys.push(key);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_key_is_found_until_it_is_revoked_by_whoever_looks() {
    let (_folder, ours) = file();
    let theirs = KeyFile::at(ours.path.clone());
    let (token, kept) = key(7);
    assert_eq!(theirs.find(&token.text), Ok(FoundKey::Unknown));
    assert!(!theirs.have_changed());
    add(&ours, kept.clone());
    assert!(theirs.have_changed());
    assert_eq!(theirs.find(&token.text), Ok(FoundKey::Valid(Arc::clone(&kept.grant))));
    assert!(!theirs.have_changed());
    assert_eq!(ours.keys().unwrap(), [kept], "what is written is what was meant");
    ours.change(|keys| {
        keys.clear();
        Ok(())
    })
    .unwrap();
    assert_eq!(theirs.find(&token.text), Ok(FoundKey::Unknown));
}

#[test]
fn only_the_whole_key_is_right() {
    let (_folder, file) = file();
    let (token, kept) = key(7);
    add(&file, kept);
    let text = token.text.as_str();
    for end in 0..text.len() {
        let found = file.find(&text[..end]).unwrap();
        assert!(!matches!(found, FoundKey::Valid(_)), "{end}");
    }
    for wrong in [format!("{text}0"), text.replace("07-", "08-"), text.to_uppercase(), format!(" {text}")] {
        assert!(!matches!(file.find(&wrong), Ok(FoundKey::Valid(_))), "{wrong}");
    }
    assert_eq!(file.find("unused"), Ok(FoundKey::Foreign));
}

#[test]
fn the_file_is_its_owners_and_holds_no_key() {
    let (_folder, file) = file();
    let (token, kept) = key(7);
    add(&file, kept);
    let text = fs::read_to_string(&file.path).unwrap();
    let secret = token.text.rsplit_once('-').unwrap().1;
    assert!(!text.contains(secret) && text.contains(&token.id), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_damaged_file_lets_nobody_in_and_is_not_overwritten() {
    let (_folder, file) = file();
    let (token, kept) = key(7);
    add(&file, kept.clone());
    let whole = fs::read_to_string(&file.path).unwrap();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"infer\"", "\"all\""),
        ("\"qwen*\"", "\"a b\""),
        ("\"team\"", "\"\""),
        ("\"batch\"", "\"urgent\""),
        ("blake3:", "sha256:"),
        ("\"name\"", "\"nmae\""),
        ("1970-01-01T00:00:07Z", "yesterday"),
        ("}", ""),
    ] {
        let damaged = whole.replacen(from, to, 1);
        assert_ne!(damaged, whole, "{from}");
        fs::write(&file.path, &damaged).unwrap();
        assert!(file.find(&token.text).is_err(), "{from}");
        let error = file.change(|_| Ok(())).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Malformed, Some("bad-api-keys")), "{from}");
        assert_eq!(fs::read_to_string(&file.path).unwrap(), damaged);
    }
    fs::write(&file.path, whole).unwrap();
    assert_eq!(file.find(&token.text), Ok(FoundKey::Valid(kept.grant)), "once it is mended, it counts again");
}

#[test]
fn ten_thousand_keys_are_fine() {
    let (_folder, file) = file();
    let mut number = 0_u64;
    let mut random = |bytes: &mut [u8]| {
        number += 1;
        bytes.fill(0);
        bytes[..2].copy_from_slice(&(number as u16).to_le_bytes());
    };
    let tokens: Vec<Token> = (0..10_000).map(|_| Token::draw(&mut random)).collect();
    file.change(|keys| {
        for token in &tokens {
            let grant = Grant { key_id: token.id.clone(), ..(*key(1).1.grant).clone() };
            keys.push(ApiKey { digest: token.digest(), grant: grant.into(), ..key(1).1 });
        }
        Ok(())
    })
    .unwrap();
    let found = |token: &Token| matches!(file.find(&token.text), Ok(FoundKey::Valid(grant)) if grant.key_id == token.id);
    assert!(tokens.iter().all(found));
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    let (_folder, file) = file();
    thread::scope(|scope| {
        for seed in 1..=16 {
            let path = file.path.clone();
            scope.spawn(move || add(&KeyFile::at(path), key(seed).1));
        }
    });
    assert_eq!(file.keys().unwrap().len(), 16);
}
