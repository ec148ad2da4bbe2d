//! Models that are sealed where they lie: files and folders outside the store, and whose key opens them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::stack::{Ran, command};

#[test]
fn a_sealed_file_does_what_its_plain_form_does() {
    let site = Site::new(&["alice"]);
    let plain = site.file("m.gguf", MODEL);
    let answer = site.ask(&plain).output();
    let mut shown = site.run(&["show", &plain, "--json"]).json();
    let tokens = site.run(&["tokenize", &plain, "a dog"]).output();
    site.run(&["encrypt", &plain, "--recipient", "alice"]).output();
    fs::remove_file(&plain).unwrap();
    let sealed = format!("{plain}.age");
    assert_eq!(site.ask(&sealed).output(), answer);
    // What was sealed here was recorded, and nothing else is taken for it.
    assert_eq!(shown["basis"], "first_seen");
    shown["basis"] = "pinned".into();
    assert_eq!(site.run(&["show", &sealed, "--json"]).json(), shown);
    assert_eq!(site.run(&["tokenize", &sealed, "a dog"]).output(), tokens);
    let bench = ["bench", &sealed, "--prompt", "4", "--generate", "2", "--reps", "1", "--json"];
    assert_eq!(site.run(&bench).json()["model"], "m");
    assert_eq!(site.plain_files(), Vec::<PathBuf>::new(), "no plain byte is on disk");
    // A new name, or another header, changes nothing about what it holds.
    let moved = site.path("other.gguf.age");
    fs::rename(&sealed, &moved).unwrap();
    site.run(&["keygen", "--identity", "bob", "--no-passphrase"]).output();
    site.run(&["rekey", &moved, "--add", "bob"]).output();
    assert_eq!(site.ask(&moved).output(), answer);
    site.run(&["rekey", &moved, "--rotate", "--recipient", "bob"]).output();
    assert_eq!(site.ask(&moved).output(), answer);
}

#[test]
fn a_sealed_file_from_elsewhere_needs_a_signature_of_what_it_holds() {
    let (here, there) = (Site::new(&["alice"]), Site::new(&["bob"]));
    let plain = here.file("m.gguf", MODEL);
    here.run(&["sign", &plain, "--name", "med/m"]).output();
    here.run(&["encrypt", &plain, "--recipient", &there.recipient("bob")]).output();
    let sealed = there.path("m.gguf.age");
    fs::copy(format!("{plain}.age"), &sealed).unwrap();
    there.ask(&sealed).fails(6, &["error[unknown-signer]", "stack trust add"]);
    fs::copy(format!("{plain}.sig"), there.path("m.gguf.sig")).unwrap();
    there.ask(&sealed).fails(6, &["error[unknown-signer]"]);
    there.run(&["trust", "add", "alice", "--key", &here.key("alice"), "--for", "**"]).output();
    assert!(!there.ask(&sealed).output().is_empty());
    let verified = there.run(&["verify", &sealed]).output();
    assert!(verified.contains("opened m.gguf: blake3:"), "{verified}");
    assert_eq!(there.plain_files(), Vec::<PathBuf>::new());

    // Who can open it can make another one, which is noticed.
    let mut other = MODEL.to_vec();
    let at = other.len() / 2;
    other[at] ^= 1;
    let forged = here.file("forged.gguf", &other);
    here.run(&["encrypt", &forged, "--recipient", &there.recipient("bob")]).output();
    fs::copy(format!("{forged}.age"), &sealed).unwrap();
    there.ask(&sealed).fails(5, &["error[digest-mismatch]"]);
    let verified = there.run(&["verify", &sealed]);
    assert!(verified.stdout.contains("FAIL  digest") && verified.code == 5, "{}", verified.stdout);
}

#[test]
fn a_folder_with_sealed_weights_is_a_model() {
    let site = Site::new(&["alice"]);
    let copy = site.path("model");
    fs::create_dir(&copy).unwrap();
    let weights = format!("{copy}/weights.gguf");
    fs::write(&weights, MODEL).unwrap();
    fs::write(format!("{copy}/README"), "ours").unwrap();
    let logits = |site: &Site| site.run(&["logits", &copy, "--tokens", "1,2,3", "--json"]).output();
    let before = logits(&site);
    site.run(&["sign", &copy]).output();
    site.run(&["encrypt", &weights, "--recipient", "alice"]).output();
    fs::remove_file(&weights).unwrap();
    assert_eq!(logits(&site), before, "sealed here");
    fs::remove_dir_all(site.path("home/trust/sealed")).unwrap();
    site.run(&["logits", &copy, "--tokens", "1"]).fails(6, &["error[unknown-signer]"]);
    site.run(&["trust", "add", "alice", "--key", "alice", "--for", "**"]).output();
    assert_eq!(logits(&site), before, "signed");
    let verified = site.run(&["verify", &copy]).output();
    assert!(verified.contains("opened weights.gguf"), "{verified}");
}

#[test]
fn of_several_identities_the_one_that_fits_opens() {
    let site = Site::new(&["alice", "bob", "carol"]);
    let plain = site.file("m.gguf", MODEL);
    site.run(&["encrypt", &plain, "--recipient", "carol"]).output();
    let sealed = format!("{plain}.age");
    assert!(!site.ask(&sealed).output().is_empty());
    site.run(&["decrypt", &sealed, "-o", &site.path("out.gguf")]).output();
    site.run(&["run", "-m", &sealed, "--identity", "bob", "x"]).fails(10, &["error[no-identity]"]);
    fs::rename(site.path("home/keys/carol.key"), site.path("carol.key")).unwrap();
    site.ask(&sealed).fails(10, &["error[no-identity]", "alice, bob", "--identity"]);
    let key = site.path("carol.key");
    site.run(&["run", "-m", &sealed, "--identity", &key, "--max-tokens", "3", "x"]).output();

    let name = "med/m";
    site.run(&["adopt", &plain, "--copy", "--as", name]).output();
    site.run(&["encrypt", name, "--recipient", "bob"]).output();
    assert!(!site.ask(name).output().is_empty());
    let package = site.path("m.stackpkg");
    site.run(&["export", name, "-o", &package, "--recipient", "bob"]).output();
    site.run(&["import", &package, "--dry-run"]).output();
}

#[test]
fn no_passphrase_is_asked_for_in_vain() {
    let site = Site::new(&["alice"]);
    for name in ["bob", "carol"] {
        site.with("PASS", &format!("{name}'s"), &["keygen", "--identity", name, "--password-env", "PASS"])
            .output();
    }
    let plain = site.file("m.gguf", &MODEL[..300_000]);
    let out = site.path("out");
    let opens = |site: &Site, sealed: &str, passphrase: Option<&str>| {
        let _none = fs::remove_file(&out);
        let decrypt = ["decrypt", sealed, "-o", &out];
        match passphrase {
            None => site.run(&decrypt),
            Some(text) => site.with("PASS", text, &[&decrypt[..], &["--password-env", "PASS"]].concat()),
        }
    };
    // A key without a passphrase fits: nobody is asked, though there is no terminal to ask on.
    let sealed = site.path("a.age");
    site.run(&["encrypt", &plain, "-o", &sealed, "--recipient", "alice", "--recipient", "carol"]).output();
    opens(&site, &sealed, None).output();
    // Only carol's fits, and this machine noted that: bob's passphrase is not asked for.
    let sealed = site.path("c.age");
    site.run(&["encrypt", &plain, "-o", &sealed, "--recipient", "carol"]).output();
    opens(&site, &sealed, Some("carol's")).output();
    opens(&site, &sealed, Some("bob's")).fails(10, &["error[wrong-passphrase]", "carol.key"]);
    opens(&site, &sealed, None).fails(2, &["no terminal", "--password-env"]);
    // Nothing is noted: all are tried with the passphrase.
    fs::remove_dir_all(site.path("home/trust/sealed")).unwrap();
    opens(&site, &sealed, Some("carol's")).output();
}

#[test]
fn names_that_are_nearly_right_are_suggested() {
    let site = Site::new(&["alice@example.com", "bob@example.com"]);
    let file = site.file("m.bin", b"weights");
    site.run(&["sign", &file, "--identity", "alice"]).fails(3, &["error[no-key]", "alice@example.com"]);
    site.run(&["sign", &file]).fails(2, &["alice@example.com, bob@example.com"]);
    site.run(&["encrypt", &file, "--recipient", "bob"]).fails(3, &["error[no-key]", "bob@example.com"]);
    site.run(&["encrypt", &file, "--recipient", "bob@example.com.pub"]).output();
    let trust = ["trust", "add", "alice", "--key", "alice@example.com.pub", "--for", "**"];
    site.run(&trust).output();
}

/// A home with identities, and a folder for files.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new(identities: &[&str]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        for name in identities {
            site.run(&["keygen", "--identity", name, "--no-passphrase"]).output();
        }
        site
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.with("UNUSED", "", arguments)
    }

    fn with(&self, variable: &str, value: &str, arguments: &[&str]) -> Ran {
        let mut command = command(arguments);
        command.env("STACK_HOME", self.path("home")).env(variable, value);
        Ran::from(command.output().unwrap())
    }

    fn ask(&self, model: &str) -> Ran {
        let question = "Tell me a story about a dog.";
        self.run(&["run", "-m", model, "--temperature", "0", "--max-tokens", "20", question])
    }

    fn key(&self, identity: &str) -> String {
        self.public(identity, 0)
    }

    fn recipient(&self, identity: &str) -> String {
        self.public(identity, 1)
    }

    fn public(&self, identity: &str, line: usize) -> String {
        let public = fs::read_to_string(self.path(&format!("home/keys/{identity}.pub"))).unwrap();
        public.lines().nth(line).unwrap().to_owned()
    }

    /// Lists the files in which a piece of the model stands as it is.
    fn plain_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(self.folder.path(), &MODEL[MODEL.len() / 3..][..48], &mut found);
        found
    }
}

fn search(folder: &Path, needle: &[u8], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, needle, found);
        } else if fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
            found.push(path);
        }
    }
}

const MODEL: &[u8] = include_bytes!("../../../../models/default/stories.gguf");
