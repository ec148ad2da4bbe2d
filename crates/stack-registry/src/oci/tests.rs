//! A registry in memory, and models that go there and come back.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::fetch::{Headers, RetryFetch};
use crate::manifest::{Index, Manifest, key, model_config};
use crate::name::Name;
use crate::pull::{Pulled, Puller, from_registry};
use crate::push::{Pusher, Sent, Weights};
use crate::scheduler::Limits;
use crate::store::{Entry, Rebind, Record, Store};

/// What the specification asks of a registry, as far as it is used here.
#[derive(Default)]
struct Registry {
    state: Mutex<State>,
    /// Whether it keeps track of referrers itself.
    tracks_referrers: bool,
    /// Whether it wants a token.
    guarded: bool,
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    upload: Vec<u8>,
    asked: Vec<String>,
}

fn reply(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
    let pairs = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    Response { status, headers: Headers::new(pairs).unwrap(), body: Box::new(std::io::Cursor::new(body)) }
}

fn digest_of(bytes: &[u8]) -> String {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish().to_string()
}

impl Fetch for Registry {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let mut state = self.state.lock().unwrap();
        let target = request.url.target().to_owned();
        state.asked.push(format!("{} {target}", request.method.as_str()));
        if target.starts_with("/token?") {
            assert_eq!(request.hop, Hop::Realm { of: "registry.test".into() });
            return Ok(reply(200, &[], br#"{"token":"let-me-in","expires_in":60}"#.to_vec()));
        }
        let shown = request.authorization.as_ref().map(Authorization::reveal);
        if self.guarded && shown != Some("Bearer let-me-in") {
            let challenge = r#"Bearer realm="https://registry.test/token",service="registry.test""#;
            return Ok(reply(401, &[("www-authenticate", challenge)], Vec::new()));
        }
        let path = target.strip_prefix("/v2/med/tiny/").unwrap();
        Ok(self.answer(&mut state, request, path))
    }
}

impl Registry {
    fn answer(&self, state: &mut State, request: &Request, path: &str) -> Response {
        let found = |bytes: Option<&Vec<u8>>| match bytes {
            Some(bytes) => reply(200, &[], bytes.clone()),
            None => reply(404, &[], Vec::new()),
        };
        if let Some(rest) = path.strip_prefix("blobs/uploads/") {
            return match request.method {
                Method::Post => {
                    state.upload.clear();
                    reply(202, &[("location", "/v2/med/tiny/blobs/uploads/1?state=a")], Vec::new())
                }
                Method::Patch => {
                    state.upload.extend_from_slice(&request.body);
                    reply(202, &[("location", "/v2/med/tiny/blobs/uploads/1?state=b")], Vec::new())
                }
                _ => {
                    state.upload.extend_from_slice(&request.body);
                    let bytes = std::mem::take(&mut state.upload);
                    let digest = rest.split_once("digest=").unwrap().1.replace("%3A", ":");
                    assert_eq!(digest_of(&bytes), digest);
                    state.blobs.insert(digest, bytes);
                    reply(201, &[], Vec::new())
                }
            };
        }
        if let Some(digest) = path.strip_prefix("blobs/") {
            return found(state.blobs.get(digest));
        }
        if let Some(version) = path.strip_prefix("manifests/") {
            if request.method == Method::Put {
                let media_type =
                    request.headers.iter().find(|(name, _)| *name == "content-type").unwrap().1.clone();
                let entry = (media_type, request.body.clone());
                state.manifests.insert(digest_of(&request.body), entry.clone());
                state.manifests.insert(version.to_owned(), entry);
                let subject: &[_] = if self.tracks_referrers { &[("oci-subject", "x")] } else { &[] };
                return reply(201, subject, Vec::new());
            }
            return match state.manifests.get(version) {
                Some((media_type, bytes)) => reply(200, &[("content-type", media_type)], bytes.clone()),
                None => reply(404, &[], Vec::new()),
            };
        }
        let subject = path.strip_prefix("referrers/").unwrap().split('?').next().unwrap();
        if !self.tracks_referrers {
            return reply(404, &[], Vec::new());
        }
        let mut index = Index::default();
        for (name, (media_type, bytes)) in &state.manifests {
            let manifest = Manifest::parse(bytes).ok().filter(|_| name.starts_with("sha256:"));
            if let Some(manifest) = manifest
                && manifest.subject.as_ref().is_some_and(|named| named.digest.to_string() == subject)
            {
                let mut entry = Descriptor::of(media_type, bytes);
                entry.artifact_type = manifest.artifact_type;
                index.manifests.push(entry);
            }
        }
        reply(200, &[], index.to_bytes())
    }
}

fn remote(scope: Scope) -> Remote {
    let base = Url::parse("https://registry.test").unwrap();
    Remote::new(base, "med/tiny", scope, None, Cancel::default())
}

/// Makes a store with a model of these weights and one thing attached to it.
fn stocked(weights: &[u8]) -> (tempfile::TempDir, Store, Entry) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let lease = store.lease().unwrap();
    store.put(&lease, weights).unwrap();
    let layer = Descriptor::of(kind::WEIGHTS, weights).with(key::FILE_PATH, "tiny.gguf");
    let config = model_config(&crate::manifest::ConfigFacts::default(), &[layer.digest]);
    store.put(&lease, &config).unwrap();
    let manifest = Manifest::model(Descriptor::of(kind::MODEL_CONFIG, &config), vec![layer]).to_bytes();
    store.put(&lease, &manifest).unwrap();
    let name = Name::parse("tiny").unwrap();
    let manifest = Descriptor::of(kind::MANIFEST, &manifest);
    let entry = Entry { name, manifest, record: Record::default() };
    store.bind(&lease, &entry, Rebind::Never).unwrap();
    store.attach(&lease, &entry.manifest, kind::BUNDLE, b"{\"not\":\"checked here\"}").unwrap();
    (home, store, entry)
}

fn push(
    registry: &Registry,
    store: &Store,
    entry: &Entry,
    weights: Weights,
) -> Result<Sent, crate::pull::TransferError> {
    let remote = remote(Scope::Push);
    Pusher { store, fetch: registry, remote: &remote, watch: &|_| {}, weights }.push(entry, "v1")
}

fn pull(registry: &Registry) -> (tempfile::TempDir, Store, Pulled) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let (remote, cancel) = (remote(Scope::Pull), Cancel::default());
    let upstream = from_registry(registry, &remote, ("registry.test", "med/tiny", "v1")).unwrap();
    let puller = Puller {
        store: &store,
        fetch: registry,
        watch: &|_| {},
        cancel: &cancel,
        limits: Limits::default(),
        throttle: None,
        seed: 1,
        now: 1,
        inspect: &|_, _| Ok(()),
    };
    let pulled = puller.pull(&upstream, &upstream.name, Rebind::Never).unwrap();
    (home, store, pulled)
}

#[test]
fn a_model_goes_to_a_registry_and_comes_back_with_its_signatures() {
    for tracks_referrers in [true, false] {
        let registry = Registry { tracks_referrers, guarded: true, ..Registry::default() };
        let (_home, store, entry) = stocked(b"GGUF weights");
        let sent = push(&registry, &store, &entry, Weights::Any).unwrap();
        assert_eq!(
            (sent.files, sent.referrers),
            (4, 1),
            "config, weights, and of the signature config and layer"
        );
        assert_eq!(push(&registry, &store, &entry, Weights::Any).unwrap().files, 0, "nothing is sent twice");
        let (_other_home, other, pulled) = pull(&registry);
        let Pulled::Named(pulled) = pulled else { panic!("{pulled:?}") };
        assert_eq!(pulled.name.to_string(), "registry.test/med/tiny:v1");
        assert_eq!(pulled.manifest.digest, entry.manifest.digest);
        assert_eq!(other.referrers(&entry.manifest.digest, kind::BUNDLE).unwrap().len(), 1);
    }
}

#[test]
fn large_files_go_in_chunks() {
    let registry = Registry { tracks_referrers: true, ..Registry::default() };
    let weights = vec![7; (33 << 20) + 1];
    let (_home, store, entry) = stocked(&weights);
    push(&registry, &store, &entry, Weights::Any).unwrap();
    let state = registry.state.lock().unwrap();
    assert_eq!(state.asked.iter().filter(|asked| asked.starts_with("PATCH")).count(), 3);
    assert_eq!(state.blobs[&digest_of(&weights)], weights);
}

/// A registry behind something that answers some requests itself; it is told how many there were before.
struct Behind<'a> {
    registry: &'a Registry,
    count: Mutex<usize>,
    #[expect(clippy::type_complexity, reason = "it is written once")]
    between: &'a (dyn Fn(usize, &Request) -> Option<Result<Response, FetchError>> + Sync),
}

impl Fetch for Behind<'_> {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let number = {
            let mut count = self.count.lock().unwrap();
            *count += 1;
            *count - 1
        };
        (self.between)(number, request).unwrap_or_else(|| self.registry.send(request))
    }
}

#[test]
fn a_busy_registry_takes_a_model_in_the_end() {
    let registry = Registry { tracks_referrers: true, guarded: true, ..Registry::default() };
    let (_home, store, entry) = stocked(b"GGUF weights");
    // Every other request is sent away, whatever it is.
    let between = |number: usize, _: &Request| {
        let status = if number.is_multiple_of(4) { 429 } else { 503 };
        number.is_multiple_of(2).then(|| Ok(reply(status, &[("retry-after", "0")], Vec::new())))
    };
    let behind = Behind { registry: &registry, count: Mutex::default(), between: &between };
    let (fetch, remote) = (RetryFetch::new(&behind, 1), remote(Scope::Push));
    let pusher =
        Pusher { store: &store, fetch: &fetch, remote: &remote, watch: &|_| {}, weights: Weights::Any };
    assert_eq!(pusher.push(&entry, "v1").unwrap().files, 4);
    let (_other_home, other, _) = pull(&registry);
    assert_eq!(other.referrers(&entry.manifest.digest, kind::BUNDLE).unwrap().len(), 1);
}

#[test]
fn an_upload_that_breaks_off_begins_anew() {
    let registry = Registry { tracks_referrers: true, ..Registry::default() };
    let weights: Vec<u8> = (0..=33_u32 << 20).map(|i| (i % 251) as u8).collect();
    let (_home, store, entry) = stocked(&weights);
    let pieces = Mutex::new(0);
    let between = |_: usize, request: &Request| {
        let mut pieces = pieces.lock().unwrap();
        *pieces += u32::from(request.method == Method::Patch);
        let breaks = request.method == Method::Patch && *pieces == 2;
        breaks.then(|| Err(FetchError::new(FetchErrorKind::Broken, "registry.test", "the connection broke")))
    };
    let behind = Behind { registry: &registry, count: Mutex::default(), between: &between };
    let remote = remote(Scope::Push);
    let pusher =
        Pusher { store: &store, fetch: &behind, remote: &remote, watch: &|_| {}, weights: Weights::Any };
    pusher.push(&entry, "v1").unwrap();
    assert_eq!(*pieces.lock().unwrap(), 2 + 3, "what came before the break is sent again");
    assert!(registry.state.lock().unwrap().blobs[&digest_of(&weights)] == weights);
    // One that always breaks is given up.
    let between = |_: usize, request: &Request| {
        (request.method == Method::Post)
            .then(|| Err(FetchError::new(FetchErrorKind::Stalled, "registry.test", "nothing came")))
    };
    let behind = Behind { registry: &Registry::default(), count: Mutex::default(), between: &between };
    let pusher = Pusher { fetch: &behind, ..pusher };
    assert_eq!(pusher.push(&entry, "v1").unwrap_err().kind.code(), "stalled");
    assert_eq!(*behind.count.lock().unwrap(), 2 * 3, "a look and an attempt, three times");
}

#[test]
fn weights_that_must_be_sealed_do_not_leave() {
    let registry = Registry::default();
    let (_home, store, entry) = stocked(b"GGUF weights");
    let error = push(&registry, &store, &entry, Weights::Sealed).unwrap_err();
    assert_eq!(error.kind.code(), "weights-tier");
    assert!(registry.state.lock().unwrap().asked.is_empty());
}

#[test]
fn what_is_no_model_is_not_pulled() {
    let layer = |kind: &str| Descriptor::of(kind, b"x");
    let archive = Manifest::model(
        layer(kind::MODEL_CONFIG),
        vec![layer("application/vnd.oci.image.layer.v1.tar+gzip")],
    );
    let empty = Manifest::model(layer(kind::MODEL_CONFIG), vec![layer("text/plain")]);
    for manifest in [archive.to_bytes(), empty.to_bytes(), b"{}".to_vec()] {
        let registry = Registry::default();
        let entry = (kind::MANIFEST.to_owned(), manifest);
        registry.state.lock().unwrap().manifests.insert("v1".into(), entry);
        let remote = remote(Scope::Pull);
        let error = from_registry(&registry, &remote, ("registry.test", "med/tiny", "v1")).err().unwrap();
        assert_eq!(error.kind.code(), "bad-answer", "{error}");
    }
}

#[test]
fn a_document_is_what_it_is_sent_as() {
    let registry = Registry::default();
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, kind::INDEX);
    for (sent_as, is_taken) in [(kind::INDEX, true), ("application/json", true), (kind::MANIFEST, false)] {
        let entry = (sent_as.to_owned(), index.clone().into_bytes());
        registry.state.lock().unwrap().manifests.insert("v1".into(), entry);
        match remote(Scope::Pull).manifest(&registry, "v1") {
            Ok((found, _)) => assert!(is_taken && found.media_type == kind::INDEX),
            Err(error) => assert!(!is_taken && error.to_string().contains("sent as"), "{error}"),
        }
    }
}

#[test]
fn a_manifest_that_is_not_the_one_asked_for_is_refused() {
    let registry = Registry::default();
    let asked = digest_of(b"something else");
    let entry = (kind::MANIFEST.to_owned(), b"{}".to_vec());
    registry.state.lock().unwrap().manifests.insert(asked.clone(), entry);
    let error = remote(Scope::Pull).manifest(&registry, &asked).unwrap_err();
    assert!(matches!(error, OciError::Differs { .. }), "{error}");
}

#[test]
fn what_is_attached_and_no_signature_does_not_keep_a_model_back() {
    let registry = Registry { tracks_referrers: true, ..Registry::default() };
    let (_home, store, entry) = stocked(b"GGUF weights");
    push(&registry, &store, &entry, Weights::Any).unwrap();
    // One says that it is endless, one is longer than it says, and of one the bytes are gone.
    let endless = Descriptor::new(kind::BUNDLE, Descriptor::of("", b"endless").digest, 1 << 40);
    let longer = Descriptor::new(kind::BUNDLE, Descriptor::of("", b"longer").digest, 1);
    let gone = Descriptor::of(kind::BUNDLE, b"gone");
    let refused = gone.digest.to_string();
    {
        let mut state = registry.state.lock().unwrap();
        state.blobs.insert(digest_of(b"endless"), b"endless".to_vec());
        state.blobs.insert(digest_of(b"longer"), b"longer".to_vec());
        for layer in [endless, longer, gone] {
            let referrer = Manifest::referrer(kind::BUNDLE, layer, entry.manifest.clone()).to_bytes();
            state.manifests.insert(digest_of(&referrer), (kind::MANIFEST.to_owned(), referrer));
        }
    }
    let remote = remote(Scope::Pull);
    let upstream = from_registry(&registry, &remote, ("registry.test", "med/tiny", "v1")).unwrap();
    assert_eq!((upstream.bundles.len(), upstream.passed_over.len()), (1, 3), "{:?}", upstream.passed_over);
    let asked = registry.state.lock().unwrap().asked.join(" ");
    assert!(!asked.contains(&digest_of(b"endless")), "it is not even asked for");
    // Whoever may not see a signature does not know that the model has none.
    let between = |_: usize, request: &Request| {
        request.url.target().contains(&refused).then(|| Ok(reply(403, &[], Vec::new())))
    };
    let behind = Behind { registry: &registry, count: Mutex::default(), between: &between };
    let error = from_registry(&behind, &remote, ("registry.test", "med/tiny", "v1")).err().unwrap();
    assert_eq!(error.kind.code(), "upstream-404", "{error}");
}
