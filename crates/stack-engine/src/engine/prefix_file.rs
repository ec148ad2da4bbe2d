//! Computed beginnings of prompts as bytes, to be kept while the program does not run. `docs/formats/prefixes.md` has the table.
//!
//! Entries follow each other so that each shares whole pages with those before it and brings the others. Every entry ends
//! with a digest of all bytes so far: what is read is what was written, from the same model by the same build, or it is
//! refused, and so is everything behind it.

use std::fmt;
use std::io::{self, Read};

use stack_chat::Tenant;
use stack_kernels::PAGE_TOKENS;
use stack_seal::digest::Root;

use super::prefix_tree::{Beginning, Cuts, PrefixTree};

/// What makes the pages of one run fit another: the model, the build, and the form of its keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The digest of the model.
    pub(super) model: String,
    /// The version of the program, as exactly as it is known.
    pub(super) build: String,
    /// How keys and values are held.
    pub(super) cache: String,
    pub(super) page_bytes: usize,
}

/// One beginning of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whose it is.
    pub(super) tenant: Tenant,
    /// Whole pages of them.
    pub(super) tokens: Vec<u32>,
    /// Of which so many, whole pages too, begin an earlier entry of the same tenant.
    pub(super) shared: usize,
    /// The pages of the others, one after the other.
    pub(super) pages: Vec<u8>,
}

/// Why a file of prefixes is not used, or not to its end.
#[derive(Debug)]
pub enum PrefixFileError {
    /// It is none.
    Foreign,
    /// It was written for another model, by another build, or with keys and values of another type.
    OtherOrigin,
    /// It is not what was written.
    Damaged,
    /// It cannot be read.
    Unreadable(io::Error),
}

/// An entry that is to be written.
pub(super) struct Planned<H> {
    pub(super) tenant: Tenant,
    pub(super) tokens: Vec<u32>,
    pub(super) shared: usize,
    /// What holds its pages.
    pub(super) holder: H,
}

/// Chooses what goes into a file of no more than so many bytes: of beginnings, the least recently used first, those that
/// were used last, in whole pages.
pub(super) fn plan<H: Copy>(
    beginnings: Vec<Beginning<H>>,
    origin: &Origin,
    bytes_max: u64,
) -> Vec<Planned<H>> {
    let mut left = bytes_max.saturating_sub(origin.len() + END_LEN);
    let mut chosen = Vec::new();
    let mut seen = Seen::default();
    for mut beginning in beginnings.into_iter().rev() {
        let tokens = &mut beginning.tokens;
        tokens.truncate(tokens.len() / PAGE_TOKENS * PAGE_TOKENS);
        let shared = seen.shared(&beginning);
        let rest = left.checked_sub(origin.entry_len(&beginning.tenant, beginning.tokens.len(), shared));
        if let Some(rest) = rest.filter(|_| shared < beginning.tokens.len()) {
            left = rest;
            seen.add(&beginning);
            chosen.push(beginning);
        }
    }
    // In the order of the file it is another one that brings what two share.
    let mut seen = Seen::default();
    let mut plan = Vec::new();
    for beginning in chosen.into_iter().rev() {
        let shared = seen.shared(&beginning);
        if shared < beginning.tokens.len() {
            seen.add(&beginning);
            let Beginning { tenant, tokens, holder } = beginning;
            plan.push(Planned { tenant, tokens, shared, holder });
        }
    }
    plan
}

/// Bytes of the file that a plan makes.
pub(super) fn planned_len<H>(plan: &[Planned<H>], origin: &Origin) -> u64 {
    let entries =
        plan.iter().map(|planned| origin.entry_len(&planned.tenant, planned.tokens.len(), planned.shared));
    origin.len() + entries.sum::<u64>() + END_LEN
}

/// Beginnings that are in the file already.
struct Seen(PrefixTree<()>);

impl Default for Seen {
    fn default() -> Self {
        Self(PrefixTree::new(Cuts::Anywhere))
    }
}

impl Seen {
    /// How many tokens, in whole pages, begin one of them that is the same tenant's.
    fn shared<H>(&self, new: &Beginning<H>) -> usize {
        let found = self.0.akin(&new.tenant, &new.tokens);
        found.map_or(0, |found| found.tokens / PAGE_TOKENS * PAGE_TOKENS)
    }

    fn add<H>(&mut self, new: &Beginning<H>) {
        self.0.insert(&new.tenant, &new.tokens, ());
    }
}

/// Writes entries.
pub(super) struct PrefixWriter(Chain);

/// Reads what a [`PrefixWriter`] wrote.
pub(super) struct PrefixReader<R> {
    from: R,
    chain: Chain,
    page_bytes: usize,
    tokens_max: usize,
}

/// The digest of all bytes so far.
struct Chain(Root);

impl Origin {
    fn to_bytes(&self) -> Vec<u8> {
        let Self { model, build, cache, page_bytes } = self;
        let text = format!("{model}\n{build}\n{cache}\n{page_bytes}\n");
        [MAGIC, &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
    }

    /// Bytes before the first entry.
    pub(super) fn len(&self) -> u64 {
        self.to_bytes().len() as u64
    }

    /// Bytes of an entry.
    pub(super) fn entry_len(&self, tenant: &Tenant, tokens: usize, shared: usize) -> u64 {
        let pages = (tokens - shared) / PAGE_TOKENS * self.page_bytes;
        ((3 + tokens) * size_of::<u32>() + tenant.as_str().len() + pages + DIGEST) as u64
    }
}

impl PrefixWriter {
    /// Returns the bytes before the first entry, too.
    pub(super) fn new(origin: &Origin) -> (Self, Vec<u8>) {
        let head = origin.to_bytes();
        (Self(Chain::new(&head)), head)
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> Vec<u8> {
        let tenant = entry.tenant.as_str().as_bytes();
        let numbers = [entry.tokens.len() as u32, entry.shared as u32, tenant.len() as u32];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(tenant);
        bytes.extend(entry.tokens.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(&entry.pages);
        self.0.seal(bytes)
    }

    /// The bytes behind the last entry: they say that none is missing.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.seal(0_u32.to_le_bytes().to_vec())
    }
}

impl<R: Read> PrefixReader<R> {
    /// Reads the bytes before the first entry. An entry may have `tokens_max` tokens.
    ///
    /// # Errors
    ///
    /// When it is no such file, or one of another origin.
    pub(super) fn new(mut from: R, origin: &Origin, tokens_max: usize) -> Result<Self, PrefixFileError> {
        let expected = origin.to_bytes();
        let mut head = vec![0; expected.len()];
        let mut length = 0;
        while length < head.len() {
            match from.read(&mut head[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PrefixFileError::Unreadable(error)),
            }
        }
        if !head[..length].starts_with(MAGIC) {
            return Err(PrefixFileError::Foreign);
        }
        if head != expected {
            return Err(PrefixFileError::OtherOrigin);
        }
        Ok(Self { from, chain: Chain::new(&head), page_bytes: origin.page_bytes, tokens_max })
    }

    /// Reads the next entry; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// When it is not the one that was written.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, PrefixFileError> {
        let mut bytes = Vec::new();
        let tokens = self.word(&mut bytes)?;
        if tokens == 0 {
            return self.check(&bytes).map(|()| None);
        }
        let shared = self.word(&mut bytes)?;
        let name = self.word(&mut bytes)?;
        let is_whole = [tokens, shared].iter().all(|count| count.is_multiple_of(PAGE_TOKENS));
        if !is_whole || shared >= tokens || tokens > self.tokens_max || name > TENANT_BYTES_MAX {
            return Err(PrefixFileError::Damaged);
        }
        let name = self.take(&mut bytes, name)?;
        let ids = self.take(&mut bytes, tokens * size_of::<u32>())?;
        let pages = self.take(&mut bytes, (tokens - shared) / PAGE_TOKENS * self.page_bytes)?;
        self.check(&bytes)?;
        let tenant = std::str::from_utf8(&bytes[name]).map(Tenant::new);
        let tenant = tenant.map_err(|_| PrefixFileError::Damaged)?;
        let (words, _) = bytes[ids].as_chunks();
        let tokens = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        bytes.drain(..pages.start);
        Ok(Some(Entry { tenant, tokens, shared, pages: bytes }))
    }

    fn word(&mut self, bytes: &mut Vec<u8>) -> Result<usize, PrefixFileError> {
        let place = self.take(bytes, size_of::<u32>())?;
        let word = bytes[place].try_into().expect("four bytes were taken");
        Ok(u32::from_le_bytes(word) as usize)
    }

    /// Appends the next bytes of the file, and returns their place. No more memory is taken than the file has bytes.
    fn take(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<std::ops::Range<usize>, PrefixFileError> {
        let start = bytes.len();
        let taken = self.from.by_ref().take(count as u64).read_to_end(bytes);
        if taken.map_err(PrefixFileError::Unreadable)? < count {
            return Err(PrefixFileError::Damaged);
        }
        Ok(start..start + count)
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), PrefixFileError> {
        let mut digest = Vec::new();
        self.take(&mut digest, DIGEST)?;
        if digest == self.chain.next(bytes) { Ok(()) } else { Err(PrefixFileError::Damaged) }
    }
}

impl Chain {
    fn new(head: &[u8]) -> Self {
        Self(Root::of(head))
    }

    fn next(&mut self, bytes: &[u8]) -> [u8; DIGEST] {
        self.0 = Root::of(&[&self.0.0, Root::of(bytes).0.as_slice()].concat());
        self.0.0
    }

    fn seal(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let digest = self.next(&bytes);
        bytes.extend(digest);
        bytes
    }
}

impl fmt::Display for PrefixFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "it holds no prefixes",
            Self::OtherOrigin => {
                "it is of another model, another version of this program, or another KV cache type"
            }
            Self::Damaged => "it is truncated or damaged",
            Self::Unreadable(_) => "it cannot be read",
        })
    }
}

impl std::error::Error for PrefixFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(cause) => Some(cause),
            Self::Foreign | Self::OtherOrigin | Self::Damaged => None,
        }
    }
}

const MAGIC: &[u8] = b"STKPFX01";
const DIGEST: usize = 32;
/// Longer names are nobody's.
const TENANT_BYTES_MAX: usize = 4096;
/// Bytes behind the last entry.
const END_LEN: u64 = (size_of::<u32>() + DIGEST) as u64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin() -> Origin {
        let [model, build, cache] = ["blake3:00", "0.1.0 abc", "f16"].map(str::to_owned);
        Origin { model, build, cache, page_bytes: 5 }
    }

    fn entries() -> Vec<Entry> {
        let entry = |tokens: usize, shared: usize| Entry {
            tenant: Tenant::new("someone"),
            tokens: (0..tokens as u32).collect(),
            shared,
            pages: (0..(tokens - shared) / PAGE_TOKENS * 5).map(|byte| byte as u8).collect(),
        };
        vec![entry(32, 0), entry(64, 32), entry(48, 0)]
    }

    fn written() -> Vec<u8> {
        let (mut writer, mut file) = PrefixWriter::new(&origin());
        let mut expected = origin().len();
        for entry in entries() {
            file.extend(writer.entry(&entry));
            expected += origin().entry_len(&entry.tenant, entry.tokens.len(), entry.shared);
        }
        file.extend(writer.end());
        assert_eq!(file.len() as u64, expected + END_LEN, "the length is known beforehand");
        file
    }

    fn read(file: &[u8], origin: &Origin) -> (Vec<Entry>, Option<PrefixFileError>) {
        let mut reader = match PrefixReader::new(file, origin, 64) {
            Ok(reader) => reader,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let mut entries = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => return (entries, None),
                Err(error) => return (entries, Some(error)),
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (found, error) = read(&written(), &origin());
        assert_eq!(found, entries());
        assert!(error.is_none());
    }

    #[test]
    fn what_was_used_last_goes_into_the_file_and_what_is_shared_goes_once() {
        let tokens =
            |first: u32, length: u32| (0..length).map(|place| first + place / 32).collect::<Vec<u32>>();
        let of = |tenant: &str, tokens: Vec<u32>, holder: char| Beginning {
            tenant: Tenant::new(tenant),
            tokens,
            holder,
        };
        let beginnings = || {
            let tokens = [tokens(0, 40), tokens(7, 64), tokens(0, 70), vec![5; 9]];
            tokens.into_iter().zip('a'..).map(|(tokens, holder)| of("", tokens, holder)).collect()
        };
        let planned = |bytes_max| {
            let plan = plan(beginnings(), &origin(), bytes_max);
            assert!(planned_len(&plan, &origin()) <= bytes_max || plan.is_empty());
            let parts = plan.into_iter().map(|one| (one.holder, one.tokens.len(), one.shared));
            parts.collect::<Vec<_>>()
        };
        // The shortest one has no whole page, and the first begins the third.
        assert_eq!(planned(10_000), [('b', 64, 0), ('c', 64, 0)]);
        let one = origin().len() + origin().entry_len(&Tenant::default(), 64, 0) + END_LEN;
        assert_eq!((planned(one), planned(one - 1)), (vec![('c', 64, 0)], vec![('a', 32, 0)]));
        let alike = || [tokens(0, 32), vec![9; 32]].concat();
        let three = vec![
            of("", tokens(0, 32), 'a'),
            of("", alike(), 'b'),
            of("", tokens(0, 64), 'c'),
            of("x", alike(), 'd'),
        ];
        let plan = plan(three, &origin(), 10_000);
        let shared: Vec<_> = plan.iter().map(|one| (one.holder, one.shared)).collect();
        assert_eq!(shared, [('b', 0), ('c', 32), ('d', 0)], "tenants share nothing");
    }

    #[test]
    fn what_another_wrote_is_refused() {
        for other in [
            Origin { model: "blake3:01".to_owned(), ..origin() },
            Origin { build: "0.1.0 abd".to_owned(), ..origin() },
            Origin { cache: "q8_0".to_owned(), ..origin() },
            Origin { page_bytes: 6, ..origin() },
        ] {
            let (found, error) = read(&written(), &other);
            assert!(found.is_empty() && matches!(error, Some(PrefixFileError::OtherOrigin)), "{other:?}");
        }
        let (_, error) = read(b"GGUF, and so on", &origin());
        assert!(matches!(error, Some(PrefixFileError::Foreign)));
    }

    #[test]
    fn a_file_that_ends_early_says_so_wherever_it_ends() {
        let file = written();
        for end in 0..file.len() {
            let (found, error) = read(&file[..end], &origin());
            assert!(error.is_some(), "{end} bytes");
            assert_eq!(found, entries()[..found.len()], "what is whole is right");
        }
    }

    proptest! {
        #[test]
        fn no_flipped_bit_is_ever_believed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut file = written();
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            let (found, error) = read(&file, &origin());
            prop_assert!(error.is_some());
            prop_assert_eq!(&found[..], &entries()[..found.len()]);
        }
    }
}
