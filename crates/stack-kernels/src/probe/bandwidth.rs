//! A probe of the bandwidth of memory, which bounds decoding: every token reads all weights.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::buffer::{Arena, Buffer, Line};
use crate::cpu::Cpu;

/// Memory on large pages, as that of weights, which is only there to be read.
#[derive(Debug)]
pub struct BandwidthProbe(Buffer);

impl BandwidthProbe {
    /// Takes so many bytes, rounded up to lines of 64, and touches them all. Line `i` begins with `i`, as 32 bits.
    ///
    /// # Panics
    ///
    /// When that many bytes exceed the address space.
    pub fn new(cpu: &Cpu, bytes: usize) -> Self {
        let mut buffer = Arena::default().zeroed(bytes.div_ceil(size_of::<Line>()));
        cpu.pool().for_chunks(&mut buffer, TASK_LINES, &|task, lines| {
            for (index, line) in lines.iter_mut().enumerate() {
                line.set_lane(0, (task * TASK_LINES + index) as u32);
            }
        });
        Self(buffer)
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val::<[Line]>(&self.0)
    }
    /// Reads a word of each line on all threads, in order, and returns their sum: memory moves whole lines.
    pub fn read(&self, cpu: &Cpu) -> u64 {
        let sum = AtomicU64::new(0);
        let tasks: Vec<&[Line]> = self.0.chunks(TASK_LINES).collect();
        cpu.pool().run(tasks.len(), &|task| {
            let words = tasks[task].iter().map(|line| u64::from(line.lane(0)));
            sum.fetch_add(words.sum(), Ordering::Relaxed);
        });
        sum.into_inner()
    }
}

/// Lines that a thread reads one after the other: 1 MiB.
const TASK_LINES: usize = (1 << 20) / size_of::<Line>();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    #[test]
    fn every_line_is_read() {
        let cpu = Cpu::new(Level::detect(), 2);
        for lines in [0, 1, TASK_LINES, 2 * TASK_LINES + 3] {
            let probe = BandwidthProbe::new(&cpu, 64 * lines);
            assert_eq!(probe.bytes(), 64 * lines);
            assert_eq!(probe.read(&cpu), (0..lines as u64).sum::<u64>());
        }
    }
}
