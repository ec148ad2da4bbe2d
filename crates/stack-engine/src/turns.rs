//! Whose turn it is to compute, where several models share a machine.
//!
//! A step wants every core. Two steps at the same time would take each other's, and their caches' contents, and both would
//! be slower than one after the other.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Turns at computing, in the order in which they were asked for. A clone shares them.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    numbers: Mutex<Numbers>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Numbers {
    /// The next one to be given out.
    next: u64,
    /// Whose turn it is.
    now: u64,
}

impl Turns {
    /// Waits for a turn and computes in it.
    pub(crate) fn take<T>(&self, compute: impl FnOnce() -> T) -> T {
        let queue = &*self.0;
        let mut numbers = queue.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = numbers.next;
        numbers.next += 1;
        while numbers.now != mine {
            numbers = queue.moved.wait(numbers).unwrap_or_else(PoisonError::into_inner);
        }
        drop(numbers);
        let _over = Over(queue);
        compute()
    }
}

/// Ends a turn, also that of a computation that panics.
struct Over<'a>(&'a Queue);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner).now += 1;
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn one_computes_at_a_time_and_a_panic_ends_its_turn() {
        let (turns, inside) = (Turns::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for number in 0..8 {
                let (turns, inside) = (turns.clone(), &inside);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let turn = catch_unwind(AssertUnwindSafe(|| {
                            turns.take(|| {
                                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "nobody else is in");
                                thread::yield_now();
                                inside.fetch_sub(1, Ordering::SeqCst);
                                assert!(number != 3, "this one fails in its turn");
                            });
                        }));
                        assert_eq!(turn.is_err(), number == 3);
                    }
                });
            }
        });
        assert_eq!(turns.take(|| 7), 7);
    }
}
