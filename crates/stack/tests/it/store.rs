//! `list`, `show NAME`, `rm`, `gc`, `export`, `import` and `adopt`, on stores of their own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::stack::{Ran, command, stack};
use crate::tiny_model;

/// A machine with a home and a model file that was not adopted yet.
struct Machine {
    dir: TempDir,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("files")).unwrap();
        let machine = Self { dir };
        fs::rename(tiny_model::write(machine.dir.path()), machine.file()).unwrap();
        machine
    }

    /// A machine whose store has the model as `med/tiny:v1`, copied.
    fn with_model() -> Self {
        let machine = Self::new();
        machine.run(&["adopt", machine.file().to_str().unwrap(), "--copy", "--as", "med/tiny:v1"]).output();
        machine
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("files/Tiny-F32.gguf")
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn blobs(&self) -> usize {
        self.dir.path().join("home/store/blobs/sha256").read_dir().unwrap().count()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let home = self.path("home");
        stack(&[arguments, &["--home", &home]].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).json()
    }
}

#[test]
fn an_empty_store_lists_nothing_and_is_not_made() {
    let machine = Machine::new();
    let listed = machine.run(&["list"]);
    for way in ["no models yet", "stack pull", "stack adopt"] {
        assert!(listed.stderr.contains(way), "{}", listed.stderr);
    }
    assert_eq!(listed.output(), "");
    for quiet in ["--json", "-q", "--inventory"] {
        assert_eq!(machine.run(&["ls", quiet]).stderr, "");
    }
    assert_eq!(machine.json(&["list"]), serde_json::json!({"models": []}));
    assert_eq!(machine.run(&["list", "--inventory"]).output(), "");
    machine.run(&["gc"]).output();
    assert!(!Path::new(&machine.path("home")).exists());
    for command in [&["show", "med/tiny"][..], &["rm", "med/tiny"], &["export", "med/tiny", "-o", "x"]] {
        machine.run(command).fails(3, &["med/tiny", "hint: "]);
    }
}

#[test]
fn an_adopted_file_is_listed_shown_and_found_by_its_name() {
    let machine = Machine::new();
    let file = machine.file();
    let adopted = machine.json(&["adopt", file.to_str().unwrap()]);
    assert_eq!(adopted["models"][0]["name"], "tiny-f32");
    let listed = machine.json(&["list"]);
    let model = &listed["models"][0];
    assert_eq!((&model["name"], &model["format"]), (&"tiny-f32".into(), &"gguf".into()));
    assert_eq!(model["size_bytes"].as_u64().map(|size| size > 1000), Some(true));
    assert_eq!((&model["sealed"], &model["tier"]), (&false.into(), &Value::Null));
    assert!(machine.run(&["list", "nothing"]).output().is_empty());
    let table = machine.run(&["list", "tin*32"]).output();
    assert!(table.starts_with("NAME") && table.contains("tiny-f32") && table.contains("gguf"));
    let shown = machine.json(&["show", "tiny-f32"]);
    assert_eq!((&shown["id"], &shown["runs"]), (&"tiny-f32".into(), &true.into()));
    assert_eq!(shown["basis"], "pinned");
    assert_eq!(shown["stored"]["digest"], model["digest"]);
    let text = machine.run(&["show", "tiny-f32"]).output();
    assert!(text.contains("signed        no") && text.contains("architecture"));
    let manifest: Value =
        serde_json::from_str(&machine.run(&["show", "tiny-f32", "--manifest"]).output()).unwrap();
    assert_eq!(manifest["layers"][0]["annotations"]["org.cncf.model.filepath"], "Tiny-F32.gguf");
    assert_eq!(machine.run(&["show", "tiny-f32", "--lineage"]).output(), "");
    // The file by its path is the same as ever.
    machine.run(&["show", file.to_str().unwrap()]).output();
    machine.run(&["show", file.to_str().unwrap(), "--manifest"]).fails(2, &["is not a stored model"]);
}

#[test]
fn adopted_files_that_vanish_or_change_are_told() {
    let machine = Machine::new();
    machine.run(&["adopt", machine.file().to_str().unwrap()]).output();
    if machine.json(&["list"])["models"][0]["adopted"] == false {
        // This disk shares bytes, and the file is needed no more.
        return;
    }
    fs::write(machine.file(), b"GGUF").unwrap();
    machine.run(&["show", "tiny-f32"]).fails(5, &["error[length-mismatch]", "Tiny-F32.gguf"]);
    fs::remove_file(machine.file()).unwrap();
    machine.run(&["show", "tiny-f32"]).fails(3, &["error[no-such-file]", "Tiny-F32.gguf", "hint: "]);
    assert!(machine.run(&["list"]).output().contains("is gone"));
}

#[test]
fn what_is_no_model_is_not_adopted() {
    let machine = Machine::new();
    let listed = machine.json(&["adopt", &machine.path("files"), "--list"]);
    assert_eq!(listed["models"][0]["name"], "tiny-f32");
    assert!(!Path::new(&machine.path("home")).exists(), "a list adopts nothing");
    fs::write(machine.path("fake.gguf"), b"PK\x03\x04").unwrap();
    machine.run(&["adopt", &machine.path("fake.gguf")]).fails(4, &["error[not-gguf]"]);
    machine.run(&["adopt", &machine.path("none.gguf")]).fails(3, &["error[no-such-file]"]);
    machine.run(&["adopt", machine.file().to_str().unwrap(), "--as", "../x"]).fails(2, &["error[bad-name]"]);
}

#[test]
fn rm_frees_what_nothing_else_needs() {
    let machine = Machine::with_model();
    let second =
        ["adopt", machine.file().to_str().unwrap(), "--copy", "--as", "med/other"].map(str::to_owned);
    machine.run(&second.iter().map(String::as_str).collect::<Vec<_>>()).output();
    assert_eq!(machine.blobs(), 3, "both names share everything");
    let dry = machine.json(&["rm", "med/tiny:v1", "med/other", "--dry-run"]);
    assert_eq!((dry["freed"].as_array().unwrap().len(), machine.blobs()), (3, 3));
    assert_eq!(machine.json(&["rm", "med/tiny:v1"])["freed_bytes"], 0);
    machine.run(&["rm", "med/tiny:v1"]).fails(3, &["error[not-in-store]"]);
    assert!(machine.run(&["rm", "med/other"]).output().contains("removed med/other"));
    assert_eq!(machine.blobs(), 0);
}

#[test]
fn a_second_name_is_given_and_taken() {
    let machine = Machine::with_model();
    let made = machine.json(&["cp", "med/tiny:v1", "mine"]);
    let listed = machine.json(&["ls"]);
    let digests: Vec<_> = listed["models"].as_array().unwrap().iter().map(|model| &model["digest"]).collect();
    assert_eq!(digests, [&made["manifest"]; 2]);
    assert_eq!((&made["name"], &made["source"]), (&"mine".into(), &"med/tiny:v1".into()));
    assert_eq!(listed["models"][0]["origin"], listed["models"][1]["origin"]);
    assert_eq!(machine.blobs(), 3, "nothing is copied");
    machine.run(&["cp", "med/tiny:v1", "mine"]).output();
    assert_eq!(machine.json(&["rm", "med/tiny:v1"])["freed_bytes"], 0, "the second name needs it");
    machine.run(&["show", "mine"]).output();

    machine.run(&["cp", "gone", "x"]).fails(3, &["error[not-in-store]", "gone"]);
    machine.run(&["cp", "mine", "A b"]).fails(2, &["A b"]);
    let other = machine.path("other.gguf");
    fs::copy(machine.file(), &other).unwrap();
    fs::OpenOptions::new().append(true).open(&other).unwrap().write_all(&[0; 64]).unwrap();
    machine.run(&["adopt", &other, "--copy", "--as", "other"]).output();
    machine.run(&["cp", "mine", "other"]).fails(7, &["error[name-taken]", "stack rm other"]);
    assert_ne!(machine.json(&["show", "other"])["stored"]["digest"], made["manifest"]);
}

#[test]
fn gc_says_why() {
    let machine = Machine::with_model();
    let kept = machine.json(&["gc", "--grace", "0"]);
    let reasons: Vec<_> =
        kept["blobs"].as_array().unwrap().iter().map(|blob| blob["reason"].clone()).collect();
    assert_eq!(reasons, ["used by med/tiny:v1"; 3]);
    let index = machine.path("home/store/index.json");
    let names = fs::read(&index).unwrap();
    fs::write(&index, br#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    assert_eq!(machine.json(&["gc"])["freed_bytes"], 0, "young blobs are kept");
    assert!(machine.run(&["gc", "--grace", "0", "--dry-run"]).output().contains("would free"));
    assert_eq!(machine.blobs(), 3);
    fs::write(&index, names).unwrap();
    assert_eq!(machine.json(&["rm", "med/tiny:v1"])["removed"][0], "med/tiny:v1");
    assert_eq!(machine.blobs(), 0);
    machine.run(&["gc", "--grace", "soon"]).fails(2, &["needs a unit"]);
}

#[test]
fn a_signed_name_is_not_taken_over() {
    let (alice, other, here) = (Machine::with_model(), Machine::new(), Machine::new());
    alice.run(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    alice.run(&["sign", "med/tiny:v1", "--identity", "alice"]).output();
    let signed = alice.path("signed.stackpkg");
    alice.run(&["export", "med/tiny:v1", "-o", &signed]).output();
    here.run(&["import", &signed]).output();
    let before = here.json(&["list"])["models"][0]["digest"].clone();

    fs::OpenOptions::new().append(true).open(other.file()).unwrap().write_all(&[0; 64]).unwrap();
    other.run(&["adopt", other.file().to_str().unwrap(), "--copy", "--as", "med/tiny:v1"]).output();
    let unsigned = other.path("unsigned.stackpkg");
    other.run(&["export", "med/tiny:v1", "-o", &unsigned]).output();
    other.run(&["keygen", "--identity", "mallory", "--no-passphrase"]).output();
    other.run(&["sign", "med/tiny:v1", "--identity", "mallory"]).output();
    let foreign = other.path("foreign.stackpkg");
    other.run(&["export", "med/tiny:v1", "-o", &foreign]).output();
    for package in [&unsigned, &foreign] {
        here.run(&["import", package, "--update"]).fails(6, &["error[signer-changed]", "med/tiny:v1"]);
    }
    let file = other.file();
    here.run(&["adopt", file.to_str().unwrap(), "--copy", "--as", "med/tiny:v1", "--update"])
        .fails(6, &["error[signer-changed]"]);
    // Nor by whoever first adds a signature to what it means.
    let middle = Machine::new();
    middle.run(&["import", &signed]).output();
    middle.run(&["keygen", "--identity", "mallory", "--no-passphrase"]).output();
    middle.run(&["sign", "med/tiny:v1", "--identity", "mallory"]).output();
    let both = middle.path("both.stackpkg");
    middle.run(&["export", "med/tiny:v1", "-o", &both]).output();
    here.run(&["import", &both]).output();
    let weights = other.file();
    middle.run(&["rm", "med/tiny:v1"]).output();
    middle.run(&["adopt", weights.to_str().unwrap(), "--copy", "--as", "med/tiny:v1"]).output();
    middle.run(&["sign", "med/tiny:v1", "--identity", "mallory"]).output();
    let hers = middle.path("hers.stackpkg");
    middle.run(&["export", "med/tiny:v1", "-o", &hers]).output();
    here.run(&["import", &hers, "--update"]).fails(6, &["error[signer-changed]", "med/tiny:v1"]);
    assert_eq!(here.json(&["list"])["models"][0]["digest"], before);
}

#[test]
fn one_bad_file_does_not_keep_the_others_from_being_adopted() {
    let machine = Machine::new();
    let folder = machine.file().parent().unwrap().to_owned();
    fs::write(folder.join("bad.gguf"), "version https://git-lfs.github.com/spec/v1").unwrap();
    let whole = fs::read(machine.file()).unwrap();
    fs::write(folder.join("cut.gguf"), &whole[..whole.len() - 100]).unwrap();
    let ran = machine.run(&["adopt", folder.to_str().unwrap(), "--copy"]);
    for bad in ["bad.gguf", "cut.gguf"] {
        assert!(ran.stderr.contains("skipped: ") && ran.stderr.contains(bad), "{}", ran.stderr);
    }
    ran.output();
    assert_eq!(machine.json(&["list"])["models"].as_array().unwrap().len(), 1);
    machine
        .run(&["adopt", folder.join("cut.gguf").to_str().unwrap()])
        .fails(4, &["error[damaged]", "truncated"]);
}

#[test]
fn packages_do_not_tell_the_folders_of_their_sender() {
    let machine = Machine::with_model();
    let package = machine.path("out.stackpkg");
    machine.run(&["export", "med/tiny:v1", "-o", &package]).output();
    let bytes = fs::read(&package).unwrap();
    let path = machine.file().parent().unwrap().to_str().unwrap().to_owned();
    assert!(!bytes.windows(path.len()).any(|window| window == path.as_bytes()));
}

#[test]
fn a_lost_index_is_no_empty_store() {
    let machine = Machine::with_model();
    fs::remove_file(machine.path("home/store/index.json")).unwrap();
    for arguments in
        [&["list"][..], &["gc", "--grace", "0"], &["rm", "med/tiny:v1"], &["show", "med/tiny:v1"]]
    {
        machine.run(arguments).fails(5, &["error[no-index]", "3 blobs", "verify --all --repair"]);
    }
    fs::remove_file(machine.path("home/store/oci-layout")).unwrap();
    for arguments in [&["list"][..], &["gc", "--grace", "0"]] {
        machine.run(arguments).fails(5, &["error[no-index]", "3 blobs"]);
    }
    assert_eq!(machine.blobs(), 3, "nothing is collected");
    let repaired = machine.run(&["verify", "--all", "--repair"]);
    assert!(repaired.stderr.contains("recovered recovered/"), "{}", repaired.stderr);
    repaired.output();
    let name = machine.json(&["list"])["models"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(machine.json(&["show", &name])["runs"], true);
    assert_eq!(machine.json(&["verify", "--all", "--repair"])["verified"], true, "nothing more to repair");
}

#[test]
fn a_model_crosses_the_gap_in_volumes() {
    let (from, to) = (Machine::with_model(), Machine::new());
    let package = from.path("out.stackpkg");
    from.run(&["export", "med/tiny:v1", "-o", &package, "--split", "4KB"]).output();
    let written =
        from.dir.path().read_dir().unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert!(written.filter(|name| name.starts_with("out.stackpkg.")).count() > 2);
    let dry = to.json(&["import", &package, "--dry-run"]);
    assert_eq!(dry["copied"].as_array().unwrap().len(), 3);
    assert!(!Path::new(&to.path("home")).exists());
    let receipt = to.path("receipt.json");
    let imported = to.json(&["import", &package, "--receipt", &receipt]);
    to.run(&["import", &package, "--receipt", &receipt]).fails(2, &["error[exists]", "receipt.json"]);
    let shown = from.json(&["show", "med/tiny:v1"]);
    assert_eq!(imported["models"][0]["digest"], shown["stored"]["digest"]);
    let receipt: Value = serde_json::from_str(&fs::read_to_string(receipt).unwrap()).unwrap();
    assert_eq!(receipt["blobs"].as_array().unwrap().len(), 3);
    assert_eq!(to.json(&["import", &package])["copied_bytes"], 0, "once more copies nothing");
    assert_eq!(to.json(&["show", "med/tiny:v1"])["runs"], true);
    fs::remove_file(from.path("out.stackpkg.002")).unwrap();
    to.run(&["import", &package]).fails(3, &["error[no-such-file]", "out.stackpkg.002"]);
}

#[test]
fn what_the_other_side_has_stays_here() {
    let (from, to) = (Machine::with_model(), Machine::with_model());
    let inventory = to.run(&["list", "--inventory"]).output();
    assert_eq!(inventory.lines().count(), 3);
    fs::write(from.path("inventory"), inventory).unwrap();
    let package = from.path("out.stackpkg");
    let report = from.json(&["export", "med/tiny:v1", "-o", &package, "--for", &from.path("inventory")]);
    assert_eq!(report["left_out"].as_array().unwrap().len(), 2, "only the manifest goes");
    to.run(&["import", &package]).output();
    let empty = Machine::new();
    empty.run(&["import", &package]).fails(3, &["error[not-in-store]"]);
    from.run(&["export", "med/tiny:v1", "-o", &package]).fails(2, &["error[exists]"]);
    fs::write(from.path("inventory"), "sha256:xyz\n").unwrap();
    let other = from.path("other.stackpkg");
    from.run(&["export", "med/tiny:v1", "-o", &other, "--for", &from.path("inventory")])
        .fails(4, &["error[bad-inventory]", "line 1"]);
}

#[test]
fn damaged_packages_are_refused_by_name() {
    let (from, to) = (Machine::with_model(), Machine::new());
    let package = from.path("out.stackpkg");
    from.run(&["export", "med/tiny:v1", "-o", &package]).output();
    let good = fs::read(&package).unwrap();
    let weights = good.len() - 2048;
    for (spoiled, code, reason) in [
        (good[..good.len() - 1].to_vec(), 4, "error[bad-package]"),
        ([&good[..], b"x"].concat(), 4, "error[bad-package]"),
        (
            {
                let mut bytes = good.clone();
                bytes[weights] ^= 1;
                bytes
            },
            5,
            "error[digest-mismatch]",
        ),
        (b"not a package".to_vec(), 4, "error[bad-package]"),
    ] {
        fs::write(&package, spoiled).unwrap();
        to.run(&["import", &package]).fails(code, &[reason, "hint: "]);
        assert_eq!(to.run(&["list"]).output(), "", "nothing has a name");
    }
    fs::write(&package, &good).unwrap();
    to.run(&["import", &package]).output();
    let other = Machine::new();
    fs::write(other.file(), [&fs::read(other.file()).unwrap()[..], b"more"].concat()).unwrap();
    other.run(&["adopt", other.file().to_str().unwrap(), "--copy", "--as", "med/tiny:v1"]).output();
    other.run(&["import", &package]).fails(7, &["error[name-taken]", "--as", "--update"]);
    other.run(&["import", &package, "--as", "med/tiny:v2"]).output();
    other.run(&["import", &package, "--update"]).output();
}

#[test]
fn names_that_are_paths_reach_nothing() {
    let machine = Machine::with_model();
    fs::write(machine.path("secret"), b"secret").unwrap();
    for name in ["../secret", "a/../../secret", "/etc/passwd", "a//b", "A/B", "x:y:z", "..", "%2e%2e/x"] {
        machine.run(&["rm", name]).fails(2, &["error[bad-name]"]);
        machine.run(&["export", name, "-o", &machine.path("o")]).fails(2, &["error[bad-name]"]);
        machine
            .run(&["adopt", machine.file().to_str().unwrap(), "--as", name])
            .fails(2, &["error[bad-name]"]);
    }
    assert_eq!(fs::read(machine.path("secret")).unwrap(), b"secret");
}

#[test]
fn a_sealed_package_opens_for_whom_it_is_meant() {
    let (from, to) = (Machine::with_model(), Machine::new());
    for name in ["bob", "eve"] {
        to.run(&["keygen", "--identity", name, "--no-passphrase"]).output();
    }
    let public = to.path("home/keys/bob.pub");
    let package = from.path("out.stackpkg");
    from.run(&["export", "med/tiny:v1", "-o", &package, "--recipient", &public]).output();
    let sealed = fs::read(&package).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    let plain = fs::read(from.file()).unwrap();
    assert!(!sealed.windows(64).any(|window| window == &plain[..64]), "no weights in clear");
    to.run(&["import", &package, "--identity", "eve"]).fails(10, &["error[no-identity]"]);
    from.run(&["import", &package]).fails(10, &["error[no-identity]"]);
    let mut spoiled = sealed.clone();
    let middle = sealed.len() / 2;
    spoiled[middle] ^= 1;
    fs::write(&package, &spoiled).unwrap();
    let ran = to.run(&["import", &package, "--identity", "bob"]);
    assert!(ran.code != 0 && to.run(&["list"]).output().is_empty(), "{}", ran.stderr);
    fs::write(&package, &sealed).unwrap();
    to.run(&["import", &package, "--identity", "bob"]).output();
    assert_eq!(to.json(&["show", "med/tiny:v1"])["runs"], true);
}

#[test]
fn killed_commands_lose_nothing() {
    let from = Machine::new();
    let header = b"GGUF\x03\0\0\0".iter().copied().chain([0; 16]);
    let bytes: Vec<u8> = header.chain((0..6_000_000u32).map(|i| (i % 251) as u8)).collect();
    fs::write(from.file(), bytes).unwrap();
    from.run(&["adopt", from.file().to_str().unwrap(), "--copy", "--as", "big"]).output();
    let package = from.path("out.stackpkg");
    from.run(&["export", "big", "-o", &package]).output();
    let to = Machine::new();
    let home = to.path("home");
    let mut killed = 0;
    for round in 0..KILLS {
        let arguments: &[&str] = match round % 4 {
            3 => &["gc", "--grace", "0", "--parts-older", "0", "--home", &home],
            _ => &["import", &package, "--quiet", "--home", &home],
        };
        let mut child = command(arguments).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 13 % 90));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        check(&to);
        if round % 8 == 7 {
            to.run(&["rm", "big"]);
        }
    }
    assert!(killed > 4, "only {killed} of {KILLS} commands were killed in time");
    to.run(&["import", &package]).output();
    check(&to);
    to.run(&["gc", "--grace", "0", "--parts-older", "0"]).output();
    assert_eq!((to.blobs(), to.json(&["list"])["models"][0]["problem"].clone()), (3, Value::Null));
}

/// Every blob is what its name says, and every name means a whole model.
fn check(machine: &Machine) {
    let Ok(blobs) = machine.dir.path().join("home/store/blobs/sha256").read_dir() else { return };
    for blob in blobs {
        let blob = blob.unwrap();
        let mut hasher = stack_seal::digest::Sha256Hasher::new();
        hasher.update(&fs::read(blob.path()).unwrap());
        assert_eq!(hasher.finish().hex(), blob.file_name().to_str().unwrap());
    }
    for model in machine.json(&["list"])["models"].as_array().unwrap() {
        assert_eq!(model["problem"], Value::Null);
    }
}

const KILLS: u64 = 40;
