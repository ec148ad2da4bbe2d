//! The store in daily use.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use stack_registry::gc::{self, GcOptions, GcReason};
use stack_registry::manifest::{ConfigFacts, Descriptor, FilePath, kind};
use stack_registry::model::{StoredModel, describe_file, put_model};
use stack_registry::name::Name;
use stack_registry::store::Lease;
use stack_registry::store::{BeginOutcome, Entry, ExpectedBlob, Rebind, Record, Store, hash_file};
use stack_seal::digest::Digest;

pub(crate) fn model_bytes() -> Vec<u8> {
    (0..1000u32).map(|i| (i * i % 251) as u8).collect()
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Descriptor::of("", bytes).digest
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Puts a model of one file into a store.
pub(crate) fn put(store: &Store, lease: &Lease, named: &str, bytes: &[u8]) -> Entry {
    let digest = store.put(lease, bytes).unwrap();
    let hashed = hash_file(&store.blob(&digest).unwrap().file, &|_| {}).unwrap();
    let file = describe_file(kind::WEIGHTS, &FilePath::parse("model.gguf").unwrap(), &hashed);
    let manifest = put_model(store, lease, &ConfigFacts::default(), vec![file]).unwrap();
    let entry = Entry { name: name(named), manifest, record: Record::default() };
    store.bind(lease, &entry, Rebind::Never).unwrap();
    store.resolve(&name(named)).unwrap()
}

pub(crate) fn sweep(store: &Store) -> Vec<GcReason> {
    gc::collect(store, &sweeping()).unwrap().into_iter().map(|swept| swept.reason).collect()
}

/// Takes everything that nobody needs, however young.
fn sweeping() -> GcOptions {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    GcOptions { now, grace: Duration::ZERO, parts_older: Duration::ZERO, dry_run: false }
}

fn blobs(store: &Store) -> usize {
    store.path().join("blobs/sha256").read_dir().unwrap().count()
}

#[test]
fn a_wrong_file_never_becomes_a_blob() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let digest = digest_of(b"right");
    for (bytes, code) in
        [(&b"wrong"[..], "digest-mismatch"), (b"longer", "length-mismatch"), (b"", "length-mismatch")]
    {
        let BeginOutcome::Mine(part) = store.begin(&digest).unwrap() else { panic!("nobody else is here") };
        part.restart().unwrap();
        part.write_at(bytes, 0).unwrap();
        let error = part.publish(&ExpectedBlob { digests: &[digest], length: Some(5) }, &|_| {}).unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(blobs(&store), 0);
    }
}

#[test]
fn a_part_belongs_to_one() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let digest = digest_of(b"bytes");
    let BeginOutcome::Mine(part) = store.begin(&digest).unwrap() else { panic!("nobody else is here") };
    assert!(matches!(store.begin(&digest).unwrap(), BeginOutcome::Busy));
    part.write_at(b"bytes", 0).unwrap();
    part.publish(&ExpectedBlob { digests: &[digest], length: None }, &|_| {}).unwrap();
    assert!(matches!(store.begin(&digest).unwrap(), BeginOutcome::Present));
    let mode = store.blob(&digest).unwrap().file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
    assert_eq!(store.path().join("tmp").read_dir().unwrap().count(), 0);
}

#[test]
fn a_part_of_another_file_is_forgotten() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let digest = digest_of(b"bytes");
    let begin = || match store.begin(&digest).unwrap() {
        BeginOutcome::Mine(part) => part,
        _ => panic!("nobody else is here"),
    };
    let part = begin();
    part.prepare(Some(10), Some("one")).unwrap();
    part.write_at(b"12345", 0).unwrap();
    part.save().unwrap();
    assert!(part.write_at(b"123", 8).is_err(), "beyond the announced length");
    drop(part);
    let part = begin();
    assert_eq!((part.ranges().bytes(), part.validator().as_deref()), (5, Some("one")));
    part.prepare(Some(10), Some("two")).unwrap();
    assert_eq!(part.ranges().bytes(), 0);
    drop(part);
    // A state that claims more than the file holds, and one that is nonsense.
    for state in [r#"{"version":1,"ranges":[[0,999]]}"#, r#"{"version":1,"ranges":[[5,1]]}"#, "x"] {
        fs::write(store.path().join("tmp").join(format!("{}.json", digest.hex())), state).unwrap();
        assert_eq!(begin().ranges().bytes(), 0);
    }
}

#[test]
fn what_is_needed_is_kept_and_the_rest_is_freed() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease().unwrap();
    let entry = put(&store, &lease, "a/kept", b"GGUF kept");
    put(&store, &lease, "a/dropped", b"GGUF dropped");
    store.attach(&lease, &entry.manifest, kind::BUNDLE, b"signature").unwrap();
    let leased = store.put(&lease, b"leased").unwrap();
    let mine = store.lease().unwrap();
    mine.add(&leased).unwrap();
    drop(lease);
    let garbage = {
        let lease = store.lease().unwrap();
        store.put(&lease, b"garbage").unwrap()
    };
    let removed = gc::remove(&store, &[name("a/dropped")], false).unwrap();
    assert_eq!(removed.freed.len(), 3, "file, configuration and manifest");
    let reasons = sweep(&store);
    let count = |wanted: fn(&GcReason) -> bool| reasons.iter().filter(|reason| wanted(reason)).count();
    assert_eq!(count(|reason| matches!(reason, GcReason::Named(_))), 3);
    assert_eq!(count(|reason| matches!(reason, GcReason::RefersTo(_))), 3);
    assert_eq!(count(|reason| matches!(reason, GcReason::InUse(_))), 1);
    assert_eq!(count(GcReason::frees), 1);
    assert!(!store.has(&garbage).unwrap() && store.has(&leased).unwrap());
    drop(mine);
    gc::remove(&store, &[name("a/kept")], false).unwrap();
    sweep(&store);
    assert_eq!((blobs(&store), store.index().unwrap().manifests.len()), (0, 0));
    assert_eq!(store.path().join("leases").read_dir().unwrap().count(), 0);
}

#[test]
fn young_blobs_and_shared_ones_survive() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease().unwrap();
    let first = put(&store, &lease, "a/first", b"GGUF shared");
    let second = Entry { name: name("b/second"), ..first.clone() };
    store.bind(&lease, &second, Rebind::Never).unwrap();
    store.put(&lease, b"young").unwrap();
    drop(lease);
    #[expect(clippy::disallowed_methods, reason = "a test of the age of real files")]
    let now = SystemTime::now();
    let hour = Duration::from_hours(1);
    let options = GcOptions { now, grace: hour, parts_older: hour, dry_run: false };
    assert!(!gc::collect(&store, &options).unwrap().iter().any(|swept| swept.reason.frees()));
    assert!(gc::remove(&store, &[name("a/first")], false).unwrap().freed.is_empty());
    let dry = gc::remove(&store, &[name("b/second")], true).unwrap();
    assert_eq!(dry.freed.len(), 3);
    StoredModel::open(&store, &name("b/second")).unwrap();
}

#[test]
fn what_is_in_use_is_not_removed() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    put(&store, &store.lease().unwrap(), "a/used", b"GGUF");
    let model = StoredModel::open(&store, &name("a/used")).unwrap();
    let error = gc::remove(&store, &[name("a/used")], false).unwrap_err();
    assert_eq!(error.code(), "in-use");
    assert!(error.to_string().contains(&std::process::id().to_string()));
    drop(model);
    gc::remove(&store, &[name("a/used")], false).unwrap();
    assert_eq!(gc::remove(&store, &[name("a/used")], false).unwrap_err().code(), "not-in-store");
}

#[test]
fn a_name_changes_only_when_allowed() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease().unwrap();
    let first = put(&store, &lease, "a/one", b"GGUF 1");
    let second = put(&store, &lease, "a/two", b"GGUF 2");
    let moved = Entry { name: name("a/one"), ..second.clone() };
    assert_eq!(store.bind(&lease, &moved, Rebind::Never).unwrap_err().code(), "name-taken");
    assert_eq!(store.resolve(&name("a/one")).unwrap(), first);
    store.bind(&lease, &moved, Rebind::Allowed).unwrap();
    assert_eq!(store.resolve(&name("a/one")).unwrap().manifest.digest, second.manifest.digest);
    fs::remove_file(store.blob(&digest_of(b"GGUF 2")).unwrap().path).unwrap();
    assert_eq!(store.bind(&lease, &moved, Rebind::Allowed).unwrap_err().code(), "not-in-store");
}

#[test]
fn what_was_changed_behind_our_back_is_not_read() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let entry = put(&store, &store.lease().unwrap(), "a/one", b"GGUF");
    let path = store.blob(&entry.manifest.digest).unwrap().path;
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(store.manifest(&entry.manifest.digest).unwrap_err().code(), "digest-mismatch");
    // Nothing is swept while it is not known what the manifest needs, and the name can still be dropped.
    let now = SystemTime::UNIX_EPOCH;
    let options = GcOptions { now, grace: Duration::ZERO, parts_older: Duration::ZERO, dry_run: false };
    assert_eq!(gc::collect(&store, &options).unwrap_err().code(), "digest-mismatch");
    gc::remove(&store, &[name("a/one")], false).unwrap();
}

#[test]
fn links_are_not_followed() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    let digest = digest_of(b"secret");
    symlink(&secret, store.path().join("blobs/sha256").join(digest.hex())).unwrap();
    assert!(store.read(&digest, 100).is_err());
    symlink(&secret, store.path().join("tmp").join(format!("{}.part", digest_of(b"x").hex()))).unwrap();
    assert!(store.begin(&digest_of(b"x")).is_err());
    fs::remove_file(store.path().join("index.json")).unwrap();
    symlink(&secret, store.path().join("index.json")).unwrap();
    assert!(store.index().is_err());
    let moved = crate::scratch();
    fs::create_dir(moved.path().join("store")).unwrap();
    symlink("/etc", moved.path().join("store/blobs")).unwrap();
    assert!(Store::open(moved.path()).is_err());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

#[test]
fn a_store_that_cannot_be_written_can_be_read() {
    let dir = crate::scratch();
    assert!(Store::existing(dir.path()).unwrap().is_none());
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "looking makes nothing");
    let store = Store::open(dir.path()).unwrap();
    put(&store, &store.lease().unwrap(), "a/one", b"GGUF");
    let read_only = |mode| {
        for folder in ["leases", "tmp", "external", "blobs/sha256", "blobs", "."] {
            fs::set_permissions(store.path().join(folder), Permissions::from_mode(mode)).unwrap();
        }
    };
    read_only(0o555);
    // The superuser writes wherever it likes.
    let writable = fs::write(store.path().join("probe"), b"").is_ok();
    let read = Store::existing(dir.path()).unwrap().unwrap();
    let model = StoredModel::open(&read, &name("a/one")).map(|model| model.files.len());
    let bound = read.lease().is_err();
    read_only(0o755);
    assert_eq!(model.unwrap(), 1);
    if writable {
        eprintln!("SKIPPED: the permissions of folders mean nothing to this user");
    } else {
        assert!(bound, "no lease without writing");
    }
}

#[test]
fn many_writers_lose_no_name() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..8 {
                    let lease = store.lease().unwrap();
                    put(store, &lease, &format!("a/m{thread}-{round}"), format!("GGUF {round}").as_bytes());
                    drop(lease);
                    sweep(store);
                }
            });
        }
    });
    assert_eq!(store.entries().unwrap().len(), 32);
    for entry in store.entries().unwrap() {
        StoredModel::open(&store, &entry.name).unwrap();
    }
}

#[test]
fn a_name_gains_no_signers() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease().unwrap();
    let (first, second) = (put(&store, &lease, "a/one", b"GGUF 1"), put(&store, &lease, "a/two", b"GGUF 2"));
    let bind = |model: &Entry, signer: &str| {
        let record = Record { signer: Some(signer.into()), ..Record::default() };
        let entry = Entry { name: name("a/one"), record, ..model.clone() };
        store.bind(&lease, &entry, Rebind::Allowed).map_err(|error| error.code())
    };
    let signer = || store.resolve(&name("a/one")).unwrap().record.signer;
    bind(&first, "alice").unwrap();
    // The same model with one more signature, and then another one that only this signer has signed.
    bind(&first, "alice mallory").unwrap();
    assert_eq!(signer().as_deref(), Some("alice"));
    bind(&first, "mallory").unwrap();
    assert_eq!(signer().as_deref(), Some("alice"));
    assert_eq!(bind(&second, "mallory"), Err("signer-changed"));
    bind(&second, "alice mallory").unwrap();
    assert_eq!(signer().as_deref(), Some("alice"));
}

#[test]
fn blobs_without_an_index_have_lost_it_whatever_else_is_gone() {
    let dir = crate::scratch();
    let store = Store::open(dir.path()).unwrap();
    put(&store, &store.lease().unwrap(), "a/one", b"GGUF");
    for lost in ["index.json", "oci-layout"] {
        fs::remove_file(store.path().join(lost)).unwrap();
    }
    for store in [Store::existing(dir.path()).unwrap().unwrap(), Store::open(dir.path()).unwrap()] {
        assert_eq!(store.entries().unwrap_err().code(), "no-index");
        assert!(gc::collect(&store, &sweeping()).is_err());
    }
    assert_eq!(blobs(&store), 3);
    let [recovered] = &store.repair_index().unwrap()[..] else { panic!("there was one model") };
    StoredModel::open(&store, recovered).unwrap();
}
