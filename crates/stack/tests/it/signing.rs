//! Keys, signatures and trust: who vouches for a model, and every way in which that fails.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stack_registry::manifest::{ConfigFacts, FilePath, kind};
use stack_registry::model::{describe_file, put_model};
use stack_registry::name::Name;
use stack_registry::store::{Entry, Hashed, Rebind, Record, Store};
use stack_seal::digest::Root;
use stack_testkit::reference_data;
use tempfile::TempDir;

use crate::stack::{Ran, command, stack};
use crate::tiny_model;

#[test]
fn an_identity_is_two_files_of_which_one_is_secret() {
    let site = Site::new();
    let made = site.stack(&["keygen", "--identity", "carol", "--no-passphrase", "--json"]).json();
    assert!(made["key"].as_str().unwrap().starts_with("ed25519:"));
    assert!(made["recipient"].as_str().unwrap().starts_with("age1"));
    let public = fs::read_to_string(made["public_file"].as_str().unwrap()).unwrap();
    assert_eq!(
        public,
        format!("{}\n{}\n", made["key"].as_str().unwrap(), made["recipient"].as_str().unwrap())
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(Path::new(made["key_file"].as_str().unwrap())), 0o600);
        assert_eq!(mode(&site.home().join("keys")), 0o700);
    }
    site.stack(&["keygen", "--identity", "carol", "--no-passphrase"]).fails(7, &["carol already", "hint: "]);
    site.stack(&["keygen", "--identity", "../x", "--no-passphrase"]).fails(2, &["error[bad-name]"]);
    site.stack(&["keygen", "--identity", "dave"]).fails(2, &["no terminal", "--password-env"]);
}

#[test]
fn a_passphrase_closes_a_key() {
    let site = Site::new();
    let with = |passphrase: &str, arguments: &[&str]| {
        let mut command = command(&[arguments, &["--home", site.home().to_str().unwrap()]].concat());
        Ran::from(command.env("PASS", passphrase).output().unwrap())
    };
    with("open sesame", &["keygen", "--identity", "carol", "--kind", "p384", "--password-env", "PASS"])
        .output();
    let file = site.file("m.bin", b"weights");
    let sign = ["sign", &file, "--identity", "carol", "--password-env", "PASS"];
    with("close sesame", &sign).fails(10, &["error[wrong-passphrase]"]);
    with("", &sign).fails(2, &["PASS is empty or not set"]);
    with("open sesame", &sign).output();
    let public = site.home().join("keys/carol.pub");
    site.stack(&["verify", &file, "--key", public.to_str().unwrap()]).output();
}

#[test]
fn a_second_signer_does_not_replace_the_first() {
    let site = Site::new();
    let file = site.file("m.bin", b"weights");
    let first = site.stack(&["sign", &file, "--identity", "alice"]).output();
    let before = fs::read(first.trim()).unwrap();
    let second = site.stack(&["sign", &file, "--identity", "bob"]).output();
    assert_ne!(first, second);
    refused(&site.stack(&["sign", &file, "--identity", "bob", "-o", first.trim()]), 2, "exists");
    assert_eq!(fs::read(first.trim()).unwrap(), before);
    for name in ["alice", "bob"] {
        let key = site.home().join(format!("keys/{name}.pub"));
        site.stack(&["verify", &file, "--key", key.to_str().unwrap()]).output();
    }
    assert_eq!(
        site.stack(&["sign", &file, "--identity", "alice"]).output(),
        first,
        "a renewed one stays one"
    );
    assert_eq!(site.stack(&["sign", &file, "--identity", "alice", "-o", first.trim()]).output(), first);
}

#[test]
fn a_wrong_signature_beside_a_right_one_says_nothing() {
    let site = Site::new();
    let file = site.file("m.bin", b"weights");
    let signature = site.stack(&["sign", &file, "--identity", "alice"]).output();
    let good = fs::read_to_string(signature.trim()).unwrap();
    let key = site.home().join("keys/alice.pub");
    let verify = ["verify", &file, "--key", key.to_str().unwrap()];
    fs::write(format!("{file}.0123abcd.sig"), b"garbage").unwrap();
    let flipped = good.replacen("\"sig\":\"", "\"sig\":\"A", 1);
    fs::write(format!("{file}.89abcdef.sig"), flipped).unwrap();
    site.stack(&verify).output();
    fs::remove_file(signature.trim()).unwrap();
    assert_ne!(site.stack(&verify).code, 0, "alone they are a sign of tampering");
}

#[cfg(unix)]
#[test]
fn key_files_that_others_read_or_that_were_exchanged_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let file = site.file("m.bin", b"weights");
    let sign = ["sign", &file, "--identity", "alice"];
    assert!(!site.stack(&sign).stderr.contains("warning"));
    let key = site.home().join("keys/alice.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(site.home().join("keys"), fs::Permissions::from_mode(0o777)).unwrap();
    let warned = site.stack(&sign).stderr;
    assert!(warned.contains("read by others") && warned.contains("write into"), "{warned}");
    fs::copy(site.home().join("keys/bob.key"), &key).unwrap();
    site.stack(&sign).fails(5, &["error[bad-key]", "does not belong to the public key"]);
}

#[cfg(unix)]
#[test]
fn a_policy_that_others_may_write_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    site.trust("alice");
    let file = site.signed("m.bin", &[]);
    assert!(!site.stack(&["verify", &file]).stderr.contains("warning"));
    fs::set_permissions(site.home().join("trust/trust.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    let warned = site.stack(&["verify", &file]);
    assert!(warned.stderr.contains("trust.toml; `chmod 0600"), "{}", warned.stderr);
    warned.output();
    fs::set_permissions(site.home().join("trust"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(site.stack(&["verify", &file]).stderr.contains("trust; `chmod 0700"));
}

#[test]
fn the_name_that_was_signed_is_told() {
    let site = Site::new();
    site.trust("alice");
    let file = site.file("harmless.bin", b"weights");
    site.sign(&file, &["--name", "med/other:v7", "--serial", "3"]);
    let text = site.stack(&["verify", &file]).output();
    assert!(text.contains("ok    name        signed as med/other:v7, serial 3"), "{text}");
    assert_eq!(site.stack(&["verify", &file, "-q"]).output(), "", "whoever wants no words gets none");
    fs::write(&file, b"weightz").unwrap();
    site.stack(&["verify", &file, "-q"]).fails(5, &["error[digest-mismatch]"]);
}

#[test]
fn a_signature_over_other_files_is_listed_with_a_question_mark() {
    let site = Site::new();
    let name = "med/tiny:1";
    site.put_into_store(name, "weights.bin", b"weights");
    site.sign(name, &[]);
    let listed = |field: &str| site.stack(&["list", "--json"]).json()["models"][0][field].clone();
    let key = site.key("alice");
    assert_eq!(
        (listed("signers"), listed("claimed_signers")),
        (serde_json::json!([key]), serde_json::json!([]))
    );
    assert!(!site.stack(&["list"]).output().contains('?'));
    // Anybody can attach what somebody signed about something else.
    let file = site.signed("other.bin", &[]);
    let elsewhere = "med/other:1";
    site.put_into_store(elsewhere, "other.bin", b"others");
    let store = Store::open(&site.home()).unwrap();
    let entry = store.resolve(&Name::parse(elsewhere).unwrap()).unwrap();
    let bundle = fs::read(format!("{file}.sig")).unwrap();
    store.attach(&store.lease().unwrap(), &entry.manifest, kind::BUNDLE, &bundle).unwrap();
    assert_eq!(
        (listed("signers"), listed("claimed_signers")),
        (serde_json::json!([]), serde_json::json!([key]))
    );
    assert_eq!(listed("tier"), Value::Null, "what it claims is not about these files");
    assert!(site.stack(&["list", "other"]).output().contains("…?"));
}

#[test]
fn what_a_trusted_signer_signed_is_verified() {
    let site = Site::new();
    let file = site.signed("m.bin", &[]);
    refused(&site.stack(&["verify", &file]), 6, "unknown-signer");
    site.trust("alice");
    let before = listing(&site.folder);
    let text = site.stack(&["verify", &file]).output();
    for check in ["signature", "signer", "revocation", "threshold", "expiry", "serial", "files", "digest"] {
        assert!(text.lines().any(|line| line.starts_with(&format!("ok    {check} "))), "{check}: {text}");
    }
    let json = site.stack(&["verify", &file, "--full", "--json"]).json();
    assert_eq!((&json["verified"], &json["statement"]["signers"][0]), (&true.into(), &"alice".into()));
    assert_eq!(listing(&site.folder), before, "verify writes nothing");
    fs::remove_file(format!("{file}.sig")).unwrap();
    refused(&site.stack(&["verify", &file]), 3, "no-signature");
}

#[test]
fn one_wrong_byte_is_found_where_it_is() {
    let site = Site::new();
    let mut bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    let file = site.file("m.bin", &bytes);
    site.sign(&file, &[]);
    site.trust("alice");
    site.stack(&["verify", &file]).output();
    for (at, place) in [
        (0, "span 0 (bytes 0..262144)"),
        (300_000, "span 1 (bytes 262144..524288)"),
        (699_999, "span 2 (bytes 524288..700000)"),
    ] {
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let ran = site.stack(&["verify", &file]);
        assert!(ran.stdout.contains(place), "{}", ran.stdout);
        assert!(ran.stdout.contains("FAIL  digest"), "{}", ran.stdout);
        refused(&ran, 5, "digest-mismatch");
        bytes[at] ^= 1;
    }
    bytes.pop();
    fs::write(&file, &bytes).unwrap();
    refused(&site.stack(&["verify", &file]), 5, "length-mismatch");
}

#[test]
fn a_signature_holds_for_its_model_only() {
    let site = Site::new();
    site.trust("alice");
    let file = site.signed("m.bin", &[]);
    let other = site.file("other.bin", b"weightz");
    let signature = format!("{file}.sig");
    refused(&site.stack(&["verify", &other, "--signature", &signature]), 5, "digest-mismatch");
    let longer = site.file("longer.bin", b"weights and more");
    refused(&site.stack(&["verify", &longer, "--signature", &signature]), 5, "length-mismatch");
}

#[test]
fn a_changed_or_malformed_signature_is_told_apart() {
    let site = Site::new();
    site.trust("alice");
    let file = site.signed("m.bin", &[]);
    let signature = format!("{file}.sig");
    let text = fs::read_to_string(&signature).unwrap();
    let replaced = |old: &str, new: &str| {
        assert!(text.contains(old), "{old}");
        fs::write(&signature, text.replacen(old, new, 1)).unwrap();
        site.stack(&["verify", &file])
    };
    // "serial": in base64, at some alignment; another digit of the payload.
    let payload = text.split("\"payload\":\"").nth(1).unwrap();
    let flipped = payload.replacen('M', "N", 1);
    refused(&replaced(payload, &flipped), 5, "bad-signature");
    refused(&replaced("\"sig\":\"", "\"sig\":\"AAAA"), 5, "bad-signature");
    refused(&replaced("\"payload\":", "\"payload\":\"\",\"payload\":"), 4, "duplicate-field");
    refused(&replaced("v0.3+json", "v9+json"), 4, "bad-bundle");
    refused(&replaced("{", ""), 4, "bad-bundle");
}

#[test]
fn time_and_order_are_kept() {
    let site = Site::new();
    site.trust("alice");
    let expired = site.signed("old.bin", &["--expires", "0s"]);
    refused(&site.stack(&["verify", &expired]), 6, "expired");
    let endless = site.signed("new.bin", &["--expires", "never"]);
    site.stack(&["verify", &endless]).output();
    let ahead = site.signed("ahead.bin", &["--serial", "9007199254740991"]);
    refused(&site.stack(&["verify", &ahead]), 6, "not-yet-valid");
    let first = site.signed("m.bin", &["--serial", "7"]);
    let mark = format!(
        r#"{{"version": 1, "serials": [{{"key": "{}", "name": "m.bin", "serial": 8}}]}}"#,
        site.key("alice")
    );
    fs::write(site.home().join("trust/marks.json"), mark).unwrap();
    refused(&site.stack(&["verify", &first]), 6, "rolled-back");
    fs::write(site.home().join("trust/marks.json"), "{").unwrap();
    refused(&site.stack(&["verify", &first]), 4, "bad-marks");
}

#[test]
fn only_the_right_keys_count() {
    let site = Site::new();
    let file = site.signed("m.bin", &[]);
    let (alice, bob) = (site.key("alice"), site.key("bob"));
    site.stack(&["verify", &file, "--key", &alice]).output();
    refused(&site.stack(&["verify", &file, "--key", &bob]), 6, "unknown-signer");
    site.trust("alice");
    site.trust("bob");
    site.stack(&["verify", &file, "--signer", "alice"]).output();
    refused(&site.stack(&["verify", &file, "--signer", "bob"]), 6, "unknown-signer");
    refused(&site.stack(&["verify", &file, "--signer", "mallory"]), 3, "no-key");
    let weak = format!("ed25519:01{}", "00".repeat(31));
    refused(&site.stack(&["trust", "add", "mallory", "--key", &weak]), 4, "bad-key");
    site.stack(&["trust", "remove", "alice", "--revoke", "--reason", "the laptop is gone"]).output();
    let ran = site.stack(&["verify", &file]);
    assert!(ran.stderr.contains("the laptop is gone"), "{}", ran.stderr);
    refused(&ran, 6, "revoked");
    refused(&site.stack(&["verify", &file, "--key", &alice]), 6, "revoked");
}

#[test]
fn a_signed_revocation_counts_where_its_signer_is_trusted() {
    let site = Site::new();
    site.trust("alice");
    let file = site.signed("m.bin", &[]);
    let alice = site.key("alice");
    let elsewhere = Site::new();
    let revoke = ["trust", "remove", &alice, "--revoke", "--reason", "lost", "--identity", "bob"];
    fs::create_dir_all(elsewhere.home().join("keys")).unwrap();
    for file in ["bob.key", "bob.pub"] {
        fs::copy(site.home().join("keys").join(file), elsewhere.home().join("keys").join(file)).unwrap();
    }
    elsewhere.stack(&revoke).output();
    let revoked = site.home().join("trust/revoked");
    fs::create_dir_all(&revoked).unwrap();
    for entry in fs::read_dir(elsewhere.home().join("trust/revoked")).unwrap() {
        fs::copy(entry.unwrap().path(), revoked.join("from-bob.json")).unwrap();
    }
    site.stack(&["verify", &file]).output();
    site.trust("bob");
    refused(&site.stack(&["verify", &file]), 6, "revoked");
    fs::write(revoked.join("from-bob.json"), "{}").unwrap();
    refused(&site.stack(&["verify", &file]), 4, "bad-bundle");
}

#[test]
fn one_model_can_be_revoked() {
    let site = Site::new();
    site.trust("alice");
    let file = site.signed("m.bin", &[]);
    let root =
        site.stack(&["verify", &file, "--json"]).json()["statement"]["root"].as_str().unwrap().to_owned();
    refused(&site.stack(&["trust", "remove", &root]), 3, "no-key");
    site.stack(&["trust", "remove", &root, "--revoke"]).output();
    refused(&site.stack(&["verify", &file]), 6, "revoked");
}

#[test]
fn two_people_sign_one_statement() {
    let site = Site::new();
    site.trust("alice");
    site.trust("bob");
    let file = site.signed("m.bin", &["--also", "bob"]);
    refused(&site.stack(&["verify", &file]), 6, "below-threshold");
    let first = format!("{file}.sig");
    let cosign = |identity: &str| site.stack(&["sign", &file, "--identity", identity, "--cosign", &first]);
    cosign("alice").fails(2, &["already signed by this identity"]);
    site.stack(&["keygen", "--identity", "mallory", "--no-passphrase"]).output();
    refused(&cosign("mallory"), 6, "unknown-signer");
    fs::write(&file, b"weightz").unwrap();
    refused(&cosign("bob"), 5, "digest-mismatch");
    fs::write(&file, b"weights").unwrap();
    let second = cosign("bob").output();
    assert!(
        Path::new(second.trim_end()).extension().is_some_and(|end| end == "sig")
            && second.trim_end() != first,
        "{second}"
    );
    let json = site.stack(&["verify", &file, "--json"]).json();
    assert_eq!(json["statement"]["signers"], serde_json::json!(["alice", "bob"]));
}

#[test]
fn a_folder_is_signed_with_all_that_is_in_it() {
    let site = Site::new();
    site.trust("alice");
    site.file("model/a.bin", b"a");
    let inner = site.file("model/sub/b.bin", b"b");
    let folder = site.folder.path().join("model");
    let name = folder.to_str().unwrap();
    site.sign(name, &[]);
    assert!(site.folder.path().join("model.sig").is_file(), "beside, never inside");
    site.stack(&["verify", name]).output();
    let extra = site.file("model/tokenizer.json", b"{}");
    refused(&site.stack(&["verify", name]), 5, "unsigned-file");
    site.stack(&["verify", name, "--ignore-unsigned"]).output();
    fs::remove_file(extra).unwrap();
    fs::remove_file(&inner).unwrap();
    refused(&site.stack(&["verify", name]), 3, "no-such-file");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hostname", &inner).unwrap();
        refused(&site.stack(&["verify", name]), 4, "bad-name");
    }
}

#[test]
fn a_chat_template_is_part_of_what_is_signed() {
    let site = Site::new();
    site.trust("alice");
    let path = tiny_model::write(site.folder.path());
    let file = path.to_str().unwrap().to_owned();
    site.sign(&file, &[]);
    site.stack(&["verify", &file]).output();
    let shown = site.stack(&["show", &file, "--json"]).json();
    assert_eq!((&shown["basis"], &shown["signers"][0]), (&"signed".into(), &"alice".into()));
    let trust = site.home().join("trust/trust.toml");
    let text = fs::read_to_string(&trust).unwrap();
    let pin = format!("match = \"**\"\ntemplate = \"blake3:{}\"", "0".repeat(64));
    fs::write(&trust, text.replace("match = \"**\"", &pin)).unwrap();
    refused(&site.stack(&["verify", &file]), 6, "template-changed");
}

#[test]
fn trust_is_edited_around_comments() {
    let site = Site::new();
    let trust = site.home().join("trust/trust.toml");
    fs::create_dir_all(trust.parent().unwrap()).unwrap();
    let ours = "# Ours, see ticket 7.\nlevel = \"audit\" # for now\n";
    fs::write(&trust, ours).unwrap();
    let alice = site.key("alice");
    let add = ["trust", "add", "alice", "--key", &alice, "--for", "med/**", "--threshold", "1", "--json"];
    let policy = site.stack(&add).json();
    assert_eq!(policy["rules"][0]["level"], "strict");
    assert!(fs::read_to_string(&trust).unwrap().starts_with(ours));
    assert_eq!(site.stack(&["trust", "list", "--json"]).json(), policy);
    let twice = ["trust", "add", "bob", "--key", &alice];
    site.stack(&twice).fails(2, &["two identities"]);
    refused(&site.stack(&["trust", "remove", "nobody"]), 3, "no-key");
    let policy = site.stack(&["trust", "remove", "alice", "--json"]).json();
    assert_eq!(policy["rules"][0]["signers"], serde_json::json!([]));
    fs::write(&trust, "levle = \"strict\"").unwrap();
    refused(&site.stack(&["trust", "list"]), 4, "bad-trust-file");
}

#[test]
fn a_rule_counts_for_its_names_only() {
    let site = Site::new();
    let file = site.signed("m.bin", &["--name", "registry.lan/med/m:1"]);
    site.stack(&["trust", "add", "alice", "--key", &site.key("alice"), "--for", "toys/**"]).output();
    refused(&site.stack(&["verify", &file]), 6, "unknown-signer");
    site.stack(&["trust", "add", "alice", "--for", "registry.lan/med/**"]).output();
    site.stack(&["verify", &file]).output();
}

#[test]
fn explain_makes_all_checks() {
    let site = Site::new();
    let file = site.signed("m.bin", &["--expires", "0s"]);
    fs::write(&file, b"weightz").unwrap();
    let ran = site.stack(&["verify", &file, "--explain"]);
    for line in ["FAIL  signer", "FAIL  expiry", "ok    length", "FAIL  digest"] {
        assert!(ran.stdout.lines().any(|text| text.starts_with(line)), "{line} is not in:\n{}", ran.stdout);
    }
    refused(&ran, 6, "unknown-signer");
}

#[test]
fn a_digest_alone_is_an_integrity_check() {
    let site = Site::new();
    let file = site.file("m.bin", b"");
    let sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let blake3 = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    site.stack(&["verify", &file, "--digest", sha256]).output();
    site.stack(&["verify", &file, "--digest", blake3]).output();
    refused(
        &site.stack(&["verify", &file, "--digest", &blake3.replace("af13", "af14")]),
        5,
        "digest-mismatch",
    );
    site.stack(&["verify", &file, "--digest", "md5:00"]).fails(2, &[]);
}

#[test]
fn missing_things_are_named() {
    let site = Site::new();
    refused(&site.stack(&["verify", "no/such/file"]), 3, "not-in-store");
    refused(&site.stack(&["verify", "./no/such/file"]), 3, "no-such-file");
    refused(&site.stack(&["sign", "none.gguf", "--identity", "alice"]), 3, "no-such-file");
    let file = site.file("m.bin", b"weights");
    refused(&site.stack(&["verify", &file, "--signature", "none.sig"]), 3, "no-signature");
    refused(&site.stack(&["sign", &file, "--identity", "carol"]), 3, "no-key");
    let ran = site.stack(&["verify", "no/such/file", "--json"]);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["exit_code"]), (&"not-in-store".into(), &3.into()));
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap()["verified"], false);
}

#[test]
fn a_model_of_the_store_keeps_its_signature_there() {
    let site = Site::new();
    let name = "med/tiny:1";
    let blob = site.put_into_store(name, "weights.bin", b"weights");
    refused(&site.stack(&["verify", name]), 3, "no-signature");
    site.sign(name, &[]);
    refused(&site.stack(&["verify", name]), 6, "unknown-signer");
    site.stack(&["trust", "add", "alice", "--key", &site.key("alice"), "--for", "med/*"]).output();
    let json = site.stack(&["verify", name, "--json"]).json();
    assert_eq!(json["statement"]["name"], name);
    assert!(site.stack(&["verify", "--all"]).output().contains("ok    model       med/tiny:1: 1 files"));
    let renamed = "med/renamed:1";
    site.put_into_store(renamed, "other.bin", b"others");
    site.sign(renamed, &["--name", name]);
    refused(&site.stack(&["verify", renamed]), 6, "wrong-name");
    fs::set_permissions(&blob, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(&blob, b"weightz").unwrap();
    refused(&site.stack(&["verify", name]), 5, "digest-mismatch");
    refused(&site.stack(&["verify", "--all"]), 5, "digest-mismatch");
    refused(&site.stack(&["verify", "med/other:1"]), 3, "not-in-store");
}

#[test]
fn signatures_of_other_tools_are_verified() {
    let Some(oms) = reference_data("vectors").map(|path| path.join("oms")) else { return };
    let site = Site::new();
    let key = oms.join("historical/keys/signing-key-pub.pem");
    for (version, extra) in [("v1.0.1", &["--ignore-unsigned"][..]), ("v1.1.0", &[])] {
        let folder = oms.join(format!("historical/{version}-elliptic-key"));
        let signature = folder.join("model.sig");
        let verify = ["verify", text(&folder), "--signature", text(&signature), "--key", text(&key)];
        site.stack(&[&verify, extra].concat()).output();
    }
    let folder = oms.join("historical/v1.0.0-elliptic-key");
    let (file, signature) = (folder.join("signme-1"), folder.join("model.sig"));
    site.stack(&["verify", text(&file), "--signature", text(&signature), "--key", text(&key)]).output();
    let sigstore = oms.join("spec/valid/sigstore.bundle.json");
    let ran = site.stack(&["verify", text(&file), "--signature", text(&sigstore), "--key", text(&key)]);
    assert!(ran.stderr.contains("`sigstore`"), "{}", ran.stderr);
    refused(&ran, 4, "bad-bundle");
}

/// A home with the identities alice and bob, and a folder for files.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["alice", "bob"] {
            site.stack(&["keygen", "--identity", name, "--no-passphrase"]).output();
        }
        site
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn stack(&self, arguments: &[&str]) -> Ran {
        stack(&[arguments, &["--home", text(&self.home())]].concat())
    }

    fn key(&self, identity: &str) -> String {
        let public = fs::read_to_string(self.home().join(format!("keys/{identity}.pub"))).unwrap();
        public.lines().next().unwrap().to_owned()
    }

    /// Trusts an identity for everything.
    fn trust(&self, identity: &str) {
        self.stack(&["trust", "add", identity, "--key", &self.key(identity), "--for", "**"]).output();
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Makes a file that alice signs.
    fn signed(&self, name: &str, arguments: &[&str]) -> String {
        let file = self.file(name, b"weights");
        self.sign(&file, arguments);
        file
    }

    /// Puts a model of one file into the store, and returns where the file lies.
    fn put_into_store(&self, name: &str, file: &str, bytes: &[u8]) -> PathBuf {
        let store = Store::open(&self.home()).unwrap();
        let lease = store.lease().unwrap();
        let sha256 = store.put(&lease, bytes).unwrap();
        let hashed = Hashed { sha256, blake3: Root::of(bytes).into(), length: bytes.len() as u64 };
        let path = FilePath::parse(file).unwrap();
        let layer = describe_file(kind::WEIGHTS, &path, &hashed);
        let manifest = put_model(&store, &lease, &ConfigFacts::default(), vec![layer]).unwrap();
        let entry = Entry { name: Name::parse(name).unwrap(), manifest, record: Record::default() };
        store.bind(&lease, &entry, Rebind::Never).unwrap();
        store.blob(&sha256).unwrap().path
    }

    fn sign(&self, target: &str, arguments: &[&str]) {
        self.stack(&[&["sign", target, "--identity", "alice"], arguments].concat()).output();
    }
}

/// Asserts an exit code and a reason code.
#[track_caller]
fn refused(ran: &Ran, code: i32, reason: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(&format!("error[{reason}]: ")), "{reason} is not in:\n{}", ran.stderr);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Lists all files below a folder with their sizes.
fn listing(folder: &TempDir) -> Vec<(PathBuf, u64)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, u64)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), found);
            } else {
                found.push((entry.path(), entry.metadata().unwrap().len()));
            }
        }
    }
    let mut found = Vec::new();
    walk(folder.path(), &mut found);
    found.sort();
    found
}
