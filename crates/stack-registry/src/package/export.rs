//! Writing a package.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use stack_seal::digest::{Blake3Hasher, Digest, Root, Sha256Hasher};

use super::PackageError;
use super::list::{LIST, Member, MemberKind, PackageList};
use super::ustar::{BLOCK, header, padding};
use crate::manifest::{Descriptor, Index, key};
use crate::name::Name;
use crate::store::Lease;
use crate::store::{ExpectedBlob, Hashed, Store, hash_file};

/// A package that is ready to be written: everything is there, and nothing of it will be freed meanwhile.
pub struct Export {
    store: Store,
    list: PackageList,
    index: Vec<u8>,
    /// Blobs that the receiver has already.
    left_out: BTreeSet<Digest>,
    _lease: Option<Lease>,
}

impl Export {
    /// Collects models with all that refers to them. What the receiver has according to its inventory is left out,
    /// except for manifests.
    ///
    /// Where the store does not know a file's BLAKE3 root, the file is read for it now.
    ///
    /// # Errors
    ///
    /// When a name or a file is not in the store.
    pub fn collect(
        store: &Store,
        names: &[Name],
        receiver_has: &BTreeSet<Digest>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Self, PackageError> {
        // A store that cannot be written is not swept either.
        let lease = store.lease().ok();
        let mut collected = Collected::default();
        for name in names {
            let entry = store.resolve(name)?;
            let mut descriptor = entry.manifest.clone();
            // Whom this machine trusts is nobody else's business, and the time is the receiver's own.
            descriptor.annotations.remove(key::SIGNER);
            descriptor.annotations.remove(key::NAMED_AT);
            // Nor are the folders of this machine.
            if descriptor.annotations.get(key::ORIGIN).is_some_and(|origin| origin.starts_with("file:")) {
                descriptor.annotations.remove(key::ORIGIN);
            }
            collected.index.bind(name, descriptor);
            collected.add(store, lease.as_ref(), &entry.manifest, Class::Model)?;
            for referrer in store.index()?.referrers(&entry.manifest.digest) {
                collected.add(store, lease.as_ref(), referrer, Class::Referrer)?;
                collected.index.manifests.retain(|known| known.digest != referrer.digest);
                collected.index.manifests.push(referrer.clone());
            }
        }
        let index = collected.index.to_bytes();
        let mut members = vec![in_memory(MemberKind::Layout, LAYOUT), in_memory(MemberKind::Index, &index)];
        let mut left_out = BTreeSet::new();
        let mut blobs: Vec<_> = collected.blobs.into_values().collect();
        blobs.sort_by_key(|(class, descriptor)| (*class, descriptor.size, descriptor.digest));
        for (class, descriptor) in blobs {
            if class == Class::File && receiver_has.contains(&descriptor.digest) {
                left_out.insert(descriptor.digest);
            } else {
                members.push(blob(store, &descriptor, progress)?);
            }
        }
        Ok(Self { store: store.clone(), list: PackageList::new(members), index, left_out, _lease: lease })
    }

    /// The members.
    pub fn list(&self) -> &PackageList {
        &self.list
    }

    /// What the receiver has already.
    pub fn left_out(&self) -> &BTreeSet<Digest> {
        &self.left_out
    }

    /// Bytes of the whole package.
    ///
    /// # Errors
    ///
    /// When no file can be that long.
    pub fn bytes(&self) -> Result<u64, PackageError> {
        let list = self.list.to_bytes().len() as u64;
        self.list
            .package_bytes(list)
            .ok_or_else(|| PackageError::bad("it would exceed the maximum file size"))
    }

    /// Writes the package. Every blob is checked while it is read.
    ///
    /// # Errors
    ///
    /// When a blob is not what its digest says, or the disk refuses.
    pub fn write(&self, out: &mut dyn Write, progress: &dyn Fn(u64)) -> Result<(), PackageError> {
        let mut writer = Writer { out, done: 0, progress };
        let list = self.list.to_bytes();
        writer.member(LIST, &list)?;
        for member in self.list.members() {
            match member.kind {
                MemberKind::Layout => writer.member(&member.path(), LAYOUT)?,
                MemberKind::Index => writer.member(&member.path(), &self.index)?,
                MemberKind::Blob => writer.blob(&self.store, member)?,
            }
        }
        writer.all(&[0; 2 * BLOCK])
    }
}

/// In which order blobs are written: signatures before models, so that they are known early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Referrer,
    Model,
    File,
}

#[derive(Default)]
struct Collected {
    index: Index,
    blobs: BTreeMap<Digest, (Class, Descriptor)>,
}

impl Collected {
    /// Adds a manifest with all that it needs.
    fn add(
        &mut self,
        store: &Store,
        lease: Option<&Lease>,
        entry: &Descriptor,
        class: Class,
    ) -> Result<(), PackageError> {
        if let Some(lease) = lease {
            lease.add(&entry.digest)?;
        }
        let manifest = store.manifest(&entry.digest)?;
        if let Some(lease) = lease {
            lease.add_all(manifest.needs().map(|needed| needed.digest))?;
        }
        self.blobs.insert(entry.digest, (class, entry.clone()));
        for needed in manifest.needs() {
            let class = if class == Class::Referrer { class } else { Class::File };
            self.blobs.entry(needed.digest).or_insert_with(|| (class, needed.clone()));
        }
        Ok(())
    }
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    done: u64,
    progress: &'a dyn Fn(u64),
}

impl Writer<'_> {
    fn member(&mut self, path: &str, bytes: &[u8]) -> Result<(), PackageError> {
        self.all(&header(path, bytes.len() as u64))?;
        self.all(bytes)?;
        self.pad(bytes.len() as u64)
    }

    fn blob(&mut self, store: &Store, member: &Member) -> Result<(), PackageError> {
        let mut blob = store.blob(&member.sha256)?;
        self.all(&header(&member.path(), member.size))?;
        let (mut sha256, mut blake3) = (Sha256Hasher::new(), Blake3Hasher::new());
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut left = member.size;
        while left > 0 {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            let bytes = &mut buffer[..here];
            blob.file.read_exact(bytes).map_err(PackageError::io(format!("reading {}", member.sha256)))?;
            sha256.update(bytes);
            blake3.update(bytes);
            self.all(bytes)?;
            left -= here as u64;
        }
        let found = Hashed { sha256: sha256.finish(), blake3: blake3.finish().into(), length: member.size };
        ExpectedBlob { digests: &[member.sha256, member.blake3], length: None }
            .check(&blob.path.display().to_string(), &found)?;
        self.pad(member.size)
    }

    fn pad(&mut self, size: u64) -> Result<(), PackageError> {
        self.all(&[0; BLOCK][..padding(size) as usize])
    }

    fn all(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        self.out.write_all(bytes).map_err(PackageError::io("writing the package"))?;
        self.done += bytes.len() as u64;
        (self.progress)(self.done);
        Ok(())
    }
}

fn in_memory(kind: MemberKind, bytes: &[u8]) -> Member {
    let sha256 = Descriptor::of("", bytes).digest;
    Member { kind, size: bytes.len() as u64, sha256, blake3: Root::of(bytes).into() }
}

/// Describes a blob, reading it only where its root is not known.
fn blob(
    store: &Store,
    descriptor: &Descriptor,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Member, PackageError> {
    let blob = store.blob(&descriptor.digest)?;
    let blake3 = if let Some(root) = descriptor.blob_blake3() {
        root
    } else {
        let reading = PackageError::io(format!("reading {}", descriptor.digest));
        hash_file(&blob.file, progress).map_err(reading)?.blake3
    };
    Ok(Member { kind: MemberKind::Blob, size: blob.length, sha256: descriptor.digest, blake3 })
}

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const BUFFER_BYTES: usize = 1 << 20;
