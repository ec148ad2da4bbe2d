//! Single entries, and the last ones.

use super::{FullEntry, Log, decode, full_entry};
use crate::entry::Entry;
use crate::store::{StoreError, doing};

impl Log {
    /// Returns the entry of an index, if there is one.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn entry(&self, index: u64) -> Result<Option<FullEntry>, StoreError> {
        let Ok(index) = i64::try_from(index) else { return Ok(None) };
        Ok(self.full_entries("SELECT idx, body, hash FROM entry WHERE idx = ?1", [index])?.pop())
    }

    /// Returns the last `count` entries that are wanted, in the order of the log.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn latest(
        &self,
        count: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<FullEntry>, StoreError> {
        let attempt = "reading the latest entries";
        let select = "SELECT idx, body, hash FROM entry ORDER BY idx DESC";
        let mut select = self.connection.prepare(select).map_err(doing(attempt))?;
        let mut rows = select.query([]).map_err(doing(attempt))?;
        let mut found = Vec::new();
        while found.len() < count
            && let Some(row) = rows.next().map_err(doing(attempt))?
        {
            let entry = full_entry(row).map_err(doing(attempt))?;
            if wanted(&decode(&entry.1)?) {
                found.push(self.with_payload(entry)?);
            }
        }
        found.reverse();
        Ok(found)
    }
}
