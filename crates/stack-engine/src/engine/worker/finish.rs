//! How requests end.

use std::time::Instant;

use stack_chat::{ChatEvent, Timings, Usage};

use super::Worker;
use crate::engine::group::SequenceGroup;
use crate::engine::sequence::Sequence;

impl Worker {
    /// Frees what nobody waits for any more, and keeps what it has computed.
    pub(super) fn drop_abandoned(&mut self) {
        self.waiting.retain(|group| !group.events.is_closed());
        let (gone, running) =
            std::mem::take(&mut self.running).into_iter().partition(|group| group.events.is_closed());
        self.running = running;
        let gone: Vec<SequenceGroup> = gone;
        for sequence in gone.into_iter().flat_map(|group| group.sequences) {
            self.keep(sequence);
        }
    }

    /// Removes sequences and requests that have ended.
    pub(super) fn finish_groups(&mut self) {
        let mut ended = Vec::new();
        for mut group in std::mem::take(&mut self.running) {
            if group.failed {
                ended.push(group);
                continue;
            }
            for sequence in group.sequences.extract_if(.., |sequence| sequence.finished) {
                group.generated_tokens += sequence.generated;
                group.reasoning_tokens += sequence.reasoning_tokens();
                self.keep(sequence);
            }
            if group.sequences.is_empty() {
                let (usage, timings) = costs(&group, Instant::now());
                group.events.send(Ok(ChatEvent::Done { usage, timings }));
            } else {
                self.running.push(group);
            }
        }
        for group in ended {
            for id in group.ids() {
                self.executor.close(id);
            }
        }
    }

    fn keep(&mut self, sequence: Sequence) {
        let Sequence { id, tokens, computed, .. } = sequence;
        if let Some(id) = id {
            self.prefix_cache.insert(self.executor.as_mut(), id, &tokens[..computed]);
        }
    }
}

/// What a finished request has cost.
fn costs(group: &SequenceGroup, now: Instant) -> (Usage, Timings) {
    let (started, prompt_done) = (group.started.unwrap_or(now), group.prompt_done.unwrap_or(now));
    let usage = Usage {
        input: group.prompt_tokens - group.cached_tokens,
        cache_read: group.cached_tokens,
        answer: group.generated_tokens - group.reasoning_tokens,
        reasoning: group.reasoning_tokens,
        ..Usage::default()
    };
    let timings =
        Timings { queue: started - group.arrived, prefill: prompt_done - started, decode: now - prompt_done };
    (usage, timings)
}
