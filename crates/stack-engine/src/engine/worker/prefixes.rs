//! Handing out what is kept of prompts, and taking it back: files outlive the program.

use std::sync::mpsc::{Receiver, SyncSender};

use stack_kernels::PAGE_TOKENS;

use super::Worker;
use crate::engine::prefix_file::{Entry, Origin, Planned, PrefixWriter, plan, planned_len};

/// A wish for what is kept of prompts, as the bytes of a file.
pub(in crate::engine) struct SaveJob {
    pub(in crate::engine) origin: Origin,
    /// The most bytes of the file.
    pub(in crate::engine) bytes_max: u64,
    /// Where their number goes, before the first of them; nowhere if nothing is kept.
    pub(in crate::engine) length: SyncSender<u64>,
    /// Where they go.
    pub(in crate::engine) bytes: SyncSender<Vec<u8>>,
}

/// What was kept before, as it is read.
pub(in crate::engine) struct RestoreJob {
    pub(in crate::engine) entries: Receiver<Entry>,
}

impl Worker {
    /// Sends what is kept of prompts, as long as somebody takes it.
    pub(super) fn save_prefixes(&mut self, job: &SaveJob) {
        let plan = plan(self.prefix_cache.beginnings(), &job.origin, job.bytes_max);
        let Some(pages) = self.executor.pages() else { return };
        if plan.is_empty() || job.length.send(planned_len(&plan, &job.origin)).is_err() {
            return;
        }
        let (mut writer, head) = PrefixWriter::new(&job.origin);
        let mut is_wanted = job.bytes.send(head).is_ok();
        for Planned { tenant, tokens, shared, holder } in plan {
            if !is_wanted {
                return;
            }
            let mut bytes = Vec::new();
            for page in shared / PAGE_TOKENS..tokens.len() / PAGE_TOKENS {
                pages.write(holder, page, &mut bytes);
            }
            is_wanted = job.bytes.send(writer.entry(&Entry { tenant, tokens, shared, pages: bytes })).is_ok();
        }
        // Whoever has gone misses nothing.
        let _gone = job.bytes.send(writer.end());
    }

    /// Keeps what was kept before, until there is no more of it.
    pub(super) fn restore_prefixes(&mut self, job: &RestoreJob) {
        for Entry { tenant, tokens, shared, pages: bytes } in &job.entries {
            let is_known = tokens.iter().all(|&token| token < self.model.card.vocabulary);
            let executor = self.executor.as_mut();
            // What it shares may have had to go for what came after it.
            let begun = match shared {
                0 => Some(executor.open()),
                shared => self.prefix_cache.copy(executor, &tenant, &tokens[..shared]),
            };
            let Some(sequence) = begun else { continue };
            let Some(pages) = self.executor.pages().filter(|_| is_known) else {
                self.executor.close(sequence);
                continue;
            };
            bytes.chunks(pages.form().bytes).for_each(|page| pages.read(sequence, page));
            self.prefix_cache.insert(self.executor.as_mut(), &tenant, sequence, &tokens);
        }
    }
}
