//! Numbered pieces of work, spread over threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Runs `work` once for every number below `count` on up to `workers` threads, the caller's among them.
///
/// Each thread makes its scratch memory with `scratch` and keeps it. Numbers are handed out in order, and after a
/// failure no more of them; since every lower number was handed out before, the error returned is the first one by
/// number, whatever the threads' luck.
pub(crate) fn for_each<S, E: Send>(
    workers: usize,
    count: usize,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let first_error: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let run = || {
        let mut scratch = scratch();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let Err(error) = work(&mut scratch, index) else { continue };
            next.store(count, Ordering::Relaxed);
            let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(at, _)| index < *at) {
                *first = Some((index, error));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers.clamp(1, count.max(1)) {
            // Where the system gives no more threads, the others do the work.
            if thread::Builder::new().name("seal".to_owned()).spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    let first = first_error.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(()), |(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_worked_on_once() {
        for workers in [0, 1, 3, 200] {
            let seen: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            let done = for_each(
                workers,
                100,
                || (),
                |(), index| -> Result<(), ()> {
                    seen[index].fetch_add(1, Ordering::Relaxed);
                    Ok(())
                },
            );
            assert_eq!(done, Ok(()));
            assert!(seen.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{workers} workers");
        }
    }

    #[test]
    fn the_first_error_by_number_is_the_one_returned() {
        for workers in [1, 2, 5] {
            let work = |(): &mut (), index| if index >= 17 { Err(index) } else { Ok(()) };
            assert_eq!(for_each(workers, 1000, || (), work), Err(17), "{workers} workers");
        }
    }
}
