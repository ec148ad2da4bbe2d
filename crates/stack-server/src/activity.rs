//! What is being answered right now.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use stack_chat::Tenant;
use stack_wire::llama_server::Slot;

use crate::models::Served;

/// The answers that are waited for.
#[derive(Default)]
pub(crate) struct Activity {
    running: Mutex<BTreeMap<usize, Arc<Running>>>,
}

/// One of them. It holds its model, which is not unloaded as long as it answers.
struct Running {
    model: Arc<Served>,
    tenant: Tenant,
    prompt_tokens: AtomicU32,
    generated_tokens: AtomicU32,
}

/// Stands for an answer as long as it is waited for.
pub(crate) struct Active {
    activity: Arc<Activity>,
    number: usize,
    running: Arc<Running>,
}

impl Activity {
    /// Adds an answer of `model` to a tenant. It gets the lowest number that is free.
    pub(crate) fn begin(self: &Arc<Self>, model: &Arc<Served>, tenant: &Tenant) -> Active {
        let running = Arc::new(Running {
            model: Arc::clone(model),
            tenant: tenant.clone(),
            prompt_tokens: AtomicU32::new(0),
            generated_tokens: AtomicU32::new(0),
        });
        let mut all = self.lock();
        // Numbers come in order, so the first one that is not its own place is free.
        let number = all
            .keys()
            .enumerate()
            .find(|&(place, &number)| place != number)
            .map_or(all.len(), |(place, _)| place);
        all.insert(number, Arc::clone(&running));
        drop(all);
        Active { activity: Arc::clone(self), number, running }
    }

    /// Counts the answers of all tenants.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Lists the answers to a tenant, by their numbers.
    pub(crate) fn slots(&self, tenant: &Tenant) -> Vec<Slot> {
        let slot = |(&id, running): (&usize, &Arc<Running>)| Slot {
            id,
            model: running.model.id.clone(),
            context: running.model.card.context,
            prompt_tokens: running.prompt_tokens.load(Ordering::Relaxed),
            generated_tokens: running.generated_tokens.load(Ordering::Relaxed),
        };
        self.lock().iter().filter(|(_, running)| running.tenant == *tenant).map(slot).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    /// Notes how long the prompt is.
    pub(crate) fn prompt(&self, tokens: u32) {
        self.running.prompt_tokens.store(tokens, Ordering::Relaxed);
    }

    /// Counts tokens that were generated.
    pub(crate) fn generated(&self, tokens: u32) {
        self.running.generated_tokens.fetch_add(tokens, Ordering::Relaxed);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.activity.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_listed_as_long_as_it_is_waited_for() {
        let activity = Arc::new(Activity::default());
        let [a, b, c] = ["a", "b", "c"].map(|id| Arc::new(Served::named(id)));
        let [ours, theirs] = ["a", "b"].map(Tenant::new);
        let first = activity.begin(&a, &ours);
        let second = activity.begin(&b, &ours);
        assert_eq!((activity.slots(&theirs).len(), activity.count()), (0, 2), "tenants see their own");
        second.prompt(5);
        second.generated(2);
        second.generated(1);
        let listed: Vec<_> = activity.slots(&ours).into_iter().map(|slot| (slot.id, slot.model)).collect();
        assert_eq!(listed, [(0, "a".to_owned()), (1, "b".to_owned())]);
        assert_eq!(
            (activity.slots(&ours)[1].prompt_tokens, activity.slots(&ours)[1].generated_tokens),
            (5, 3)
        );
        drop(first);
        let _third = activity.begin(&c, &ours);
        assert_eq!(activity.slots(&ours)[0].model, "c", "the lowest free number is taken again");
        drop(second);
        assert_eq!(activity.slots(&ours).len(), 1);
    }
}
