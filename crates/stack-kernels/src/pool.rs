//! The threads that kernels run on.
//!
//! A forward pass is a row of short parallel regions with next to nothing between them. Workers therefore spin for a
//! moment after each region before they sleep, and a region does not wait for workers that sleep too long: those that
//! are awake take tasks from a shared cursor, and a worker that arrives when the last task is taken finds the region
//! closed and goes back to waiting.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::disjoint::Disjoint;

/// A fixed set of threads that run the tasks of one parallel region at a time.
///
/// The thread that opens a region is worker 0 and works, too. Regions opened by several threads take turns.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a region is open.
    turn: Mutex<()>,
}

impl Pool {
    /// Starts a pool of this many threads, the caller's included; at least one.
    ///
    /// # Panics
    ///
    /// When the operating system refuses a thread.
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let crowded = thread::available_parallelism().is_ok_and(|available| threads > available.get());
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            region: UnsafeCell::new(Region { body: &|_, _| {}, tasks: 0 }),
            cursor: CachePadded(AtomicUsize::new(0)),
            opener: Mutex::new(None),
            opener_sleeps: AtomicBool::new(false),
            panic: Mutex::new(None),
            sleepers: (1..threads).map(|_| Sleeper::default()).collect(),
            spin: if crowded { Duration::ZERO } else { SPIN },
            stop: AtomicBool::new(false),
        });
        let workers = (1..threads)
            .map(|worker| {
                let shared = Arc::clone(&shared);
                thread::Builder::new()
                    .name(format!("stack-kernel-{worker}"))
                    .spawn(move || shared.work(worker))
                    .expect("the operating system gives a thread")
            })
            .collect();
        Self { shared, workers, turn: Mutex::new(()) }
    }

    /// The number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `body` once for each task below `tasks`; free threads take the next one.
    ///
    /// # Panics
    ///
    /// With what a task panicked with, once no task runs any more. Also when a task opens a region.
    pub fn run(&self, tasks: usize, body: &(dyn Fn(usize) + Sync)) {
        self.run_on_workers(tasks, &|_, task| body(task));
    }

    /// Runs `body` as [`Self::run`] does and tells it which worker runs it.
    pub(crate) fn run_on_workers(&self, tasks: usize, body: &(dyn Fn(usize, usize) + Sync)) {
        assert!(!IN_REGION.get(), "a task of a parallel region may not open another");
        // A panic in an earlier region left nothing half done: the lock guards no data.
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = Inside::enter();
        if self.workers.is_empty() || tasks <= 1 {
            (0..tasks).for_each(|task| body(0, task));
            return;
        }
        let outcome = self.shared.open(Region { body, tasks });
        drop(inside);
        drop(turn);
        if let Err(cause) = outcome {
            panic::resume_unwind(cause);
        }
    }

    /// Cuts `data` into chunks of `length`, the last one shorter, and runs `body` once for each with its number.
    ///
    /// # Panics
    ///
    /// When `length` is 0, and as [`Self::run`] does.
    pub fn for_chunks<T: Send>(
        &self,
        data: &mut [T],
        length: usize,
        body: &(dyn Fn(usize, &mut [T]) + Sync),
    ) {
        assert!(length > 0, "chunks have a length");
        let tasks = data.len().div_ceil(length);
        let data = Disjoint::new(data);
        self.run(tasks, &|task| {
            let start = task * length;
            // SAFETY: every task is run once, and the chunks of different tasks do not overlap.
            body(task, unsafe { data.part(start..(start + length).min(data.len())) });
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.sleepers.iter().for_each(Sleeper::wake);
        for worker in self.workers.drain(..) {
            // A worker catches what its tasks panic with; nothing else in it can panic.
            let _ = worker.join();
        }
    }
}

/// The state that the threads of a pool share.
struct Shared {
    /// The number of the latest region, whether it is open, and how many workers are in it.
    state: AtomicU64,
    /// Written only while no region is open and no worker is in one.
    region: UnsafeCell<Region<'static>>,
    /// The next task that no worker has taken.
    cursor: CachePadded<AtomicUsize>,
    /// The thread that opened the region.
    opener: Mutex<Option<Thread>>,
    opener_sleeps: AtomicBool,
    /// The panic of the first task that panicked in this region.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// One for each worker but the first.
    sleepers: Vec<Sleeper>,
    /// The time that a thread spins before it sleeps.
    spin: Duration,
    stop: AtomicBool,
}

// SAFETY: only `region` is not `Sync` by itself. It is written by the one thread that holds `Pool::turn`, while the
// state says closed and empty, and read by threads that entered the open region through `state`, which orders both.
unsafe impl Sync for Shared {}
// SAFETY: as above; the reference inside points to a body that is `Sync`.
unsafe impl Send for Shared {}

/// A value on cache lines of its own: threads that wait read the state all the time, those that work write the cursor.
#[repr(align(128))]
struct CachePadded<T>(T);

/// The tasks of one parallel region.
#[derive(Clone, Copy)]
struct Region<'a> {
    body: &'a (dyn Fn(usize, usize) + Sync),
    tasks: usize,
}

impl Shared {
    /// Runs a region to its end as worker 0.
    fn open(&self, region: Region<'_>) -> Result<(), Box<dyn Any + Send>> {
        // SAFETY: only the lifetime changes. No worker is in the region when this function returns, and none enters a
        // region that is closed, so the body is not used after its borrow ends.
        let region = unsafe { std::mem::transmute::<Region<'_>, Region<'static>>(region) };
        *self.opener.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
        self.cursor.0.store(0, Ordering::Relaxed);
        // SAFETY: the caller holds `Pool::turn` and the state is closed and empty, so no other thread reads or writes.
        unsafe { *self.region.get() = region };
        let number = (self.state.load(Ordering::Relaxed) >> NUMBER_SHIFT).wrapping_add(1);
        self.state.store(number << NUMBER_SHIFT | OPEN, Ordering::SeqCst);
        let helpers = region.tasks - 1;
        self.sleepers.iter().take(helpers).for_each(Sleeper::wake);

        self.take_part(0, region);
        self.state.fetch_and(!OPEN, Ordering::SeqCst);
        self.wait(|| self.state.load(Ordering::SeqCst) & WORKERS == 0);
        match self.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(()),
            Some(cause) => Err(cause),
        }
    }

    /// Waits, as the opener, until workers have made `done` true.
    fn wait(&self, done: impl Fn() -> bool) {
        if spin_until(self.spin, &done) {
            return;
        }
        self.opener_sleeps.store(true, Ordering::SeqCst);
        while !done() {
            thread::park();
        }
        self.opener_sleeps.store(false, Ordering::SeqCst);
    }

    /// Serves regions until the pool ends.
    fn work(&self, worker: usize) {
        let _inside = Inside::enter();
        let mut seen = 0;
        loop {
            let is_new = || {
                self.state.load(Ordering::SeqCst) >> NUMBER_SHIFT != seen || self.stop.load(Ordering::SeqCst)
            };
            if !spin_until(self.spin, is_new) {
                self.sleepers[worker - 1].sleep_until(is_new);
            }
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            seen = self.enter(worker);
        }
    }

    /// Takes part in the latest region, if it is open, and returns its number.
    fn enter(&self, worker: usize) -> u64 {
        let mut state = self.state.load(Ordering::SeqCst);
        while state & OPEN != 0 {
            if let Err(now) =
                self.state.compare_exchange(state, state + 1, Ordering::SeqCst, Ordering::SeqCst)
            {
                state = now;
                continue;
            }
            // SAFETY: this worker is counted in an open region, so the cell is not written until it leaves.
            let region = unsafe { *self.region.get() };
            self.take_part(worker, region);
            self.leave();
            break;
        }
        state >> NUMBER_SHIFT
    }

    fn leave(&self) {
        // The opener may return and open another region right after the subtraction; a stray wake-up does no harm.
        self.state.fetch_sub(1, Ordering::SeqCst);
        if self.opener_sleeps.load(Ordering::SeqCst)
            && let Some(opener) = &*self.opener.lock().unwrap_or_else(PoisonError::into_inner)
        {
            opener.unpark();
        }
    }

    /// Runs tasks until none is left.
    fn take_part(&self, worker: usize, region: Region<'_>) {
        let run = || {
            loop {
                let task = self.cursor.0.fetch_add(1, Ordering::Relaxed);
                if task >= region.tasks {
                    break;
                }
                (region.body)(worker, task);
            }
        };
        if let Err(cause) = panic::catch_unwind(AssertUnwindSafe(run)) {
            self.cursor.0.store(region.tasks, Ordering::Relaxed);
            self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
        }
    }
}

/// The sleep of one worker, on a cache line of its own, since openers read it.
#[derive(Default)]
#[repr(align(128))]
struct Sleeper {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Sleeper {
    /// Sleeps, as its thread, until `done`. The thread that makes `done` true must call
    /// [`Self::wake`] afterwards.
    fn sleep_until(&self, done: impl Fn() -> bool) {
        self.thread.get_or_init(thread::current);
        // Either this thread sees that it is done, or the other one sees that it sleeps: both orders are sequential.
        self.asleep.store(true, Ordering::SeqCst);
        while !done() {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

/// Spins until `done`, and returns false if that took too long.
fn spin_until(limit: Duration, done: impl Fn() -> bool) -> bool {
    let mut started = None;
    loop {
        for _ in 0..SPINS_PER_LOOK {
            if done() {
                return true;
            }
            std::hint::spin_loop();
        }
        if started.get_or_insert_with(Instant::now).elapsed() >= limit {
            return done();
        }
    }
}

/// Marks this thread as being inside a region until it is dropped.
struct Inside;

impl Inside {
    fn enter() -> Self {
        IN_REGION.set(true);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        IN_REGION.set(false);
    }
}

thread_local! {
    static IN_REGION: Cell<bool> = const { Cell::new(false) };
}

/// Longer than what lies between two regions of a forward pass, shorter than what a sleeping thread takes to wake.
const SPIN: Duration = Duration::from_micros(40);
const SPINS_PER_LOOK: usize = 16;

/// Layout of `Shared::state`.
const NUMBER_SHIFT: u32 = 32;
const OPEN: u64 = 1 << 31;
const WORKERS: u64 = OPEN - 1;

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn counts(tasks: usize, run: impl Fn(&(dyn Fn(usize) + Sync))) -> Vec<usize> {
        let counts: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        run(&|task| {
            counts[task].fetch_add(1, Ordering::Relaxed);
        });
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn every_task_runs_once() {
        for threads in 1..=8 {
            let pool = Pool::new(threads);
            for tasks in [0, 1, 2, 3, 7, 64, 1000] {
                assert_eq!(counts(tasks, |body| pool.run(tasks, body)), vec![1; tasks]);
            }
        }
    }

    #[test]
    fn a_worker_is_one_thread() {
        let pool = Pool::new(3);
        let seen = Mutex::new([None; 3]);
        for _ in 0..50 {
            pool.run_on_workers(12, &|worker, _| {
                let me = thread::current().id();
                assert_eq!(*seen.lock().unwrap()[worker].get_or_insert(me), me);
            });
        }
        let opener = thread::current().id();
        assert_eq!(seen.into_inner().unwrap()[0].unwrap_or(opener), opener);
    }

    #[test]
    fn many_short_regions_from_several_threads_lose_nothing() {
        let pool = Pool::new(4);
        let total = AtomicUsize::new(0);
        thread::scope(|scope| {
            for opener in 0..3 {
                let (pool, total) = (&pool, &total);
                scope.spawn(move || {
                    for round in 0..2000 {
                        let tasks = (round + opener) % 9;
                        let body = |task: usize| {
                            total.fetch_add(task + 1, Ordering::Relaxed);
                        };
                        pool.run(tasks, &body);
                    }
                });
            }
        });
        let expected: usize = (0..3)
            .flat_map(|opener| (0..2000).map(move |round| (round + opener) % 9))
            .map(|tasks| tasks * (tasks + 1) / 2)
            .sum();
        assert_eq!(total.into_inner(), expected);
    }

    #[test]
    fn workers_that_slept_wake_for_the_next_region() {
        let pool = Pool::new(3);
        for _ in 0..20 {
            // Both tasks have to run at once, so that the opener cannot run them alone.
            let both = Barrier::new(2);
            pool.run(2, &|_| {
                both.wait();
            });
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_panic_reaches_the_opener_and_the_pool_lives_on() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for bad in 0..5 {
                let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                    pool.run(5, &|task| assert!(task != bad, "task {task} fails"));
                }));
                let message = *caught.unwrap_err().downcast::<String>().unwrap();
                assert_eq!(message, format!("task {bad} fails"));
                assert_eq!(counts(10, |body| pool.run(10, body)), [1; 10]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "may not open another")]
    fn a_region_in_a_region_is_refused() {
        let pool = Pool::new(2);
        pool.run(4, &|_| pool.run(4, &|_| {}));
    }

    #[test]
    fn chunks_cover_the_slice_without_overlap() {
        let pool = Pool::new(3);
        let mut data = vec![0usize; 103];
        pool.for_chunks(&mut data, 10, &|chunk, part| {
            part.iter_mut().for_each(|x| *x += chunk + 1);
        });
        assert!(data.iter().enumerate().all(|(index, &x)| x == index / 10 + 1));
    }
}
