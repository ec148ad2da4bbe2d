//! `encrypt`, `decrypt` and `rekey`: what returns, what stays closed, and what is never left behind.

use std::collections::HashSet;
use std::fs;
#[cfg(target_os = "linux")]
use std::io::BufRead;
#[cfg(target_os = "linux")]
use std::os::unix::{fs::MetadataExt, process::ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::stack::{Ran, Running, command, stack};

#[test]
fn a_file_returns_to_those_it_was_sealed_for_and_to_nobody_else() {
    let site = Site::with_keys(&["alice", "bob", "mallory"]);
    let file = site.file("m.gguf", MODEL);
    let bob = site.recipient("bob");
    let sealed = site.json(&["encrypt", &file, "--recipient", "alice", "--recipient", &bob]);
    assert_eq!(sealed["recipients"], serde_json::json!([site.recipient("alice"), bob]));
    let age = format!("{file}.age");
    assert_eq!(sealed["file"], age.as_str());
    assert!(fs::read(&age).unwrap().starts_with(b"age-encryption.org/v1\n"));
    assert!(Path::new(&file).is_file(), "the plain file stays");
    for name in ["alice", "bob"] {
        let out = site.path(name);
        let opened = site.json(&["decrypt", &age, "-o", &out, "--identity", name]);
        assert_eq!(opened["files"][0]["root"], sealed["root"]);
        assert!(fs::read(&out).unwrap() == MODEL);
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&out).unwrap().permissions()) & 0o777,
            0o600
        );
    }
    let before = site.names();
    let out = site.path("out");
    site.stack(&["decrypt", &age, "-o", &out, "--identity", "mallory"])
        .fails(10, &["error[no-identity]", "hint: "]);
    assert_eq!(site.names(), before);
}

#[test]
fn what_age_makes_is_opened_armored_and_with_its_own_keys() {
    let site = Site::with_keys(&["alice"]);
    let file = site.file("m.bin", MODEL);
    site.stack(&["encrypt", &file, "--recipient", "alice"]).output();
    let sealed = fs::read(format!("{file}.age")).unwrap();
    let armored = site.file("armored.age", stack_seal::age::armor::encode(&sealed).as_bytes());
    let out = site.path("opened");
    site.stack(&["decrypt", &armored, "-o", &out, "--identity", "alice"]).output();
    assert!(fs::read(&out).unwrap() == MODEL);
    let cut = site.file("cut.age", &fs::read(&armored).unwrap()[..200]);
    site.stack(&["decrypt", &cut, "-o", &site.path("cut"), "--identity", "alice"])
        .fails(4, &["error[bad-age-header]"]);

    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    let key = stack_seal::age::X25519Identity::generate(&mut random);
    let keys = format!("# created: today\n# public key: …\n{}\n", key.to_text().as_str());
    let keys = site.file("keys.txt", keys.as_bytes());
    let other = site.file("n.bin", MODEL);
    site.stack(&["encrypt", &other, "--recipient", &key.recipient().to_string()]).output();
    let out = site.path("n");
    site.stack(&["decrypt", &format!("{other}.age"), "-o", &out, "--identity", &keys]).output();
    assert!(fs::read(&out).unwrap() == MODEL);
    site.stack(&["decrypt", &armored, "-o", &site.path("no"), "--identity", &keys])
        .fails(10, &["error[no-identity]"]);
}

#[test]
fn recipients_come_from_files_too() {
    let site = Site::with_keys(&["alice", "bob"]);
    let file = site.file("m.bin", b"weights");
    let list = site.file(
        "list",
        format!("# ours\n\n{}\n{}\n", site.recipient("alice"), site.recipient("bob")).as_bytes(),
    );
    let public = format!("@{}", site.path("home/keys/bob.pub"));
    let sealed = site.json(&["encrypt", &file, "--recipient", &format!("@{list}"), "--recipient", &public]);
    assert_eq!(sealed["recipients"].as_array().unwrap().len(), 2, "nobody is listed twice");
    fs::write(&list, "age1nonsense\n").unwrap();
    let other = site.path("other.age");
    site.stack(&["encrypt", &file, "-o", &other, "--recipient", &format!("@{list}")])
        .fails(4, &["error[bad-key]", "line 1"]);
    site.stack(&["encrypt", &file, "-o", &other]).fails(2, &["no recipient was given", "--recipient"]);
    site.stack(&["encrypt", &file, "-o", &other, "--recipient", "carol"]).fails(3, &["error[no-key]"]);
    assert!(!Path::new(&other).exists());
}

#[test]
fn a_passphrase_opens_what_it_sealed() {
    let site = Site::with_keys(&["alice"]);
    let file = site.file("m.bin", b"weights");
    let with = |password: &str, arguments: &[&str]| {
        let home = site.path("home");
        let arguments = [arguments, &["--password-env", "MODEL_KEY", "--home", &home]].concat();
        Ran::from(command(&arguments).env("MODEL_KEY", password).output().unwrap())
    };
    with("correct horse", &["encrypt", &file]).output();
    let (age, out) = (format!("{file}.age"), site.path("out"));
    with("battery", &["decrypt", &age, "-o", &out]).fails(10, &["error[wrong-passphrase]"]);
    with("correct horse", &["decrypt", &age, "-o", &out]).output();
    assert_eq!(fs::read(&out).unwrap(), b"weights");
    with("", &["decrypt", &age, "-o", &out]).fails(2, &["MODEL_KEY"]);
    site.stack(&["rekey", &age, "--add", "alice"]).fails(2, &["a passphrase", "--recipient"]);
}

#[test]
fn damage_is_named_and_nothing_is_left_of_it() {
    let site = Site::with_keys(&["alice"]);
    let file = site.file("m.bin", &MODEL[..200_000]);
    site.stack(&["encrypt", &file, "--recipient", "alice"]).output();
    let age = format!("{file}.age");
    let good = fs::read(&age).unwrap();
    let header = good.windows(4).position(|window| window == b"\n---").unwrap() + 49;
    let names = site.names();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    // What stands there is base64, and is so still.
    let other_letter = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        bytes
    };
    for (what, bytes, code, reason) in [
        ("version", flipped(3), 4, "bad-age-header"),
        ("wrapped key", other_letter(header - 60), 10, "no-identity"),
        ("MAC", other_letter(header - 20), 5, "bad-tag"),
        ("nonce", flipped(header + 2), 5, "bad-tag"),
        ("first chunk", flipped(header + 100), 5, "bad-tag"),
        ("second chunk", flipped(header + 16 + 65_552 + 9), 5, "bad-tag"),
        ("last byte", flipped(good.len() - 1), 5, "bad-tag"),
        ("one byte less", good[..good.len() - 1].to_vec(), 5, "bad-tag"),
        ("one chunk", good[..header + 16 + 65_552].to_vec(), 5, "bad-tag"),
        ("no payload", good[..header].to_vec(), 4, "bad-age-header"),
        ("half a header", good[..header / 2].to_vec(), 4, "bad-age-header"),
        ("nothing", Vec::new(), 4, "bad-age-header"),
        ("more", [&good[..], b"x"].concat(), 5, "bad-tag"),
    ] {
        fs::write(&age, bytes).unwrap();
        let ran = site.stack(&["decrypt", &age, "-o", &site.path("out")]);
        assert!(ran.stderr.contains(&format!("error[{reason}]")), "{what}: {}", ran.stderr);
        ran.fails(code, &["hint: "]);
        assert_eq!(site.names(), names, "{what}");
    }
    site.stack(&["decrypt", &site.path("none.age"), "-o", &site.path("out")])
        .fails(3, &["error[no-such-file]"]);
}

#[test]
fn what_is_there_is_never_written_into() {
    let site = Site::with_keys(&["alice"]);
    let file = site.file("m.bin", b"weights");
    let age = site.file("m.bin.age", b"precious");
    site.stack(&["encrypt", &file, "--recipient", "alice"]).fails(2, &["error[exists]", "m.bin.age"]);
    assert_eq!(fs::read(&age).unwrap(), b"precious");
    let other = site.path("other.age");
    site.stack(&["encrypt", &file, "--recipient", "alice", "-o", &other]).output();
    for place in [file.as_str(), "-", "/dev/stdout", "/dev/tty"] {
        site.stack(&["decrypt", &other, "-o", place]).fails(2, &["error[exists]"]);
    }
    assert_eq!(fs::read(&file).unwrap(), b"weights");
    site.stack(&["encrypt", &other, "--recipient", "alice"]).fails(2, &["already sealed", "rekey"]);
    site.stack(&["encrypt", &site.path("home"), "--recipient", "alice"]).fails(2, &["folder"]);
    site.stack(&["decrypt", &other]).fails(2, &["--output"]);
}

#[test]
fn what_was_signed_otherwise_is_not_written() {
    let site = Site::with_keys(&["alice"]);
    let file = site.file("m.bin", b"weights");
    site.stack(&["sign", &file]).output();
    site.trust("alice");
    fs::write(&file, b"forged!").unwrap();
    site.stack(&["encrypt", &file, "--recipient", "alice"]).output();
    let (age, out) = (format!("{file}.age"), site.path("out"));
    site.stack(&["decrypt", &age, "-o", &out]).fails(5, &["error[digest-mismatch]", &site.key("alice")]);
    assert!(!Path::new(&out).exists());
    fs::remove_file(&age).unwrap();
    fs::write(&file, b"weights").unwrap();
    site.stack(&["encrypt", &file, "--recipient", "alice"]).output();
    let opened = site.json(&["decrypt", &age, "-o", &out]);
    assert_eq!(opened["files"][0]["according_to"], serde_json::json!([site.key("alice")]));
}

#[test]
fn a_sealed_model_runs_and_verifies_and_no_plain_byte_of_it_is_on_disk() {
    let site = Site::with_model();
    site.stack(&["sign", NAME]).output();
    site.trust("alice");
    let answer = site.ask().output();
    let sealed = site.json(&["encrypt", NAME, "--recipient", "alice"]);
    assert_eq!(sealed["freed_bytes"], MODEL.len());
    let listed = site.json(&["list"]);
    assert_eq!(listed["models"][0]["sealed"], true);
    assert_eq!(site.ask().output(), answer);
    let verified = site.stack(&["verify", NAME]).output();
    assert!(verified.contains("opened "), "{verified}");
    assert_eq!(site.plain_files(), Vec::<PathBuf>::new());
    let out = site.path("out.gguf");
    let opened = site.json(&["decrypt", NAME, "-o", &out]);
    assert_eq!(opened["files"][0]["according_to"], serde_json::json!([site.key("alice"), "the manifest"]));
    assert!(fs::read(&out).unwrap() == MODEL);
    assert_eq!(site.plain_files(), [PathBuf::from(&out)], "the scan finds what is there");
    site.stack(&["encrypt", NAME, "--recipient", "alice"]).fails(2, &["already sealed"]);
    site.stack(&["gc", "--grace", "0"]).output();
    assert_eq!(site.ask().output(), answer);
}

#[test]
fn who_may_open_a_model_changes_without_its_payload() {
    let site = Site::with_model();
    site.stack(&["keygen", "--identity", "bob", "--no-passphrase"]).output();
    site.stack(&["encrypt", NAME, "--recipient", "alice"]).output();
    let (payload, out) = (site.payload(), site.path("out"));
    let opens = |name: &str| {
        let ran = site.stack(&["decrypt", NAME, "-o", &out, "--identity", name]);
        let _none = fs::remove_file(&out);
        ran.code
    };
    assert_eq!((opens("alice"), opens("bob")), (0, 10));
    let rekey = |arguments: &[&str], identity: &str| {
        site.json(&[&["rekey", NAME, "--identity", identity], arguments].concat())
    };
    rekey(&["--add", "bob"], "alice");
    assert_eq!((opens("alice"), opens("bob"), site.payload()), (0, 0, payload.clone()));
    let report = rekey(&["--remove", "alice"], "bob");
    assert_eq!(report["recipients"], serde_json::json!([site.recipient("bob")]));
    assert_eq!((opens("alice"), opens("bob"), site.payload()), (10, 0, payload.clone()));
    site.stack(&["rekey", NAME, "--identity", "bob", "--remove", "alice"]).fails(3, &["is not a recipient"]);
    site.stack(&["rekey", NAME, "--identity", "bob", "--remove", "bob"])
        .fails(2, &["no recipient would be left"]);
    site.stack(&["rekey", NAME, "--identity", "alice", "--add", "alice"]).fails(10, &["error[no-identity]"]);
    site.stack(&["rekey", NAME]).fails(2, &["nothing to change"]);
    let report = rekey(&["--rotate", "--add", "alice"], "bob");
    assert_eq!(report["rotated"], true);
    assert_ne!(site.payload(), payload);
    assert!(!site.blob(&payload).exists(), "the former payload is freed");
    assert_eq!((opens("alice"), opens("bob")), (0, 0));
    assert_eq!(site.plain_files(), Vec::<PathBuf>::new());
}

#[test]
fn what_was_sealed_elsewhere_runs_only_if_somebody_signed_it() {
    let (here, there) = (Site::with_model(), Site::with_keys(&["bob"]));
    let carry = || {
        let package = here.path("models.stackpkg");
        let _none = fs::remove_file(&package);
        here.stack(&["export", NAME, "-o", &package]).output();
        there.stack(&["import", &package, "--update"]).output();
    };
    here.stack(&["encrypt", NAME, "--recipient", "alice", "--recipient", &there.recipient("bob")]).output();
    here.ask().output();
    carry();
    there.ask().fails(6, &["error[unknown-signer]"]);

    let signed = Site::with_model();
    signed.stack(&["sign", NAME]).output();
    signed.stack(&["encrypt", NAME, "--recipient", &there.recipient("bob")]).output();
    let package = signed.path("models.stackpkg");
    signed.stack(&["export", NAME, "-o", &package]).output();
    there.stack(&["import", &package, "--update"]).output();
    let key = signed.key("alice");
    there.stack(&["trust", "add", "alice", "--key", &key, "--for", "**"]).output();
    assert!(!there.ask().output().is_empty());
    there.stack(&["verify", NAME]).output();
}

#[test]
fn a_statement_about_the_sealed_form_is_checked_without_a_key() {
    let site = Site::with_model();
    site.stack(&["sign", NAME]).output();
    site.trust("alice");
    site.stack(&["encrypt", NAME, "--recipient", "alice"]).output();
    site.stack(&["rekey", NAME, "--sign"]).output();
    fs::rename(site.path("home/keys/alice.key"), site.path("elsewhere.key")).unwrap();
    let verified = site.stack(&["verify", NAME]).output();
    assert!(verified.contains("encrypted "), "{verified}");
    site.stack(&["verify", NAME, "--open"]).refuses(10, "no-identity");
    site.stack(&["verify", NAME, "--open", "--identity", &site.path("elsewhere.key")]).output();
    let payload = site.blob(&site.payload());
    let mut bytes = fs::read(&payload).unwrap();
    bytes[100_000] ^= 1;
    fs::remove_file(&payload).unwrap();
    fs::write(&payload, bytes).unwrap();
    site.stack(&["verify", NAME]).refuses(5, "digest-mismatch");
    site.stack(&["verify", NAME, "--open", "--identity", &site.path("elsewhere.key")]).refuses(5, "bad-tag");
}

#[test]
fn plain_weights_that_something_else_needs_stay_and_are_told_of() {
    let site = Site::with_model();
    let file = site.path("files/m.gguf");
    site.stack(&["adopt", &file, "--copy", "--as", "med/other"]).output();
    let sealed = site.json(&["encrypt", NAME, "--recipient", "alice"]);
    assert_eq!(sealed["freed_bytes"], 0);
    assert!(sealed["kept"][0]["reason"].as_str().unwrap().contains("med/other"), "{sealed}");
    let adopted = Site::with_keys(&["alice"]);
    let file = adopted.file("m.gguf", MODEL);
    adopted.stack(&["adopt", &file, "--as", NAME]).output();
    if adopted.json(&["list"])["models"][0]["adopted"] == true {
        let sealed = adopted.json(&["encrypt", NAME, "--recipient", "alice"]);
        assert_eq!(sealed["elsewhere"], serde_json::json!([file]));
        assert!(Path::new(&file).is_file());
    }
}

#[test]
fn a_sealed_file_gets_another_header() {
    let site = Site::with_keys(&["alice", "bob"]);
    let file = site.file("m.bin", &MODEL[..100_000]);
    let (age, out) = (format!("{file}.age"), site.path("out"));
    site.stack(&["encrypt", &file, "--recipient", "alice"]).output();
    let opens = |name: &str| {
        let ran = site.stack(&["decrypt", &age, "-o", &out, "--identity", name]);
        let right = ran.code != 0 || fs::read(&out).unwrap() == MODEL[..100_000];
        let _none = fs::remove_file(&out);
        (ran.code, right)
    };
    let payload = || fs::read(&age).unwrap()[300..].to_vec();
    let tail = payload();
    site.stack(&["rekey", &age, "--add", "bob", "--identity", "alice"]).output();
    assert_eq!((opens("alice"), opens("bob")), ((0, true), (0, true)));
    assert!(payload().ends_with(&tail[tail.len() - 90_000..]));
    site.stack(&["rekey", &age, "--remove", "alice", "--identity", "bob"])
        .fails(2, &["are not known", "--recipient"]);
    site.stack(&["rekey", &age, "--recipient", "bob", "--identity", "alice"]).output();
    assert_eq!((opens("alice"), opens("bob")), ((10, true), (0, true)));
    let before = payload();
    site.stack(&["rekey", &age, "--rotate", "--recipient", "alice", "--identity", "bob"]).output();
    assert_eq!((opens("alice"), opens("bob")), ((0, true), (10, true)));
    assert!(!payload().ends_with(&before[before.len() - 1000..]), "under another key");
    let whole = fs::read(&age).unwrap();
    fs::write(&age, &whole[..whole.len() - 1]).unwrap();
    site.stack(&["rekey", &age, "--add", "bob", "--identity", "alice"]).fails(5, &["error[bad-tag]"]);
    assert_eq!(fs::read(&age).unwrap(), whole[..whole.len() - 1], "what was cut stays as it is");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_nothing_half_done() {
    let site = Site::with_keys(&["alice"]);
    let file = site.endless();
    let before = site.names();
    let ran = site.ended_while_it_writes(&["encrypt", &file, "--recipient", "alice"], "INT");
    assert_eq!((ran.code, ran.stdout.as_str()), (130, ""));
    assert_eq!(ran.stderr, "stopped: nothing was changed, and the same command starts anew\n");
    assert_eq!(site.names(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn however_decrypting_ends_no_plain_byte_stays() {
    let site = Site::with_keys(&["alice"]);
    let file = site.file("m.bin", b"");
    fs::File::options().write(true).open(&file).unwrap().set_len(512 << 20).unwrap();
    site.stack(&["encrypt", &file, "--recipient", "alice"]).output();
    let (sealed, out) = (format!("{file}.age"), site.path("out"));
    let before = site.names();
    // Under `nohup` the signal is ignored from the beginning, as whoever started the tests wished.
    let mut signals = vec![("INT", 130), ("TERM", 130), ("HUP", 130), ("KILL", -1)];
    signals.retain(|(signal, _)| *signal != "HUP" || !hangups_are_ignored());
    for (signal, code) in signals {
        let ran = site.ended_while_it_writes(&["decrypt", &sealed, "-o", &out], signal);
        assert_eq!(ran.code, code, "{signal}: {}", ran.stderr);
        assert_eq!(site.names(), before, "{signal}");
    }
}

#[cfg(target_os = "linux")]
fn hangups_are_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_holds_secrets_dumps_no_core() {
    let site = Site::with_model();
    let dumps = |model: &str| {
        let script = "ulimit -c unlimited && cd \"$1\" && shift && exec \"$@\"";
        let folder = site.path("cores");
        let _there = fs::create_dir(&folder);
        let served = [env!("CARGO_BIN_EXE_stack"), "serve", "-m", model, "--port", "0", "--home"];
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", &folder]).args(served).arg(site.path("home"));
        let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let mut said = running.stderr().lines();
        assert!(said.any(|line| line.unwrap().contains("ready")), "{model} is not served");
        running.signal("ABRT");
        let dumped = ExitStatusExt::core_dumped(&running.wait());
        fs::remove_dir_all(&folder).unwrap();
        dumped
    };
    if !dumps(NAME) {
        eprintln!("SKIPPED: this system dumps no core of any process");
        return;
    }
    site.stack(&["encrypt", NAME, "--recipient", "alice"]).output();
    assert!(!dumps(NAME), "its memory holds the weights");
}

/// A home with identities, and a folder for files.
struct Site {
    folder: TempDir,
}

impl Site {
    fn with_keys(names: &[&str]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        for name in names {
            site.stack(&["keygen", "--identity", name, "--no-passphrase"]).output();
        }
        site
    }

    /// A home with alice's keys, and the default model in its store.
    fn with_model() -> Self {
        let site = Self::with_keys(&["alice"]);
        let files = site.folder.path().join("files");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("m.gguf"), MODEL).unwrap();
        site.stack(&["adopt", files.join("m.gguf").to_str().unwrap(), "--copy", "--as", NAME]).output();
        site
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// A file that takes long to read, and no space.
    #[cfg(target_os = "linux")]
    fn endless(&self) -> String {
        let file = self.file("m.bin", b"");
        fs::File::options().write(true).open(&file).unwrap().set_len(64 << 30).unwrap();
        file
    }

    /// Runs a command and ends it by a signal once it has written something into a file that has no name yet.
    #[cfg(target_os = "linux")]
    fn ended_while_it_writes(&self, arguments: &[&str], signal: &str) -> Ran {
        let mut command = command(arguments);
        let running = Running::start(command.args(["--home", &self.path("home")]));
        let writes = || {
            let files = fs::read_dir(format!("/proc/{}/fd", running.id())).into_iter().flatten();
            let files = files.filter_map(|file| fs::metadata(file.unwrap().path()).ok());
            let is_new = |file: &fs::Metadata| file.is_file() && MetadataExt::nlink(file) == 0;
            files.filter(is_new).any(|file| file.len() > 1 << 20)
        };
        while !writes() {
            thread::sleep(Duration::from_millis(2));
        }
        running.signal(signal);
        running.output()
    }

    fn stack(&self, arguments: &[&str]) -> Ran {
        stack(&[arguments, &["--home", &self.path("home")]].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.stack(&[arguments, &["--json"]].concat()).json()
    }

    fn ask(&self) -> Ran {
        self.stack(&[
            "run",
            "-m",
            NAME,
            "--temperature",
            "0",
            "--max-tokens",
            "20",
            "Tell me a story about a dog.",
        ])
    }

    fn trust(&self, identity: &str) {
        self.stack(&["trust", "add", identity, "--key", &self.key(identity), "--for", "**"]).output();
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

    /// Lists what lies in the folder itself.
    fn names(&self) -> Vec<String> {
        let entries = self.folder.path().read_dir().unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Returns the digest of the model's sealed payload.
    fn payload(&self) -> String {
        let manifest: Value =
            serde_json::from_str(&self.stack(&["show", NAME, "--manifest"]).output()).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        let payload = layers.iter().find(|layer| layer["mediaType"].as_str().unwrap().contains("payload"));
        payload.unwrap()["digest"].as_str().unwrap().to_owned()
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.folder.path().join("home/store/blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())
    }

    /// Lists the files, but for those that the model came from, in which 32 bytes of its tensors stand.
    fn plain_files(&self) -> Vec<PathBuf> {
        let (blocks, _) = MODEL[MODEL.len() / 4..].as_chunks::<32>();
        let varied = |block: &&[u8; 32]| block.iter().collect::<HashSet<_>>().len() > 8;
        let needles: HashSet<&[u8]> = blocks.iter().filter(varied).map(<[u8; 32]>::as_slice).collect();
        let mut found = Vec::new();
        search(self.folder.path(), &needles, &mut found);
        found.retain(|path| !path.starts_with(self.path("files")));
        found
    }
}

fn search(folder: &Path, needles: &HashSet<&[u8]>, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, needles, found);
        } else if fs::read(&path).unwrap().windows(32).any(|window| needles.contains(window)) {
            found.push(path);
        }
    }
}

impl Ran {
    /// Asserts an exit code and a reason code, whatever was printed before.
    #[track_caller]
    fn refuses(self, code: i32, reason: &str) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(self.stderr.contains(&format!("error[{reason}]: ")), "{reason} is not in:\n{}", self.stderr);
    }
}

const NAME: &str = "med/stories";
const MODEL: &[u8] = include_bytes!("../../../../models/default/stories.gguf");
