//! The one reading of a file in which it is checked and used.

use std::fs::File;
use std::mem;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::borders::{Borders, Span};
use super::source::Source;
use super::{Breach, Expected, Verified, VerifiedFile};
use crate::age::UnlockedFile;
use crate::digest::{LeafList, SPAN, SpanTree};
use crate::file::PositionedFile;
use crate::parallel;

/// A file that is being read, and checked as it is read.
///
/// ```text
/// read span i into private memory           a span asked for whole goes straight into the asker's buffer
/// value(i) = hash of that memory            must be what the leaf list says, and what an earlier reading found
/// hand out bytes of that same memory
/// finish: read what nobody asked for, merge all values, compare the root, see that the file is still the same
/// ```
///
/// Several threads may read at once. Beyond its askers' buffers a pass takes 40 bytes for each span, at most 4 MiB for
/// spans that were asked for in parts, and one span per worker while it finishes.
#[derive(Debug)]
pub struct Pass {
    source: Source,
    tree: SpanTree,
    expected: Expected,
    leaves: Option<LeafList>,
    values: Vec<OnceLock<[u8; 32]>>,
    borders: Borders,
}

impl Pass {
    /// Starts on a file whose bytes are the plain ones. The caller opened it, without following links.
    ///
    /// # Errors
    ///
    /// When it is not a regular file of the expected length, or the leaf list does not merge to the expected root.
    pub fn open(file: File, expected: Expected, leaves: Option<LeafList>) -> Result<Self, Breach> {
        let file = PositionedFile::new(file).map_err(Breach::Unusable)?;
        Self::start(Source::Plain(file), expected, leaves)
    }

    /// Starts on a file that was sealed and is unlocked now; the pass sees its plain bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`], and [`Breach::Unanchored`] when no root is expected: whoever can open a sealed file
    /// could have made it.
    pub fn open_sealed(
        file: UnlockedFile,
        expected: Expected,
        leaves: Option<LeafList>,
    ) -> Result<Self, Breach> {
        if expected.root.is_none() {
            return Err(Breach::Unanchored);
        }
        Self::start(Source::Sealed(file), expected, leaves)
    }

    /// Starts on bytes that are part of the program.
    ///
    /// # Panics
    ///
    /// When they are longer than [`crate::digest::LENGTH_MAX`], as no program is.
    pub fn compiled_in(bytes: &'static [u8]) -> Self {
        let expected = Expected::compiled_in(bytes.len() as u64);
        Self::start(Source::Memory(bytes), expected, None).expect("nothing else is expected of these bytes")
    }

    fn start(source: Source, expected: Expected, leaves: Option<LeafList>) -> Result<Self, Breach> {
        let found = source.len();
        if let Some(expected) = expected.length.filter(|&expected| expected != found) {
            return Err(Breach::Length { expected, found });
        }
        let tree = SpanTree::new(found)?;
        if let Some(leaves) = &leaves {
            let root = leaves.root();
            if leaves.tree() != tree || expected.root != Some(root) {
                return Err(Breach::Leaves { expected: expected.root, found: root });
            }
        }
        let values = vec![OnceLock::new(); tree.spans()];
        Ok(Self { source, tree, expected, leaves, values, borders: Borders::default() })
    }

    /// Returns the number of plain bytes.
    pub fn len(&self) -> u64 {
        self.tree.length()
    }

    /// Tells whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the plain bytes from `offset` on; every span touched is read and hashed whole.
    ///
    /// # Errors
    ///
    /// When the file does not reach that far, cannot be read, or is not what it should be as far as that is known yet.
    /// `buffer` then holds nothing of use.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Breach> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.len() {
            return Err(Breach::Beyond { bytes: offset..end, length: self.len() });
        }
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let index = (at / SPAN as u64) as usize;
            let span = self.tree.range(index);
            let within = (at - span.start) as usize;
            let part = rest.len().min((span.end - at) as usize);
            let (wanted, later) = mem::take(&mut rest).split_at_mut(part);
            if part == self.tree.span_len(index) {
                self.take(index, wanted)?;
            } else {
                wanted.copy_from_slice(&self.border(index)?[within..within + part]);
            }
            (at, rest) = (at + part as u64, later);
        }
        Ok(())
    }

    /// Reads what nobody asked for, on up to `workers` threads, and compares the root.
    ///
    /// # Errors
    ///
    /// When the file turns out to be another one; `value` is dropped.
    pub fn finish<T>(self, value: T, workers: usize) -> Result<Verified<T>, Breach> {
        let unread: Vec<usize> = (0..self.values.len()).filter(|&i| self.values[i].get().is_none()).collect();
        parallel::for_each(
            workers,
            unread.len(),
            || Zeroizing::new(vec![0; SPAN]),
            |buffer, number| {
                let index = unread[number];
                self.take(index, &mut buffer[..self.tree.span_len(index)])
            },
        )?;
        let values: Vec<[u8; 32]> = self.values.iter().filter_map(|value| value.get().copied()).collect();
        let root = self.tree.root(&values);
        if let Some(expected) = self.expected.root.filter(|&expected| expected != root) {
            return Err(Breach::Root { expected, found: root });
        }
        if !self.source.unchanged().map_err(Breach::Unusable)? {
            return Err(Breach::Modified);
        }
        Ok(Verified::new(value, VerifiedFile { root, length: self.len(), basis: self.expected.basis }))
    }

    /// Returns a checked span that was asked for in part.
    fn border(&self, index: usize) -> Result<Span, Breach> {
        if let Some(bytes) = self.borders.find(index) {
            return Ok(bytes);
        }
        let mut bytes = Zeroizing::new(vec![0; self.tree.span_len(index)]);
        self.take(index, &mut bytes)?;
        let bytes = Arc::new(bytes);
        self.borders.keep(index, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Reads span `index` into `buffer` and checks what is in it.
    fn take(&self, index: usize, buffer: &mut [u8]) -> Result<(), Breach> {
        self.source.read_span(self.tree, index, buffer)?;
        let value = self.tree.span_value(index, buffer);
        let known = self.leaves.as_ref().and_then(|leaves| leaves.value(index));
        if known.is_some_and(|known| *known != value) {
            return Err(Breach::Span { index, bytes: self.tree.range(index) });
        }
        if *self.values[index].get_or_init(|| value) != value {
            return Err(Breach::Changed { index, bytes: self.tree.range(index) });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};
    use std::thread;

    use super::*;
    use crate::digest::{Root, hash_file};
    use crate::verified::{Attested, Basis};

    const LEN: usize = 5 * SPAN + 77;

    fn content() -> Vec<u8> {
        (0..LEN).map(|i| (i / 3 % 251) as u8).collect()
    }

    fn on_disk(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn flip(file: &File, at: u64) {
        let mut file = file;
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&[0xff]).unwrap();
    }

    fn leaves_of(bytes: &[u8]) -> LeafList {
        hash_file(&on_disk(bytes), 2, &|_| ()).unwrap().leaves.unwrap()
    }

    #[test]
    fn what_is_handed_out_is_the_file_and_the_basis_comes_along() {
        let bytes = content();
        let signed =
            Expected::signed(Root::of(&bytes), LEN as u64, Attested { signers: vec!["alice".to_owned()] });
        let pass = Pass::open(on_disk(&bytes), signed, Some(leaves_of(&bytes))).unwrap();
        for (offset, len) in
            [(0, 0), (0, 24), (24, 3 * SPAN), (SPAN - 1, 2), (SPAN, SPAN), (LEN - 78, 78), (LEN, 0)]
        {
            let mut buffer = vec![0; len];
            pass.read_exact_at(&mut buffer, offset as u64).unwrap();
            assert_eq!(buffer, bytes[offset..offset + len], "{len} bytes at {offset}");
        }
        let verified = pass.finish("model", 2).unwrap();
        assert_eq!(verified.root(), Root::of(&bytes));
        assert!(matches!(verified.basis(), Basis::Signed(attested) if attested.signers == ["alice"]));
    }

    #[test]
    fn several_threads_may_read_at_once() {
        let bytes = content();
        let pass = Pass::open(on_disk(&bytes), Expected::first_seen(), None).unwrap();
        thread::scope(|scope| {
            for first in 0..4 {
                let (pass, bytes) = (&pass, &bytes);
                scope.spawn(move || {
                    for offset in (first * 1000..LEN - 100_000).step_by(99_991) {
                        let mut buffer = vec![0; 100_000];
                        pass.read_exact_at(&mut buffer, offset as u64).unwrap();
                        assert_eq!(buffer, bytes[offset..offset + 100_000]);
                    }
                });
            }
        });
        assert_eq!(pass.finish((), 3).unwrap().root(), Root::of(&bytes));
    }

    #[test]
    fn a_flipped_byte_anywhere_ends_the_pass() {
        let bytes = content();
        for at in [0, SPAN - 1, SPAN, 3 * SPAN + 5, LEN - 1] {
            let file = on_disk(&bytes);
            flip(&file, at as u64);
            let pinned = Expected::pinned(Root::of(&bytes), LEN as u64);
            let pass = Pass::open(file.try_clone().unwrap(), pinned.clone(), None).unwrap();
            assert!(matches!(pass.finish((), 2), Err(Breach::Root { .. })), "byte {at}");

            let pass = Pass::open(file, pinned, Some(leaves_of(&bytes))).unwrap();
            let breach = pass.finish((), 2).unwrap_err();
            assert!(
                matches!(breach, Breach::Span { index, .. } if index == at / SPAN),
                "byte {at}: {breach}"
            );
        }
    }

    #[test]
    fn a_wrong_span_is_not_handed_out_where_leaves_are_known() {
        let bytes = content();
        let file = on_disk(&bytes);
        flip(&file, 2 * SPAN as u64);
        let pinned = Expected::pinned(Root::of(&bytes), LEN as u64);
        let pass = Pass::open(file, pinned, Some(leaves_of(&bytes))).unwrap();
        let breach = pass.read_exact_at(&mut [0; 10], 2 * SPAN as u64 + 100).unwrap_err();
        assert_eq!(breach.to_string(), "span 2 (bytes 524288..786432) differs");
    }

    #[test]
    fn a_span_that_changes_between_two_readings_is_named() {
        let bytes = content();
        let file = on_disk(&bytes);
        let pass = Pass::open(file.try_clone().unwrap(), Expected::first_seen(), None).unwrap();
        let mut whole = vec![0; SPAN];
        pass.read_exact_at(&mut whole, 0).unwrap();
        flip(&file, 9);
        let breach = pass.read_exact_at(&mut whole, 0).unwrap_err();
        assert!(matches!(breach, Breach::Changed { index: 0, .. }), "{breach}");
    }

    /// Whatever the two threads' luck: if the pass ends well, the bytes handed out were the right ones.
    #[test]
    fn a_file_that_changes_all_the_time_never_passes_for_another() {
        let bytes = content();
        let pinned = Expected::pinned(Root::of(&bytes), LEN as u64);
        for round in 0..20 {
            let file = on_disk(&bytes);
            let pass = Pass::open(file.try_clone().unwrap(), pinned.clone(), None).unwrap();
            let mut seen = vec![0; LEN];
            let outcome = thread::scope(|scope| {
                scope.spawn(|| (0..50).for_each(|at| flip(&file, (at * 26_000 + round * 997) % LEN as u64)));
                for (index, part) in seen.chunks_mut(100_000).enumerate() {
                    pass.read_exact_at(part, index as u64 * 100_000)?;
                }
                pass.finish((), 1)
            });
            assert!(outcome.is_err() || seen == bytes, "round {round}");
        }
    }

    #[test]
    fn what_was_kept_is_what_was_checked() {
        let bytes = content();
        let file = on_disk(&bytes);
        let pinned = Expected::pinned(Root::of(&bytes), LEN as u64);
        let pass = Pass::open(file.try_clone().unwrap(), pinned, None).unwrap();
        let mut part = [0; 10];
        pass.read_exact_at(&mut part, 0).unwrap();
        flip(&file, 15);
        pass.read_exact_at(&mut part, 10).unwrap();
        assert_eq!(part, bytes[10..20], "the neighbour gets the bytes of the first reading");
    }

    #[test]
    fn truncation_and_growth_are_seen() {
        let bytes = content();
        let file = on_disk(&bytes);
        let expected = Expected::pinned(Root::of(&bytes), LEN as u64);
        let pass = Pass::open(file.try_clone().unwrap(), expected.clone(), None).unwrap();
        file.set_len(LEN as u64 - 1).unwrap();
        assert!(matches!(pass.finish((), 1), Err(Breach::Io { .. })));
        assert!(matches!(
            Pass::open(file.try_clone().unwrap(), expected, None),
            Err(Breach::Length { found, .. }) if found == LEN as u64 - 1
        ));
        let pass = Pass::open(file.try_clone().unwrap(), Expected::first_seen(), None).unwrap();
        file.set_len(LEN as u64 + 1).unwrap();
        assert!(matches!(pass.finish((), 1), Err(Breach::Modified)));
    }

    #[test]
    fn a_leaf_list_is_a_help_and_no_authority() {
        let bytes = content();
        let mut other = content();
        other[0] ^= 1;
        let pinned = Expected::pinned(Root::of(&bytes), LEN as u64);
        for expected in [pinned, Expected::first_seen()] {
            let leaves = Some(leaves_of(&other));
            assert!(matches!(Pass::open(on_disk(&other), expected, leaves), Err(Breach::Leaves { .. })));
        }
    }

    #[test]
    fn ranges_beyond_the_end_are_refused() {
        let pass = Pass::compiled_in(b"abc");
        for (len, offset) in [(4, 0), (1, 3), (1, u64::MAX)] {
            let breach = pass.read_exact_at(&mut vec![0; len], offset).unwrap_err();
            assert!(matches!(breach, Breach::Beyond { .. }));
        }
        assert_eq!(*pass.finish((), 1).unwrap().basis(), Basis::BuiltIn);
    }

    #[test]
    fn nothing_but_regular_files_is_taken() {
        let folder = File::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(matches!(Pass::open(folder, Expected::first_seen(), None), Err(Breach::Unusable(_))));
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let file = tempfile::tempfile().unwrap();
        // Where the file system knows no such lengths there is nothing to test.
        if file.set_len(1 << 42).is_ok() {
            assert!(matches!(Pass::open(file, Expected::first_seen(), None), Err(Breach::TooLong(_))));
        }
    }
}
