//! Entries in the order of the log, each with its payload.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;

use super::{Log, PayloadState};
use crate::entry::{Commitment, ENTRY_MAX, Entry};
use crate::store::{PayloadFiles, StoreError, doing};
use crate::verify::{StoredEntry, StoredPayload};

impl Log {
    /// Visits all entries of one state of the log, and returns the index of a payload that belongs to none of them.
    pub(super) fn visit<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(StoredEntry<'_>) -> Result<(), E>,
    ) -> Result<Option<u64>, E> {
        let doing = doing("reading the log");
        // Both cursors see the same state, whatever is written meanwhile.
        let _state = self.connection.unchecked_transaction().map_err(&doing)?;
        let mut entries =
            self.connection.prepare("SELECT idx, body, hash FROM entry ORDER BY idx").map_err(&doing)?;
        let mut payloads =
            self.connection.prepare("SELECT idx, salt, bytes FROM payload ORDER BY idx").map_err(&doing)?;
        let mut entries = entries.query([]).map_err(&doing)?;
        let mut payloads = payloads.query([]).map_err(&doing)?;
        payloads.advance().map_err(&doing)?;
        let mut stray = None;
        while let Some(row) = entries.next().map_err(&doing)? {
            let index: i64 = row.get(0).map_err(&doing)?;
            let (body, hash) = (blob(row, 1)?, blob(row, 2)?);
            while let Some(of) = index_of(payloads.get())?.filter(|of| *of < index) {
                stray.get_or_insert(of as u64);
                payloads.advance().map_err(&doing)?;
            }
            let found = payloads.get().filter(|_| index_of(payloads.get()).is_ok_and(|of| of == Some(index)));
            let mut large = None;
            let payload = match found {
                None => None,
                Some(found) => {
                    let (salt, bytes) = (blob(found, 1)?, blob(found, 2)?);
                    match large_commitment(body).filter(|_| bytes.is_empty()) {
                        Some(commitment) => {
                            large = self.folder.payloads().read(&commitment)?;
                            large.as_deref().map(|bytes| StoredPayload { salt, bytes })
                        }
                        None => Some(StoredPayload { salt, bytes }),
                    }
                }
            };
            visit(StoredEntry { index: index as u64, body, hash, payload })?;
            drop(large);
            if found.is_some() {
                payloads.advance().map_err(&doing)?;
            }
        }
        let left = index_of(payloads.get())?.map(|of| of as u64);
        Ok(stray.or(left))
    }

    /// Returns a payload, if it is there.
    pub(super) fn payload_state(&self, index: i64, entry: &Entry) -> Result<PayloadState, StoreError> {
        let Some(commitment) = &entry.commitment else { return Ok(PayloadState::None) };
        let select = "SELECT salt, bytes FROM payload WHERE idx = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
        let (salt, bytes) = match self.connection.query_one(select, [index], row) {
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(PayloadState::Erased),
            found => found.map_err(doing("reading a payload"))?,
        };
        if bytes.is_empty() && PayloadFiles::hold(commitment) {
            let large = self.folder.payloads().read(commitment)?;
            return Ok(large.map_or(PayloadState::Erased, |bytes| PayloadState::Present { salt, bytes }));
        }
        Ok(PayloadState::Present { salt, bytes })
    }
}

/// Returns which entry the current payload belongs to.
fn index_of(row: Option<&rusqlite::Row<'_>>) -> Result<Option<i64>, StoreError> {
    row.map(|row| row.get(0)).transpose().map_err(doing("reading the log"))
}

fn blob<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<&'a [u8], StoreError> {
    let value = row.get_ref(column).map_err(doing("reading the log"))?;
    value.as_blob().map_err(|_| StoreError::Damaged { what: format!("column {column} of a row is no blob") })
}

/// Returns what an entry commits to, if its payload is a file. Most are not, and are told by one field.
fn large_commitment(body: &[u8]) -> Option<Commitment> {
    let is_small = body.len() <= ENTRY_MAX && body.get(168..173) == Some(&[0; 5]) && body[173] < 4;
    if is_small {
        return None;
    }
    Entry::decode(body).ok()?.commitment.filter(PayloadFiles::hold)
}
