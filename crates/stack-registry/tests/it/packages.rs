//! Packages: what goes in comes out, and nothing else does.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use stack_registry::attached::bundles;
use stack_registry::manifest::{Descriptor, key, kind};
use stack_registry::model::StoredModel;
use stack_registry::name::Name;
use stack_registry::package::{
    Export, Import, ImportOptions, Imported, MemberKind, Outcome, PackageError, Receipt, VolumeWriter,
    Volumes,
};
use stack_registry::store::{BeginOutcome, Rebind, Store};
use stack_seal::digest::Digest;

use crate::store::{digest_of, model_bytes, name, put};

fn options() -> ImportOptions {
    ImportOptions { name: None, rebind: Rebind::Never, now: 7 }
}

/// A store with two models that share a file, one of them signed.
fn sender(home: &Path) -> Store {
    let store = Store::open(home).unwrap();
    let lease = store.lease().unwrap();
    let first = put(&store, &lease, "a/first", &model_bytes());
    put(&store, &lease, "a/second:q4", b"GGUF second");
    store.attach(&lease, &first.manifest, kind::BUNDLE, b"a signature").unwrap();
    drop(lease);
    store
}

fn package(store: &Store, names: &[Name], has: &BTreeSet<Digest>) -> Vec<u8> {
    let export = Export::collect(store, names, has, &|_| {}).unwrap();
    let mut bytes = Vec::new();
    export.write(&mut bytes, &|_| {}).unwrap();
    assert_eq!(bytes.len() as u64, export.bytes().unwrap());
    bytes
}

fn import(store: &Store, bytes: &[u8]) -> Result<Imported, PackageError> {
    let source: &[u8] = bytes;
    Import::open(&source)?.run(store, &options(), &|_| {})
}

#[test]
fn models_and_signatures_travel() {
    let dir = crate::scratch();
    let from = sender(&dir.path().join("from"));
    let names = [name("a/first"), name("a/second:q4")];
    let bytes = package(&from, &names, &BTreeSet::new());
    let to = Store::open(&dir.path().join("to")).unwrap();
    let imported = import(&to, &bytes).unwrap();
    assert!(imported.blobs.iter().all(|(_, outcome)| *outcome == Outcome::Copied));
    for name in &names {
        let digest = from.resolve(name).unwrap().manifest.digest;
        assert_eq!(to.resolve(name).unwrap().manifest.digest, digest);
        StoredModel::open(&to, name).unwrap();
    }
    let first = to.resolve(&names[0]).unwrap();
    assert_eq!(bundles(&to, &to.index().unwrap(), &first.manifest.digest).unwrap(), [b"a signature"]);
    assert_eq!(first.record.named_at, Some(7));
    let again = import(&to, &bytes).unwrap();
    assert!(again.blobs.iter().all(|(_, outcome)| *outcome == Outcome::Present));
    let receipt = String::from_utf8(Receipt::new(&again, "2026-01-01T00:00:00Z".into()).to_bytes()).unwrap();
    assert!(receipt.contains(&first.manifest.digest.to_string()) && receipt.contains("present"));
}

#[test]
fn nothing_is_named_when_what_comes_with_it_makes_no_sense() {
    let dir = crate::scratch();
    let from = sender(&dir.path().join("from"));
    let [first, second] =
        ["a/first", "a/second:q4"].map(|named| from.resolve(&name(named)).unwrap().manifest);
    // It is listed as what refers to the first model, and refers to nothing.
    let listed = Descriptor::new(&second.media_type, second.digest, second.size)
        .with(key::SUBJECT, first.digest.to_string());
    from.update_index(|index| {
        index.refer(listed);
        Ok(())
    })
    .unwrap();
    let bytes = package(&from, &[name("a/first")], &BTreeSet::new());
    let to = Store::open(&dir.path().join("to")).unwrap();
    assert_eq!(import(&to, &bytes).unwrap_err().code(), "bad-package");
    assert!(to.entries().unwrap().is_empty());
}

#[test]
fn the_same_models_make_the_same_package() {
    let dir = crate::scratch();
    let package = |home: &str| package(&sender(&dir.path().join(home)), &[name("a/first")], &BTreeSet::new());
    assert_eq!(package("one"), package("two"));
}

#[test]
fn what_the_receiver_has_is_left_out() {
    let dir = crate::scratch();
    let from = sender(&dir.path().join("from"));
    let has = BTreeSet::from([digest_of(&model_bytes())]);
    let bytes = package(&from, &[name("a/first")], &has);
    let to = Store::open(&dir.path().join("to")).unwrap();
    // Without the file, the model gets no name.
    assert_eq!(import(&to, &bytes).unwrap_err().code(), "not-in-store");
    assert!(to.entries().unwrap().is_empty());
    to.put(&to.lease().unwrap(), &model_bytes()).unwrap();
    import(&to, &bytes).unwrap();
    StoredModel::open(&to, &name("a/first")).unwrap();
}

#[test]
fn an_interrupted_import_goes_on() {
    let dir = crate::scratch();
    let bytes = package(&sender(&dir.path().join("from")), &[name("a/first")], &BTreeSet::new());
    let to = Store::open(&dir.path().join("to")).unwrap();
    let digest = digest_of(&model_bytes());
    let BeginOutcome::Mine(part) = to.begin(&digest).unwrap() else { panic!("nobody else is here") };
    part.prepare(Some(1000), None).unwrap();
    part.write_at(&model_bytes()[..600], 0).unwrap();
    part.save().unwrap();
    drop(part);
    import(&to, &bytes).unwrap();
    assert_eq!(to.read(&digest, 1000).unwrap(), model_bytes());
    // What an earlier attempt left may be wrong: the first try says so, the second starts from nothing.
    let other = Store::open(&dir.path().join("other")).unwrap();
    let BeginOutcome::Mine(part) = other.begin(&digest).unwrap() else { panic!("nobody else is here") };
    part.prepare(Some(1000), None).unwrap();
    part.write_at(&[0; 600], 0).unwrap();
    part.save().unwrap();
    drop(part);
    assert_eq!(import(&other, &bytes).unwrap_err().code(), "digest-mismatch");
    import(&other, &bytes).unwrap();
}

#[test]
fn two_imports_at_once_share_the_work() {
    let dir = crate::scratch();
    let bytes = package(&sender(&dir.path().join("from")), &[name("a/first")], &BTreeSet::new());
    let to = Store::open(&dir.path().join("to")).unwrap();
    let copied: usize = std::thread::scope(|scope| {
        let imports: Vec<_> = (0..4).map(|_| scope.spawn(|| import(&to, &bytes).unwrap())).collect();
        let copied = |imported: Imported| {
            imported.blobs.iter().filter(|(_, outcome)| *outcome == Outcome::Copied).count()
        };
        imports.into_iter().map(|import| copied(import.join().unwrap())).sum()
    });
    let members = Import::open(&&bytes[..]).unwrap().blobs().count();
    assert_eq!(copied, members, "each blob is copied once");
}

#[test]
fn volumes_are_one_package() {
    let dir = crate::scratch();
    let from = sender(&dir.path().join("from"));
    let export = Export::collect(&from, &[name("a/first")], &BTreeSet::new(), &|_| {}).unwrap();
    let path = dir.path().join("p.stackpkg");
    let mut out = VolumeWriter::new(&path, Some(3000));
    export.write(&mut out, &|_| {}).unwrap();
    let files = out.finish().unwrap();
    assert!(files.len() > 3);
    let to = Store::open(&dir.path().join("to")).unwrap();
    Import::open(&Volumes::open(&files[0]).unwrap()).unwrap().run(&to, &options(), &|_| {}).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    assert_eq!(Volumes::open(&files[0]).unwrap_err().code(), "no-such-file");
}

#[test]
fn one_model_may_get_another_name() {
    let dir = crate::scratch();
    let from = sender(&dir.path().join("from"));
    let to = Store::open(&dir.path().join("to")).unwrap();
    let renamed = ImportOptions { name: Some(name("b/other")), ..options() };
    let run = |names: &[Name]| {
        let bytes = package(&from, names, &BTreeSet::new());
        Import::open(&&bytes[..]).unwrap().run(&to, &renamed, &|_| {})
    };
    assert!(matches!(run(&[name("a/first"), name("a/second:q4")]), Err(PackageError::Usage(_))));
    run(&[name("a/first")]).unwrap();
    StoredModel::open(&to, &name("b/other")).unwrap();
    assert_eq!(run(&[name("a/second:q4")]).unwrap_err().code(), "name-taken");
}

/// A way to spoil a package, and what is said of it.
type Spoil = (&'static str, fn(&mut Vec<u8>, &Offsets), &'static str);

/// Where things stand in the package of one model.
struct Offsets {
    layout: usize,
    index: usize,
    first_blob: usize,
    second_blob: usize,
    weights: usize,
}

impl Offsets {
    fn of(bytes: &[u8]) -> Self {
        let source: &[u8] = bytes;
        let import = Import::open(&source).unwrap();
        let pad = |size: usize| 512 + size.next_multiple_of(512);
        let mut at = pad(import.list().to_bytes().len());
        let mut starts = Vec::new();
        for member in import.list().members() {
            starts.push((member.kind, at));
            at += pad(member.size as usize);
        }
        assert_eq!((starts[0].0, starts[1].0), (MemberKind::Layout, MemberKind::Index));
        Self {
            layout: starts[0].1,
            index: starts[1].1,
            first_blob: starts[2].1,
            second_blob: starts[3].1,
            weights: starts.last().unwrap().1,
        }
    }
}

fn retype(bytes: &mut [u8], at: usize, kind: u8) {
    let old = u32::from(bytes[at + 156]);
    bytes[at + 156] = kind;
    let sum = u32::from_str_radix(std::str::from_utf8(&bytes[at + 148..at + 154]).unwrap(), 8).unwrap();
    let sum = sum - old + u32::from(kind);
    bytes[at + 148..at + 154].copy_from_slice(format!("{sum:06o}").as_bytes());
}

const SPOILED: &[Spoil] = &[
    ("nothing at all", |bytes, _| bytes.clear(), "ends before byte"),
    ("only zeros", |bytes, _| bytes.fill(0), "first member"),
    ("cut in the list", |bytes, _| bytes.truncate(700), "ends before byte"),
    ("cut in the weights", |bytes, o| bytes.truncate(o.weights + 600), "its list says"),
    ("cut by its last byte", |bytes, _| bytes.truncate(bytes.len() - 1), "its list says"),
    ("trailing bytes", |bytes, _| bytes.push(0), "its list says"),
    ("a trailing block", |bytes, _| bytes.extend([0; 512]), "its list says"),
    ("another first member", |bytes, _| bytes[0] = b'x', "first member"),
    (
        "a first member of 2^60 bytes",
        |bytes, _| {
            bytes[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
        },
        "first member",
    ),
    ("a list that is none", |bytes, _| bytes[512] = b'[', "list is malformed"),
    (
        "a list with a BOM",
        |bytes, _| bytes[512..515].copy_from_slice("\u{feff}".as_bytes()),
        "list is malformed",
    ),
    ("a symbolic link", |bytes, o| retype(bytes, o.first_blob, b'2'), "it is a link"),
    ("a hard link", |bytes, o| retype(bytes, o.first_blob, b'1'), "it is a link"),
    ("a device", |bytes, o| retype(bytes, o.weights, b'3'), "a device"),
    ("a pipe", |bytes, o| retype(bytes, o.weights, b'6'), "a pipe"),
    ("a folder", |bytes, o| retype(bytes, o.layout, b'5'), "a folder"),
    ("a PAX header", |bytes, o| retype(bytes, o.index, b'x'), "extended header"),
    ("a global PAX header", |bytes, o| retype(bytes, o.index, b'g'), "extended header"),
    ("a sparse file", |bytes, o| retype(bytes, o.weights, b'S'), "sparse"),
    ("an old kind of file", |bytes, o| retype(bytes, o.weights, 0), "not a regular file"),
    ("a path that climbs", |bytes, o| bytes[o.layout..o.layout + 3].copy_from_slice(b"../"), "another file"),
    ("an absolute path", |bytes, o| bytes[o.layout] = b'/', "another file"),
    (
        "the same member twice",
        |bytes, o| {
            let header = bytes[o.first_blob..o.first_blob + 512].to_vec();
            bytes[o.second_blob..o.second_blob + 512].copy_from_slice(&header);
        },
        "another file",
    ),
    ("another length", |bytes, o| bytes[o.weights + 134] ^= 1, "another length"),
    ("other permissions", |bytes, o| bytes[o.weights + 105] = b'7', "not the one"),
    ("an owner", |bytes, o| bytes[o.weights + 265] = b'r', "not the one"),
    ("a wrong sum", |bytes, o| bytes[o.weights + 150] ^= 1, "not the one"),
    ("a missing member", |bytes, o| bytes[o.weights..o.weights + 512].fill(0), "ends before it"),
    ("something in the padding", |bytes, o| bytes[o.weights + 512 + 1000] = 1, "not zero"),
    ("something behind the end", |bytes, _| *bytes.last_mut().unwrap() = 1, "not zero"),
];

#[test]
fn every_deviation_is_a_bad_package() {
    let dir = crate::scratch();
    let good = package(&sender(&dir.path().join("from")), &[name("a/first")], &BTreeSet::new());
    let offsets = Offsets::of(&good);
    for (number, (what, spoil, said)) in SPOILED.iter().enumerate() {
        let mut bytes = good.clone();
        spoil(&mut bytes, &offsets);
        let to = Store::open(&dir.path().join(number.to_string())).unwrap();
        let error = import(&to, &bytes).expect_err(what);
        assert_eq!(error.code(), "bad-package", "{what}: {error}");
        assert!(error.to_string().contains(said), "{what}: {error}");
        assert!(to.entries().unwrap().is_empty(), "{what}: no name");
    }
}

#[test]
fn one_flipped_bit_anywhere_is_named_and_refused() {
    let dir = crate::scratch();
    let good = package(&sender(&dir.path().join("from")), &[name("a/second:q4")], &BTreeSet::new());
    let home = dir.path().join("to");
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        let to = Store::open(&home).unwrap();
        let Err(error) = import(&to, &bytes) else { panic!("a flipped bit in byte {at} is not noticed") };
        let code = error.code();
        assert!(matches!(code, "bad-package" | "digest-mismatch" | "not-in-store"), "byte {at}: {error}");
        assert!(to.entries().unwrap().is_empty(), "byte {at}: no name");
        drop(to);
        std::fs::remove_dir_all(&home).unwrap();
    }
}

#[test]
fn a_blob_that_was_changed_is_not_exported() {
    let dir = crate::scratch();
    let from = sender(&dir.path().join("from"));
    let blob = from.blob(&digest_of(&model_bytes())).unwrap();
    let mut bytes = model_bytes();
    bytes[999] ^= 1;
    std::fs::remove_file(&blob.path).unwrap();
    std::fs::write(&blob.path, bytes).unwrap();
    let export = Export::collect(&from, &[name("a/first")], &BTreeSet::new(), &|_| {}).unwrap();
    let mut out = Vec::new();
    let error = export.write(&mut out, &|_| {}).unwrap_err();
    assert_eq!(error.code(), "digest-mismatch");
}

#[test]
fn plain_tar_unpacks_a_package() {
    let dir = crate::scratch();
    let bytes = package(&sender(&dir.path().join("from")), &[name("a/first")], &BTreeSet::new());
    let path = dir.path().join("p.stackpkg");
    std::fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
    let unpacked = dir.path().join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let tar = std::process::Command::new("tar").arg("-xf").arg(&path).arg("-C").arg(&unpacked).output();
    let Ok(output) = tar else {
        eprintln!("SKIPPED: there is no tar");
        return;
    };
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let blob = unpacked.join("blobs/sha256").join(digest_of(&model_bytes()).hex());
    assert_eq!(std::fs::read(blob).unwrap(), model_bytes());
    assert!(unpacked.join("oci-layout").is_file() && unpacked.join("index.json").is_file());
}
