//! How requests end.

use std::time::Instant;

use stack_chat::{ChatEvent, Failure, FailureKind, Tenant, Timings, Usage};

use super::Worker;
use crate::engine::group::SequenceGroup;
use crate::engine::sequence::Sequence;

impl Worker {
    /// Frees what nobody waits for any more, and keeps what it has computed.
    pub(super) fn drop_abandoned(&mut self) {
        self.waiting.retain(|group| !group.events.is_closed());
        let gone: Vec<SequenceGroup> =
            self.running.extract_if(.., |group| group.events.is_closed()).collect();
        for group in gone {
            for sequence in group.sequences {
                self.keep(&group.tenant, sequence);
            }
        }
    }

    /// Ends what nobody waits for any more by its own word.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_late = |group: &SequenceGroup| group.deadline.is_some_and(|deadline| deadline <= now);
        self.waiting.retain(|group| {
            if is_late(group) {
                group.events.send(Err(too_late(group)));
            }
            !is_late(group)
        });
        for index in 0..self.running.len() {
            if is_late(&self.running[index]) {
                self.fail(index, too_late(&self.running[index]));
            }
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
                self.keep(&group.tenant, sequence);
            }
            if group.sequences.is_empty() {
                let (usage, timings) = costs(&group, Instant::now());
                group.events.send(Ok(ChatEvent::Done { usage, timings }));
            } else {
                self.running.push(group);
            }
        }
        for mut group in ended {
            for id in group.ids() {
                self.executor.close(id);
            }
            if let Some(draft) = &mut self.draft {
                group.sequences.iter_mut().for_each(|sequence| draft.close(&mut sequence.draft));
            }
        }
    }

    fn keep(&mut self, tenant: &Tenant, sequence: Sequence) {
        let Sequence { id, tokens, computed, draft: mut of_draft, .. } = sequence;
        if let Some(id) = id {
            self.prefix_cache.insert(self.executor.as_mut(), tenant, id, &tokens[..computed]);
        }
        if let Some(draft) = &mut self.draft {
            draft.keep(&mut of_draft, tenant, &tokens);
        }
    }
}

fn too_late(group: &SequenceGroup) -> Failure {
    let waits = group.deadline.map(|deadline| deadline - group.arrived).unwrap_or_default();
    let message = format!("the answer was not complete within the {} ms of the request", waits.as_millis());
    Failure::new(FailureKind::Timeout, message)
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
