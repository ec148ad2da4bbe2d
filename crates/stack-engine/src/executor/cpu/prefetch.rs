//! Which prefetch policy this machine is faster with: a measurement of a few milliseconds, since no name tells.

use std::time::{Duration, Instant};

use stack_kernels::{Cpu, Format, PrefetchPolicy, PrefetchProbe};

use super::formats::own_format;
use crate::weights::WeightSource;

/// Sets the policy for a model, unless it is so small that its weights may well stay in the caches.
pub(super) fn choose(cpu: &mut Cpu, source: &dyn WeightSource) {
    if source.size_bytes() < WEIGHT_BYTES_MIN {
        return;
    }
    if let Some(format) = main_format(source)
        && let Some(policy) = measure(cpu, format)
    {
        tracing::debug!(policy = policy.name(), format = format.name(), "measured the prefetch policy");
        cpu.set_prefetch_policy(policy);
    }
}

/// Measures with weights of some format; `None` where there is nothing to choose.
///
/// Each policy has its turn as often as the other and goes first as often. Weights are put out of the caches before each
/// run. What disturbs some of the runs does not move the medians.
pub(in crate::executor) fn measure(cpu: &mut Cpu, format: Format) -> Option<PrefetchPolicy> {
    let bytes = (cpu.threads() * THREAD_BYTES).clamp(PROBE_BYTES_MIN, PROBE_BYTES_MAX);
    let mut probe = PrefetchProbe::new(cpu, format, bytes)?;
    let before = cpu.prefetch_policy();
    let mut run = |policy| {
        cpu.set_prefetch_policy(policy);
        probe.evict(cpu);
        let started = Instant::now();
        probe.multiply(cpu);
        started.elapsed()
    };
    let started = Instant::now();
    let mut times = PrefetchPolicy::ALL.map(|policy| {
        // Threads wake, and the clock of the core rises.
        run(policy);
        Vec::with_capacity(ROUNDS_MAX)
    });
    for round in 0..ROUNDS_MAX {
        for turn in [round, round + 1] {
            times[turn % 2].push(run(PrefetchPolicy::ALL[turn % 2]));
        }
        if round + 1 >= ROUNDS_MIN && started.elapsed() > TIME_MAX {
            break;
        }
    }
    cpu.set_prefetch_policy(before);
    let [software, hardware] = times;
    Some(faster(software, hardware))
}

/// The default policy, unless the other takes clearly less time.
fn faster(software: Vec<Duration>, hardware: Vec<Duration>) -> PrefetchPolicy {
    let [software, hardware] = [software, hardware].map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    });
    if hardware.mul_f64(CLEARLY) < software { PrefetchPolicy::Hardware } else { PrefetchPolicy::Software }
}

/// The format of most of the bytes of a model's quantized weights.
fn main_format(source: &dyn WeightSource) -> Option<Format> {
    let mut bytes: Vec<(Format, u64)> = Vec::new();
    for tensor in source.tensors() {
        let Some(format) = tensor.ty.ok().and_then(own_format).filter(|format| format.block() > 1) else {
            continue;
        };
        match bytes.iter_mut().find(|(known, _)| *known == format) {
            Some((_, bytes)) => *bytes += tensor.bytes,
            None => bytes.push((format, tensor.bytes)),
        }
    }
    bytes.into_iter().max_by_key(|&(_, bytes)| bytes).map(|(format, _)| format)
}

/// Smaller models decode from the caches of many machines, and start in less time than a measurement takes.
const WEIGHT_BYTES_MIN: u64 = 64 << 20;

/// Weights of the probe: enough that starting and ending a product does not count, little enough for milliseconds.
const THREAD_BYTES: usize = 1 << 20;
const PROBE_BYTES_MIN: usize = 4 << 20;
const PROBE_BYTES_MAX: usize = 32 << 20;

/// Runs of each policy, and the time after which no more are begun.
const ROUNDS_MIN: usize = 3;
const ROUNDS_MAX: usize = 7;
const TIME_MAX: Duration = Duration::from_millis(6);

/// How many times as long the default must take. Where the policy matters, it matters by more.
const CLEARLY: f64 = 1.04;

#[cfg(test)]
mod tests {
    use stack_kernels::Level;
    use stack_testkit::GgufBuilder;

    use super::*;
    use crate::weights::GgufFile;

    fn ms(times: &[u64]) -> Vec<Duration> {
        times.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn the_faster_policy_is_chosen_and_outliers_do_not_count() {
        assert_eq!(faster(ms(&[30, 31, 32]), ms(&[20, 21, 22])), PrefetchPolicy::Hardware);
        assert_eq!(faster(ms(&[20, 21, 22]), ms(&[30, 31, 32])), PrefetchPolicy::Software);
        assert_eq!(faster(ms(&[20, 20, 900]), ms(&[1, 30, 30])), PrefetchPolicy::Software);
        assert_eq!(faster(ms(&[102, 102, 102]), ms(&[100, 100, 100])), PrefetchPolicy::Software, "noise");
        assert_eq!(faster(ms(&[]), ms(&[])), PrefetchPolicy::Software);
    }

    #[test]
    fn a_measurement_leaves_the_policy_as_it_was() {
        for policy in PrefetchPolicy::ALL {
            let mut cpu = Cpu::new(Level::detect(), 2);
            cpu.set_prefetch_policy(policy);
            let has_choice = cfg!(target_arch = "x86_64") && Level::detect().name() != "scalar";
            assert_eq!(measure(&mut cpu, Format::Q4K).is_some(), has_choice);
            assert_eq!(measure(&mut cpu, Format::F32), None, "floats leave no choice");
            assert_eq!(cpu.prefetch_policy(), policy);
        }
    }

    #[test]
    fn a_small_model_is_not_measured_for() {
        let file = GgufBuilder::new("x").f32_tensor("a", &[64], &[0.5; 64]);
        let file = file.tensor("b", 8, &[1, 32], &[0; 34]).tensor("c", 12, &[1, 256], &[0; 144]).build();
        let source = GgufFile::from_bytes("built-in", file.leak()).unwrap();
        assert_eq!(main_format(&source), Some(Format::Q4K));
        let mut cpu = Cpu::new(Level::detect(), 1);
        cpu.set_prefetch_policy(PrefetchPolicy::Hardware);
        choose(&mut cpu, &source);
        assert_eq!(cpu.prefetch_policy(), PrefetchPolicy::Hardware);
    }
}
