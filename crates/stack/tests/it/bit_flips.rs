//! One bit of the store flips, anywhere. No other model ever runs, no command panics, and what was lost is brought back
//! by `verify --all --repair`, `import` and `adopt`.
//!
//! The usual run tries a few dozen bits, `.ci/deep` thousands: `STACK_BIT_FLIPS` says how many, and `STACK_BIT_FLIPS_SEED`
//! which.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use stack_registry::store::{BeginOutcome, Store};
use stack_seal::digest::{Digest, Sha256Hasher};
use tempfile::TempDir;

use crate::stack::{Ran, stack};
use crate::tiny_model;

#[test]
fn a_flipped_bit_runs_no_other_model_and_loses_nothing_for_good() {
    let site = Site::new();
    let answers = MODELS.map(|name| site.run(name).output());
    let manifests = site.manifests();
    let mut random = Random(number("STACK_BIT_FLIPS_SEED").unwrap_or(1));
    let mut flipped = BTreeMap::<String, u64>::new();
    for round in 0..number("STACK_BIT_FLIPS").unwrap_or(FLIPS) {
        site.restore();
        let (kind, flip) = site.flip(&mut random);
        *flipped.entry(kind).or_default() += 1;
        let context = format!("round {round}, {flip}");
        for (name, answer) in MODELS.iter().zip(&answers) {
            let ran = site.run(name);
            assert!(ran.is_told(), "{context}: {name}: {} {}", ran.code, ran.stderr);
            assert!(ran.code != 0 || ran.stdout == *answer, "{context}: {name} is another model");
        }
        site.heal(&context);
        let collected = site.stack(&["gc", "--grace", "0"]);
        assert_eq!(collected.code, 0, "{context}: {}", collected.stderr);
        // The same names mean the same manifests, and every byte that these list is the right one: so the answers are the same.
        let checked = site.stack(&["verify", "--all"]);
        assert_eq!(checked.code, 0, "{context}: {}{}", checked.stdout, checked.stderr);
        assert_eq!(site.manifests(), manifests, "{context}");
        if round % RUNS == 0 {
            for (name, answer) in MODELS.iter().zip(&answers) {
                let ran = site.run(name);
                assert_eq!((ran.code, &ran.stdout), (0, answer), "{context}: {name}: {}", ran.stderr);
            }
        }
    }
    eprintln!("flipped bits by the kind of file: {flipped:?}");
}

/// A home with every kind of file that a store has, and what its models came from.
struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        for (folder, template) in [("one", "1"), ("two", "2"), ("three", "3")] {
            fs::create_dir(site.path(folder)).unwrap();
            tiny_model::write_with_texts(&site.path(folder), &[("tokenizer.chat_template", template)]);
        }
        let file = |folder: &str| site.path(folder).join("tiny.gguf").to_str().unwrap().to_owned();
        site.stack(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
        site.stack(&["trust", "add", "alice", "--key", "alice", "--for", "med/**"]).output();
        for (name, folder) in [(SIGNED, "one"), (THIRD, "three")] {
            site.stack(&["adopt", &file(folder), "--copy", "--as", name]).output();
            site.stack(&["sign", name]).output();
        }
        let package = site.text("models.stackpkg");
        site.stack(&["export", SIGNED, THIRD, "-o", &package]).output();
        site.stack(&["adopt", &file("two"), "--as", ADOPTED]).output();
        // What processes that crashed left: locks that name their holders, a lease, and half a download.
        for lock in ["lock", "gc.lock"] {
            fs::write(site.path("home/store").join(lock), "4711\n").unwrap();
        }
        let leases = site.path("home/store/leases");
        fs::write(leases.join("1-0"), format!("{}\n", digest(b"in use"))).unwrap();
        let store = Store::open(&site.path("home")).unwrap();
        let BeginOutcome::Mine(part) = store.begin(&digest(b"half a download")).unwrap() else {
            panic!("nobody else is here")
        };
        part.prepare(Some(4000), Some("etag")).unwrap();
        part.write_at(&[7; 1000], 1000).unwrap();
        part.save().unwrap();
        drop(part);
        copy(&site.path("home"), &site.path("pristine"));
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn stack(&self, arguments: &[&str]) -> Ran {
        stack(&[arguments, &["--home", &self.text("home")]].concat())
    }

    fn run(&self, name: &str) -> Ran {
        self.stack(&["run", "-m", name, "--raw", "--temperature", "0", "--max-tokens", "4", "ab"])
    }

    /// What the names of all models mean.
    fn manifests(&self) -> Vec<(String, Digest)> {
        let entries = Store::open(&self.path("home")).unwrap().entries().unwrap();
        let mut meanings: Vec<_> =
            entries.into_iter().map(|entry| (entry.name.to_string(), entry.manifest.digest)).collect();
        meanings.sort();
        meanings
    }

    /// Lays everything as it was.
    fn restore(&self) {
        fs::remove_dir_all(self.path("home")).unwrap();
        copy(&self.path("pristine"), &self.path("home"));
    }

    /// Flips one bit of one file of the store, and says of which kind, and which. Small files have their share.
    fn flip(&self, random: &mut Random) -> (String, String) {
        let mut files = Vec::new();
        list(&self.path("home/store"), &mut files);
        files.retain(|file| file.metadata().unwrap().len() > 0);
        files.sort();
        let file = &files[random.below(files.len() as u64) as usize];
        let mut bytes = fs::read(file).unwrap();
        let bit = random.below(bytes.len() as u64 * 8) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::remove_file(file).unwrap();
        fs::write(file, bytes).unwrap();
        let path = file.strip_prefix(self.path("home/store")).unwrap();
        let folder = path.parent().and_then(Path::to_str).filter(|folder| !folder.is_empty());
        let kind = folder.or(path.to_str()).unwrap().to_owned();
        (kind, format!("bit {bit} of {}", path.display()))
    }

    /// Does what the messages advise.
    fn heal(&self, context: &str) {
        let package = self.text("models.stackpkg");
        let adopted = self.text("two/tiny.gguf");
        let told = |ran: Ran| {
            assert!(ran.is_told(), "{context}: {} {}", ran.code, ran.stderr);
            ran
        };
        told(self.stack(&["verify", "--all", "--repair"]));
        let import = ["import", &package, "--update"];
        if told(self.stack(&import)).code != 0 {
            // A signer that was changed keeps its name until somebody removes that.
            for name in [SIGNED, THIRD] {
                told(self.stack(&["rm", name]));
            }
            let ran = self.stack(&import);
            assert_eq!(ran.code, 0, "{context}: {}", ran.stderr);
        }
        let adopt = ["adopt", &adopted, "--as", ADOPTED, "--update"];
        if told(self.stack(&adopt)).code != 0 {
            told(self.stack(&["rm", ADOPTED]));
            let ran = self.stack(&adopt);
            assert_eq!(ran.code, 0, "{context}: {}", ran.stderr);
        }
        // What was found without a name, or under one in which the bit flipped, has its own again, and goes by that alone.
        let is_surplus = |name: &str| !MODELS.iter().any(|model| name.starts_with(model));
        for (name, _) in self.manifests().iter().filter(|(name, _)| is_surplus(name)) {
            assert_eq!(self.stack(&["rm", name]).code, 0, "{context}: {name}");
        }
    }
}

impl Ran {
    /// Whether it succeeded, or says by a code of the contract why not: no panic, no signal.
    fn is_told(&self) -> bool {
        self.code == 0 || ((1..=11).contains(&self.code) && self.stderr.contains("error"))
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Reads a number from the environment.
fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how long a test runs is up to whoever starts it")]
    let text = std::env::var(name);
    text.ok().map(|text| text.parse().unwrap())
}

const SIGNED: &str = "med/signed:v1";
const THIRD: &str = "med/third:v1";
const ADOPTED: &str = "here/adopted";
const MODELS: [&str; 3] = [SIGNED, THIRD, ADOPTED];
/// Of so many rounds one also asks the models again, at last.
const RUNS: u64 = 10;
/// As many as take a few seconds.
const FLIPS: u64 = 24;
