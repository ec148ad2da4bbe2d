//! Pulls from a server in memory that sends wrong bytes at first.

use std::sync::Mutex;

use stack_seal::bundle::Bundle;
use stack_seal::digest::{Root, SPAN, Sha256Hasher, SpanTree};
use stack_seal::key::{KeyKind, SigningKey};
use stack_seal::statement::{Claim, SignedFile, Statement, Tier};
use stack_seal::time::UnixTime;

use super::*;
use crate::fetch::{FetchError, Headers, Method, Request, Response};
use crate::manifest::{ConfigFacts, FilePath};
use crate::url::Url;

/// Sends `wrong` to the first `lies` requests, and `right` to the others.
struct Server {
    right: Vec<u8>,
    wrong: Vec<u8>,
    lies: usize,
    asked: Mutex<Vec<u64>>,
}

impl Fetch for Server {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let (_, range) = request.headers.iter().find(|(name, _)| *name == "range").unwrap();
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let mut asked = self.asked.lock().unwrap();
        let bytes = if asked.len() < self.lies { &self.wrong } else { &self.right };
        asked.push((last + 1 - first) as u64);
        let range = format!("bytes {first}-{last}/{}", bytes.len());
        let headers = Headers::new([("content-range", range.as_bytes())]).unwrap();
        let body = std::io::Cursor::new(bytes[first..=last].to_vec());
        Ok(Response { status: 206, headers, body: Box::new(body) })
    }
}

fn bundle(bytes: &[u8], seed: u8) -> Vec<u8> {
    let tree = SpanTree::new(bytes.len() as u64).unwrap();
    let values = bytes.chunks(SPAN).enumerate().map(|(index, span)| tree.span_value(index, span)).collect();
    let file = SignedFile {
        name: "model.gguf".into(),
        sha256: sha256(bytes).bytes,
        blake3: Some(Root::of(bytes)),
        size: Some(bytes.len() as u64),
        leaves: LeafList::new(tree, values),
    };
    let key = SigningKey::from_secret(KeyKind::Ed25519, &[seed; 32]).unwrap();
    let claim = Claim {
        name: "model".into(),
        serial: 1,
        issued: UnixTime::from_seconds(1),
        expires: None,
        signers: vec![key.public()],
        quorum: 1,
        tier: Tier::Standard,
        format: "gguf".into(),
        template: None,
        origin: None,
        license: None,
        recipe: None,
        parents: Vec::new(),
        sealed: Vec::new(),
    };
    let statement = Statement::new("model".into(), vec![file], Vec::new(), Some(claim)).unwrap();
    Bundle::sign(statement.to_payload(), &key).to_json()
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn upstream(bytes: &[u8], commit: &str, bundles: Vec<Vec<u8>>) -> Upstream<'static> {
    let request = Request::new(Method::Get, Url::parse("https://a.test/model.gguf").unwrap());
    let digest = sha256(bytes);
    let file = UpstreamFile {
        path: FilePath::parse("model.gguf").unwrap(),
        media_type: kind::WEIGHTS.into(),
        size: bytes.len() as u64,
        digests: vec![digest],
        git_blob: None,
        key: digest,
        location: Box::new(request),
    };
    Upstream {
        name: Name::parse("a.test/model").unwrap(),
        origin: "https://a.test/model.gguf".into(),
        commit: Some(commit.into()),
        exact: false,
        manifest: None,
        facts: ConfigFacts::default(),
        files: vec![file],
        bundles,
        passed_over: Vec::new(),
    }
}

fn pull(store: &Store, server: &Server, upstream: &Upstream<'_>) -> Result<Pulled, TransferError> {
    pull_with(store, server, upstream, Rebind::Allowed)
}

fn pull_with(
    store: &Store,
    server: &Server,
    upstream: &Upstream<'_>,
    rebind: Rebind,
) -> Result<Pulled, TransferError> {
    let cancel = Cancel::default();
    let limits = Limits::default();
    let puller = Puller {
        store,
        fetch: server,
        watch: &|_| {},
        cancel: &cancel,
        limits,
        throttle: None,
        seed: 1,
        now: 1,
        inspect: &|_, _| Ok(()),
    };
    puller.pull(upstream, &upstream.name, rebind)
}

/// Eight spans and a bit, and the same with one wrong bit in the sixth.
fn contents() -> (Vec<u8>, Vec<u8>) {
    let right: Vec<u8> = (0..8 * SPAN + 5).map(|at| (at >> 3) as u8).collect();
    let mut wrong = right.clone();
    wrong[5 * SPAN + 7] ^= 1;
    (right, wrong)
}

#[test]
fn only_the_broken_span_is_fetched_again_where_somebody_lists_them() {
    let (home, (right, wrong)) = (tempfile::tempdir().unwrap(), contents());
    let store = Store::open(home.path()).unwrap();
    let upstream = upstream(&right, "1", vec![bundle(&right, 1)]);
    let server = Server { right, wrong, lies: 1, asked: Mutex::default() };
    pull(&store, &server, &upstream).unwrap();
    assert_eq!(*server.asked.lock().unwrap(), [server.right.len() as u64, SPAN as u64]);
}

#[test]
fn everything_is_fetched_again_once_where_nobody_lists_them() {
    let (home, (right, wrong)) = (tempfile::tempdir().unwrap(), contents());
    let store = Store::open(home.path()).unwrap();
    let upstream = upstream(&right, "1", Vec::new());
    let server = Server { right: right.clone(), wrong: wrong.clone(), lies: 2, asked: Mutex::default() };
    let error = pull(&store, &server, &upstream).unwrap_err();
    assert!(matches!(error.kind, TransferErrorKind::DigestMismatch));
    assert_eq!(*server.asked.lock().unwrap(), [right.len() as u64; 2]);
    let honest = Server { right, wrong, lies: 0, asked: Mutex::default() };
    assert!(matches!(pull(&store, &honest, &upstream).unwrap(), Pulled::Named(_)));
}

#[test]
fn a_name_does_not_go_over_to_another_signer() {
    let (home, (right, wrong)) = (tempfile::tempdir().unwrap(), contents());
    let store = Store::open(home.path()).unwrap();
    let server = Server { right: right.clone(), wrong: wrong.clone(), lies: 0, asked: Mutex::default() };
    let Pulled::Named(entry) =
        pull(&store, &server, &upstream(&right, "1", vec![bundle(&right, 1)])).unwrap()
    else {
        panic!("it was not there before")
    };
    assert!(entry.record.signer.is_some_and(|signer| signer.starts_with("ed25519:")));
    let changed = Server { right: wrong.clone(), wrong: right, lies: 0, asked: Mutex::default() };
    // Unsigned, signed by somebody else, and signed by the right one for other bytes.
    for bundles in [vec![], vec![bundle(&wrong, 2)], vec![bundle(&changed.wrong, 1)]] {
        let error = pull(&store, &changed, &upstream(&wrong, "2", bundles)).unwrap_err();
        assert!(matches!(error.kind, TransferErrorKind::SignerChanged));
    }
    pull(&store, &changed, &upstream(&wrong, "2", vec![bundle(&wrong, 1)])).unwrap();
}

#[test]
fn a_signature_of_somebody_else_beside_the_first_one_gives_no_right_to_the_name() {
    let (home, (right, wrong)) = (tempfile::tempdir().unwrap(), contents());
    let store = Store::open(home.path()).unwrap();
    let server = Server { right: right.clone(), wrong: wrong.clone(), lies: 0, asked: Mutex::default() };
    let signer = |pulled: Pulled| match pulled {
        Pulled::Named(entry) | Pulled::Unchanged(entry) | Pulled::Kept(entry) => entry.record.signer,
    };
    let first = signer(pull(&store, &server, &upstream(&right, "1", vec![bundle(&right, 1)])).unwrap());
    let both = upstream(&right, "1", vec![bundle(&right, 1), bundle(&right, 2)]);
    assert_eq!(signer(pull(&store, &server, &both).unwrap()), first);
    assert_eq!(store.resolve(&both.name).unwrap().record.signer, first);
    let changed = Server { right: wrong.clone(), wrong: right, lies: 0, asked: Mutex::default() };
    let error = pull(&store, &changed, &upstream(&wrong, "2", vec![bundle(&wrong, 2)])).unwrap_err();
    assert!(matches!(error.kind, TransferErrorKind::SignerChanged), "{error}");
    let both = upstream(&wrong, "2", vec![bundle(&wrong, 1), bundle(&wrong, 2)]);
    assert_eq!(signer(pull(&store, &changed, &both).unwrap()), first);
}

#[test]
fn a_name_that_means_another_state_is_no_answer_to_an_exact_question() {
    let (home, (right, wrong)) = (tempfile::tempdir().unwrap(), contents());
    let store = Store::open(home.path()).unwrap();
    let server = Server { right: right.clone(), wrong: wrong.clone(), lies: 0, asked: Mutex::default() };
    pull(&store, &server, &upstream(&right, "1", Vec::new())).unwrap();
    let ask = |bytes: &[u8], commit, exact| {
        let asked = Upstream { exact, ..upstream(bytes, commit, Vec::new()) };
        pull_with(&store, &server, &asked, Rebind::Never)
    };
    assert!(matches!(ask(&wrong, "2", false).unwrap(), Pulled::Kept(_)));
    let error = ask(&wrong, "2", true).unwrap_err();
    assert!(matches!(error.kind, TransferErrorKind::NameTaken), "{error}");
    assert!(matches!(ask(&right, "1", true).unwrap(), Pulled::Unchanged(_)));
}

#[test]
fn what_holds_no_weights_is_refused_before_it_is_fetched() {
    let (home, (right, wrong)) = (tempfile::tempdir().unwrap(), contents());
    let store = Store::open(home.path()).unwrap();
    let server = Server { right: right.clone(), wrong, lies: 0, asked: Mutex::default() };
    let mut page = upstream(&right, "1", Vec::new());
    page.files[0].path = FilePath::parse("download").unwrap();
    page.files[0].media_type = kind::DOCUMENT.into();
    let error = pull(&store, &server, &page).unwrap_err();
    assert!(matches!(error.kind, TransferErrorKind::NotAModel), "{error}");
    assert!(error.message.contains(".gguf") && error.message.contains("download"), "{error}");
    assert!(server.asked.lock().unwrap().is_empty() && store.entries().unwrap().is_empty());
}

#[test]
fn damaged_signatures_come_again() {
    let (home, (right, wrong)) = (tempfile::tempdir().unwrap(), contents());
    let store = Store::open(home.path()).unwrap();
    let server = Server { right: right.clone(), wrong, lies: 0, asked: Mutex::default() };
    let upstream = upstream(&right, "1", vec![bundle(&right, 1), bundle(&right, 2)]);
    let Pulled::Named(entry) = pull(&store, &server, &upstream).unwrap() else { panic!("it is new") };
    let digest = entry.manifest.digest;
    let referrers = store.referrers(&digest, kind::BUNDLE).unwrap();
    // Of one signature the bytes are wrong, of the other one the manifest is gone.
    let blob = store.blob(&referrers[0].manifest.layers[0].digest).unwrap().path;
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, b"wrong").unwrap();
    store.drop_damaged(&referrers[1].descriptor.digest).unwrap();
    assert!(store.referrers(&digest, kind::BUNDLE).is_err());
    pull(&store, &server, &upstream).unwrap();
    let index = store.index().unwrap();
    let mut bundles = crate::attached::bundles(&store, &index, &digest).unwrap();
    bundles.sort();
    let mut expected = upstream.bundles.clone();
    expected.sort();
    assert_eq!(bundles, expected);
}
