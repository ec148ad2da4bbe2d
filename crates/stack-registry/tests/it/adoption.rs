//! Models that lie on this machine already.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use stack_registry::adopt::{
    AdoptError, AdoptMode, AdoptOptions, AdoptOutcome, Adoption, Found, hub_models, path_models,
};
use stack_registry::model::{FileBytes, StoredModel};
use stack_registry::store::{Rebind, Store, StoreError};

use crate::store::{name, sweep};

fn found(path: &Path, bytes: &[u8]) -> Found {
    fs::write(path, bytes).unwrap();
    path_models(path).unwrap().remove(0)
}

fn take(store: &Store, found: &Found, mode: AdoptMode) -> Result<AdoptOutcome, AdoptError> {
    let options = AdoptOptions { name: &found.name, mode, now: 7, inspect: &|_, _| Ok(()) };
    let mut adoption = Adoption::new(store, Rebind::Never)?;
    adoption.take(found, &options, &|_| {})?;
    let (adopted, outcome) = adoption.finish()?.remove(0);
    outcome?;
    Ok(adopted.files[0].2)
}

#[test]
fn a_file_serves_where_it_lies_until_it_is_gone() {
    let dir = crate::scratch();
    let store = Store::open(&dir.path().join("home")).unwrap();
    let path = dir.path().join("Tiny.gguf");
    let kept = take(&store, &found(&path, b"GGUF tiny"), AdoptMode::Share).unwrap();
    let model = StoredModel::open(&store, &name("tiny")).unwrap();
    let FileBytes::Plain(blob) = &model.files[0].bytes else { panic!("the file is not sealed") };
    assert_eq!(fs::read(&blob.path).unwrap(), b"GGUF tiny");
    assert_eq!(model.entry.record.named_at, Some(7));
    if kept == AdoptOutcome::Cloned {
        return;
    }
    assert_eq!(blob.path, path.canonicalize().unwrap());
    drop(model);
    sweep(&store);
    StoredModel::open(&store, &name("tiny")).unwrap();
    fs::write(&path, b"GGUF another").unwrap();
    let error = StoredModel::open(&store, &name("tiny")).err().unwrap();
    assert_eq!(error.code(), "length-mismatch");
    fs::remove_file(&path).unwrap();
    let error = StoredModel::open(&store, &name("tiny")).err().unwrap();
    assert!(
        matches!(&error, StoreError::Vanished { path: gone } if *gone == path.canonicalize().unwrap_or(path))
    );
    assert_eq!(error.code(), "no-such-file");
}

#[test]
fn a_copy_needs_the_file_no_more() {
    let dir = crate::scratch();
    let store = Store::open(&dir.path().join("home")).unwrap();
    let path = dir.path().join("tiny.gguf");
    let tiny = found(&path, b"GGUF tiny");
    assert_eq!(take(&store, &tiny, AdoptMode::Copy).unwrap(), AdoptOutcome::Copied);
    fs::remove_file(&path).unwrap();
    StoredModel::open(&store, &name("tiny")).unwrap();
    assert_eq!(store.path().join("tmp").read_dir().unwrap().count(), 0);
}

#[test]
fn the_hubs_links_are_followed_once() {
    let dir = crate::scratch();
    let store = Store::open(&dir.path().join("home")).unwrap();
    let snapshot = dir.path().join("hub/models--O--R/snapshots/c0ffee");
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(dir.path().join("blob"), b"GGUF hub").unwrap();
    symlink(dir.path().join("blob"), snapshot.join("r-Q8_0.gguf")).unwrap();
    let found = hub_models(&dir.path().join("hub")).unwrap().remove(0);
    take(&store, &found, AdoptMode::Share).unwrap();
    let model = StoredModel::open(&store, &name("o/r:q8_0")).unwrap();
    assert_eq!(model.entry.record.commit.as_deref(), Some("c0ffee"));
    // The link may go; the file that it led to counts.
    fs::remove_dir_all(dir.path().join("hub")).unwrap();
    StoredModel::open(&store, &name("o/r:q8_0")).unwrap();
}

#[test]
fn only_gguf_files_are_adopted() {
    let dir = crate::scratch();
    let store = Store::open(&dir.path().join("home")).unwrap();
    for bytes in [&b"PK\x03\x04"[..], b"", b"GGU"] {
        let error = take(&store, &found(&dir.path().join("a.gguf"), bytes), AdoptMode::Share).unwrap_err();
        assert_eq!(error.code(), "not-gguf");
    }
    assert!(store.entries().unwrap().is_empty());
    assert!(path_models(&dir.path().join("none.gguf")).is_err());
}

#[test]
fn one_name_that_is_taken_does_not_keep_the_others_from_theirs() {
    let dir = crate::scratch();
    let store = Store::open(&dir.path().join("home")).unwrap();
    let file = |name: &str, bytes: &[u8]| found(&dir.path().join(name), bytes);
    take(&store, &file("b.gguf", b"GGUF first"), AdoptMode::Share).unwrap();
    let mut adoption = Adoption::new(&store, Rebind::Never).unwrap();
    // The same bytes twice are one blob, and two models.
    let models = [file("a.gguf", b"GGUF a"), file("b.gguf", b"GGUF b"), file("c.gguf", b"GGUF a")];
    for found in &models {
        let options =
            AdoptOptions { name: &found.name, mode: AdoptMode::Share, now: 7, inspect: &|_, _| Ok(()) };
        adoption.take(found, &options, &|_| {}).unwrap();
    }
    assert_eq!(store.entries().unwrap().len(), 1, "names come together");
    let outcomes = adoption.finish().unwrap();
    let codes: Vec<_> =
        outcomes.iter().map(|(_, outcome)| outcome.as_ref().err().map(StoreError::code)).collect();
    assert_eq!(codes, [None, Some("name-taken"), None]);
    for named in ["a", "c"] {
        StoredModel::open(&store, &name(named)).unwrap();
    }
}
