//! Reading a package into a store.

use std::thread;
use std::time::Duration;

use stack_seal::digest::{Digest, Root};
use stack_seal::statement;

use super::list::{LIST, LIST_BYTES_MAX, Member, MemberKind, PackageList};
use super::ustar::{self, BLOCK, padding};
use super::{PackageError, PackageSource};
use crate::manifest::{DOCUMENT_BYTES_MAX, Descriptor, Index, Manifest, Role, key};
use crate::name::Name;
use crate::pull::signer::signers;
use crate::store::Lease;
use crate::store::{
    Batch, BeginOutcome, Entry, ExpectedBlob, Hashed, PartialBlob, Rebind, Record, Store, hash_file,
};

/// A package whose list and index were read and are whole.
pub struct Import<'a> {
    source: &'a dyn PackageSource,
    list: PackageList,
    list_digest: Digest,
    /// Where the first member's header stands.
    members_at: u64,
    index: Index,
}

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Another name, for a package of one model.
    pub name: Option<Name>,
    /// What to do with names that mean something else here.
    pub rebind: Rebind,
    /// The time, in seconds since 1970.
    pub now: u64,
}

/// What an import did.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The SHA-256 digest of the package's list.
    pub list: Digest,
    /// The names, and the manifests that they mean.
    pub models: Vec<(Name, Digest)>,
    /// The blobs, and what became of each.
    pub blobs: Vec<(Member, Outcome)>,
}

/// What became of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was copied.
    Copied,
    /// The store had it.
    Present,
}

impl<'a> Import<'a> {
    /// Reads the list and the index.
    ///
    /// # Errors
    ///
    /// When the package is not whole, or not one.
    pub fn open(source: &'a dyn PackageSource) -> Result<Self, PackageError> {
        let mut first = [0; BLOCK];
        read(source, &mut first, 0)?;
        let size = ustar::size(&first, LIST)
            .ok_or_else(|| PackageError::bad(format!("its first member is not a plain {LIST}")))?;
        if size > LIST_BYTES_MAX as u64 {
            return Err(PackageError::bad(format!("its list is longer than {LIST_BYTES_MAX} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        read(source, &mut bytes, BLOCK as u64)?;
        check_zeros(source, BLOCK as u64 + size, padding(size), LIST)?;
        let list = PackageList::parse(&bytes)?;
        let whole = list.package_bytes(size);
        if whole != Some(source.length()) {
            let whole = whole.map_or("more than the maximum".to_owned(), |whole| whole.to_string());
            return Err(PackageError::bad(format!(
                "it has {} bytes, but its list says {whole}",
                source.length()
            )));
        }
        let list_digest = Descriptor::of("", &bytes).digest;
        let members_at = BLOCK as u64 + size + padding(size);
        let mut import = Self { source, list, list_digest, members_at, index: Index::default() };
        let mut index = Vec::new();
        for (member, at) in import.members() {
            import.check_header(member, at)?;
            if member.kind == MemberKind::Index {
                index = import.small(member, at)?;
            } else if member.kind == MemberKind::Layout {
                import.small(member, at)?;
            }
        }
        import.index = Index::parse(&index)?;
        Ok(import)
    }

    /// The members.
    pub fn list(&self) -> &PackageList {
        &self.list
    }

    /// The blobs.
    pub fn blobs(&self) -> impl Iterator<Item = &Member> {
        self.list.members().iter().filter(|member| member.kind == MemberKind::Blob)
    }

    /// The names that the package brings, and the manifests that they mean.
    pub fn models(&self) -> impl Iterator<Item = (Name, Digest)> {
        self.index.named().map(|(name, entry)| (name, entry.digest))
    }

    /// Which blobs the store lacks.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn missing(&self, store: &Store) -> Result<Vec<Member>, PackageError> {
        let mut missing = Vec::new();
        for member in self.blobs() {
            if !store.has(&member.sha256)? {
                missing.push(*member);
            }
        }
        Ok(missing)
    }

    /// Copies what the store lacks, checks it, and gives the models their names. What was copied stays when something
    /// fails later, and is not copied again.
    ///
    /// # Errors
    ///
    /// When the package is not what its list says, a model would lack a file, a name is taken, or the disk refuses.
    pub fn run(
        &self,
        store: &Store,
        options: &ImportOptions,
        progress: &dyn Fn(u64),
    ) -> Result<Imported, PackageError> {
        let names = self.names(options)?;
        let lease = store.lease()?;
        lease.add_all(self.list.members().iter().map(|member| member.sha256))?;
        let mut blobs = Vec::new();
        let mut batch = Batch::new(store);
        for (member, at) in self.members() {
            if member.kind == MemberKind::Blob {
                blobs.push((*member, self.copy(store, &mut batch, member, at, progress)?));
            }
            check_zeros(self.source, at + BLOCK as u64 + member.size, padding(member.size), &member.path())?;
            progress(at + BLOCK as u64 + member.size);
        }
        check_zeros(self.source, self.source.length() - 2 * BLOCK as u64, 2 * BLOCK as u64, "the end")?;
        batch.finish()?;
        let mut entries = Vec::new();
        for (name, descriptor) in names {
            let fact = |key: &str| descriptor.annotations.get(key).map(str::to_owned);
            let record = Record {
                origin: fact(key::ORIGIN),
                commit: fact(key::COMMIT),
                signer: self.signer(store, &descriptor.digest)?,
                named_at: Some(options.now),
                sealed_here: false,
            };
            entries.push(Entry { name, manifest: descriptor.clone(), record });
        }
        // All is looked at before anything is named: who reads an error is to find the store as it was.
        let referrers = self.referrers(store, &lease)?;
        store.bind_all(&lease, &entries, options.rebind)?;
        store.update_index(|index| {
            referrers.into_iter().for_each(|referrer| index.refer(referrer));
            Ok(())
        })?;
        let models = entries.into_iter().map(|entry| (entry.name, entry.manifest.digest)).collect();
        Ok(Imported { list: self.list_digest, models, blobs })
    }

    /// Finds out who signed a model of the package, whatever the package says about that.
    fn signer(&self, store: &Store, model: &Digest) -> Result<Option<String>, PackageError> {
        let mut bundles = Vec::new();
        for entry in
            self.index.manifests.iter().filter(|entry| entry.annotations.get(key::REF_NAME).is_none())
        {
            let manifest = store.manifest(&entry.digest)?;
            let is_about = manifest.subject.as_ref().is_some_and(|subject| subject.digest == *model);
            for layer in manifest.layers.iter().filter(|layer| is_about && layer.role() == Role::Bundle) {
                bundles.push(store.read(&layer.digest, statement::BYTES_MAX)?);
            }
        }
        Ok(signers(&bundles, &store.manifest(model)?))
    }

    /// The names to give.
    fn names(&self, options: &ImportOptions) -> Result<Vec<(Name, Descriptor)>, PackageError> {
        let mut names: Vec<_> = self.index.named().map(|(name, entry)| (name, entry.clone())).collect();
        if names.is_empty() {
            return Err(PackageError::bad("it contains no model"));
        }
        if let Some(name) = &options.name {
            let [(first, _)] = &mut names[..] else {
                let what =
                    format!("the package has {} models, but only one can be named {name}", names.len());
                return Err(PackageError::Usage(what));
            };
            *first = name.clone();
        }
        Ok(names)
    }

    /// Describes the signatures, each of which refers to its model and is whole.
    fn referrers(&self, store: &Store, lease: &Lease) -> Result<Vec<Descriptor>, PackageError> {
        let mut referrers = Vec::new();
        for entry in
            self.index.manifests.iter().filter(|entry| entry.annotations.get(key::REF_NAME).is_none())
        {
            let manifest: Manifest = store.manifest(&entry.digest)?;
            let Some(subject) = &manifest.subject else {
                return Err(PackageError::bad(format!("{} has no name and refers to nothing", entry.digest)));
            };
            lease.add_all(manifest.needs().map(|needed| needed.digest))?;
            for needed in manifest.needs() {
                // A referrer is of use only whole.
                store.blob(&needed.digest)?;
            }
            let mut descriptor = Descriptor::new(&entry.media_type, entry.digest, entry.size)
                .with(key::SUBJECT, subject.digest.to_string());
            descriptor.artifact_type.clone_from(&manifest.artifact_type);
            referrers.push(descriptor);
        }
        Ok(referrers)
    }

    /// Copies one blob.
    fn copy(
        &self,
        store: &Store,
        batch: &mut Batch,
        member: &Member,
        at: u64,
        progress: &dyn Fn(u64),
    ) -> Result<Outcome, PackageError> {
        let part = loop {
            match store.begin(&member.sha256)? {
                BeginOutcome::Present if is_whole(store, member)? => return Ok(Outcome::Present),
                // The package has what the store only seems to have.
                BeginOutcome::Present => store.drop_damaged(&member.sha256)?,
                BeginOutcome::Mine(part) => break part,
                // Another import or a pull writes the same blob; what it writes serves us as well.
                BeginOutcome::Busy => thread::sleep(PAUSE),
            }
        };
        part.prepare(Some(member.size), None)?;
        self.fill(&part, member, at + BLOCK as u64, progress)?;
        let digests = [member.sha256, member.blake3];
        if member.size <= SMALL_BYTES {
            batch.add(part, digests.to_vec(), member.size)?;
            return Ok(Outcome::Copied);
        }
        let expect = ExpectedBlob { digests: &digests, length: Some(member.size) };
        match part.publish(&expect, &|_| {}) {
            Ok(_) => Ok(Outcome::Copied),
            Err(error) => {
                // What was kept of an earlier attempt may be at fault; the next one starts from nothing.
                if let BeginOutcome::Mine(part) = store.begin(&member.sha256)? {
                    part.discard()?;
                }
                Err(error.into())
            }
        }
    }

    /// Writes what is missing of a part.
    fn fill(
        &self,
        part: &PartialBlob,
        member: &Member,
        data_at: u64,
        progress: &dyn Fn(u64),
    ) -> Result<(), PackageError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut unsaved = 0;
        for gap in part.ranges().gaps(member.size) {
            let mut offset = gap.start;
            while offset < gap.end {
                let here = usize::try_from(gap.end - offset).unwrap_or(usize::MAX).min(BUFFER_BYTES);
                read(self.source, &mut buffer[..here], data_at + offset)?;
                part.write_at(&buffer[..here], offset)?;
                offset += here as u64;
                unsaved += here;
                if unsaved >= SAVE_BYTES {
                    part.save()?;
                    unsaved = 0;
                }
                progress(data_at + offset);
            }
        }
        Ok(())
    }

    /// Reads a member that stays in memory, and checks it.
    fn small(&self, member: &Member, at: u64) -> Result<Vec<u8>, PackageError> {
        let path = member.path();
        if member.size > DOCUMENT_BYTES_MAX as u64 {
            return Err(PackageError::bad(format!("{path} is longer than {DOCUMENT_BYTES_MAX} bytes")));
        }
        let mut bytes = vec![0; member.size as usize];
        read(self.source, &mut bytes, at + BLOCK as u64)?;
        let found = Hashed {
            sha256: Descriptor::of("", &bytes).digest,
            blake3: Root::of(&bytes).into(),
            length: member.size,
        };
        ExpectedBlob { digests: &[member.sha256, member.blake3], length: None }.check(&path, &found)?;
        Ok(bytes)
    }

    fn check_header(&self, member: &Member, at: u64) -> Result<(), PackageError> {
        let (mut found, path) = ([0; BLOCK], member.path());
        read(self.source, &mut found, at)?;
        let expected = ustar::header(&path, member.size);
        if found == expected {
            return Ok(());
        }
        Err(PackageError::bad(format!("{path}: {}", ustar::difference(&found, &expected))))
    }

    /// Iterates over the members and where their headers stand.
    fn members(&self) -> impl Iterator<Item = (&Member, u64)> {
        self.list.members().iter().scan(self.members_at, |next, member| {
            let at = *next;
            *next += BLOCK as u64 + member.size + padding(member.size);
            Some((member, at))
        })
    }
}

fn read(source: &dyn PackageSource, buffer: &mut [u8], offset: u64) -> Result<(), PackageError> {
    let end = offset.saturating_add(buffer.len() as u64);
    if end > source.length() {
        return Err(PackageError::bad(format!("it ends before byte {end}")));
    }
    source.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
        // A sealed package whose tags do not fit.
        std::io::ErrorKind::InvalidData => PackageError::bad(format!("near byte {offset}, {error}")),
        _ => PackageError::io(format!("reading byte {offset} of the package"))(error),
    })
}

/// Whether the store's blob is the one that its name says. It is read: a name follows.
fn is_whole(store: &Store, member: &Member) -> Result<bool, PackageError> {
    let blob = store.blob(&member.sha256)?;
    let reading = PackageError::io(format!("reading {}", blob.path.display()));
    Ok(hash_file(&blob.file, &|_| {}).map_err(reading)?.sha256 == member.sha256)
}

/// Checks that nothing hides where only zeros belong.
fn check_zeros(source: &dyn PackageSource, at: u64, count: u64, after: &str) -> Result<(), PackageError> {
    let mut bytes = vec![0; count as usize];
    read(source, &mut bytes, at)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(PackageError::bad(format!("the padding after {after} is not zero")))
}

const BUFFER_BYTES: usize = 1 << 20;
/// How much is copied again at most after an interruption.
const SAVE_BYTES: usize = 64 << 20;
/// Files that are published together with others: to wait for the disk would take longer than to write them.
const SMALL_BYTES: u64 = 1 << 20;
const PAUSE: Duration = Duration::from_millis(50);
