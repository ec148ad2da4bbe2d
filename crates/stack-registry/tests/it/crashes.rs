//! The machine stops after every step, and the disk forgets whatever it may.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stack_registry::adopt::{AdoptError, AdoptMode, AdoptOptions, Adoption, path_models};
use stack_registry::gc::{self, GcOptions};
use stack_registry::manifest::{ConfigFacts, FilePath, kind};
use stack_registry::model::{StoredModel, describe_file, put_model};
use stack_registry::name::Name;
use stack_registry::store::{
    BeginOutcome, Entry, ExpectedBlob, Folders, Rebind, Record, Store, StoreError, StoreFile, hash_file,
};

use crate::crash_disk::{Adversary, CrashDisk};
use crate::store::{digest_of, model_bytes};

/// What happens to the store, again and again until it is done.
fn story(store: &Store) -> Result<(), StoreError> {
    store.write_layout()?;
    let lease = store.lease()?;
    let bytes = model_bytes();
    let digest = digest_of(&bytes);
    if let BeginOutcome::Mine(part) = store.begin(&digest)? {
        part.prepare(Some(bytes.len() as u64), Some("etag"))?;
        for (start, end) in [(0, 300), (700, 1000), (300, 700)] {
            if !part.ranges().covers(start..end) {
                part.write_at(&bytes[start as usize..end as usize], start)?;
                part.save()?;
            }
        }
        part.publish(&ExpectedBlob { digests: &[digest], length: Some(1000) }, &|_| {})?;
    }
    let hashed = hash_file(&store.blob(&digest)?.file, &|_| {}).unwrap();
    let file = describe_file(kind::WEIGHTS, &FilePath::parse("model.gguf").unwrap(), &hashed);
    let manifest = put_model(store, &lease, &ConfigFacts::default(), vec![file])?;
    for name in ["a/first", "a/second"] {
        let entry =
            Entry { name: Name::parse(name).unwrap(), manifest: manifest.clone(), record: Record::default() };
        store.bind(&lease, &entry, Rebind::Never)?;
    }
    store.attach(&lease, &manifest, kind::BUNDLE, b"signed")?;
    adopt(store)?;
    drop(lease);
    gc::remove(store, &[Name::parse("a/second").unwrap()], false)?;
    collect(store)?;
    Ok(())
}

/// Adopts two models where they lie, together.
fn adopt(store: &Store) -> Result<(), StoreError> {
    let mut adoption = Adoption::new(store, Rebind::Never)?;
    for name in ["third", "fourth"] {
        let path = store.path().with_file_name(format!("{name}.gguf"));
        std::fs::write(&path, format!("GGUF {name}")).unwrap();
        let found = path_models(&path).unwrap().remove(0);
        let options =
            AdoptOptions { name: &found.name, mode: AdoptMode::Share, now: 7, inspect: &|_, _| Ok(()) };
        adoption.take(&found, &options, &|_| {}).map_err(|error| match error {
            AdoptError::Store(error) => error,
            error => panic!("{error}"),
        })?;
    }
    adoption.finish()?.into_iter().try_for_each(|(_, outcome)| outcome)
}

fn collect(store: &Store) -> Result<(), StoreError> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    let options = GcOptions { now, grace: Duration::ZERO, parts_older: Duration::ZERO, dry_run: false };
    gc::collect(store, &options).map(drop)
}

fn crashing(path: &Path, steps: usize) -> (Store, Arc<CrashDisk>) {
    let folders = Arc::new(Folders::create(path).unwrap());
    let disk = CrashDisk::new(Arc::clone(&folders), steps);
    (Store::with_disk(folders, Arc::<CrashDisk>::clone(&disk)), disk)
}

/// What the store promises, whatever happened.
fn check_promises(home: &Path, context: &str) {
    let store = Store::open(home).unwrap();
    for entry in store.path().join("blobs/sha256").read_dir().unwrap() {
        let entry = entry.unwrap();
        let hex = entry.file_name().into_string().unwrap();
        let found = digest_of(&std::fs::read(entry.path()).unwrap());
        assert_eq!(found.hex(), hex, "{context}: a blob is not what its name says");
    }
    for entry in store.entries().unwrap() {
        let model = StoredModel::open(&store, &entry.name);
        assert!(model.is_ok(), "{context}: {} has a name and is not whole", entry.name);
        for referrer in store.referrers(&entry.manifest.digest, kind::BUNDLE).unwrap() {
            store.read(&referrer.manifest.layers[0].digest, 100).unwrap();
        }
    }
}

#[test]
fn whatever_is_forgotten_the_promises_hold_and_the_story_goes_on() {
    let whole = crate::scratch();
    let (store, disk) = crashing(&whole.path().join("store"), usize::MAX);
    story(&store).unwrap();
    let steps = disk.steps();
    assert!(steps > 100, "the story has only {steps} steps");
    let adversaries =
        [Adversary::Forgets, Adversary::Keeps].into_iter().chain((0..6).map(Adversary::Chooses));
    let adversaries: Vec<_> = adversaries.collect();
    for step in 0..steps {
        let dir = crate::scratch();
        let (store, disk) = crashing(&dir.path().join("store"), step);
        let error = story(&store).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        for (number, adversary) in adversaries.iter().enumerate() {
            let home = dir.path().join(number.to_string());
            let context = format!("step {step}, {adversary:?}");
            disk.survivors(*adversary, &home.join("store"));
            check_promises(&home, &context);
            let store = Store::open(&home).unwrap();
            collect(&store).unwrap();
            check_promises(&home, &context);
            let done = story(&store);
            assert!(done.is_ok(), "{context}: {}", done.unwrap_err());
            check_promises(&home, &context);
            assert_eq!(store.entries().unwrap().len(), 3, "{context}");
            assert_eq!(left_over(&store), 0, "{context}: files are left in tmp");
        }
    }
}

#[test]
fn a_resume_keeps_what_was_saved() {
    let bytes = model_bytes();
    let digest = digest_of(&bytes);
    let dir = crate::scratch();
    let (store, disk) = crashing(&dir.path().join("store"), usize::MAX);
    let BeginOutcome::Mine(part) = store.begin(&digest).unwrap() else { panic!("nobody else is here") };
    part.prepare(Some(1000), None).unwrap();
    part.write_at(&bytes[..500], 0).unwrap();
    part.save().unwrap();
    part.write_at(&bytes[500..600], 500).unwrap();
    disk.survivors(Adversary::Forgets, &dir.path().join("after/store"));
    let after = Store::open(&dir.path().join("after")).unwrap();
    assert_eq!(after.part_bytes(&digest), 500);
    let BeginOutcome::Mine(part) = after.begin(&digest).unwrap() else { panic!("nobody else is here") };
    assert_eq!((part.ranges().front(), part.length()), (500, Some(1000)));
    part.prepare(Some(1000), None).unwrap();
    part.write_at(&bytes[500..], 500).unwrap();
    part.publish(&ExpectedBlob { digests: &[digest], length: Some(1000) }, &|_| {}).unwrap();
    assert_eq!(after.read(&digest, 1000).unwrap(), bytes);
}

fn left_over(store: &Store) -> usize {
    let folders = Folders::open(store.path()).unwrap();
    let parts = folders.list(stack_registry::store::Folder::Tmp).unwrap();
    parts.iter().filter(|place| !matches!(place, StoreFile::PartStateNew(_))).count()
}
