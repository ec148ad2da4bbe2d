//! What this machine is and has. Where the system does not say, the answer is `None`.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use stack_engine::executor::{DeviceKind, Placement};
use stack_seal::time::UnixTime;

use crate::error::{CommandError, Kind};

/// Returns a variable of the environment that is set, not empty, and text.
pub(crate) fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment, here and nowhere else")]
    let value = std::env::var(name);
    value.ok().filter(|value| !value.is_empty())
}

/// Returns a path that a variable of the environment holds, which need not be text.
pub(crate) fn environment_path(name: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment, here and nowhere else")]
    let value = std::env::var_os(name);
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What the clock says.
pub(crate) fn now() -> UnixTime {
    UnixTime::from_seconds(now_ms() / 1000)
}

/// What the clock says, in seconds since 1970.
pub(crate) fn now_s() -> u64 {
    now_ms() / 1000
}

/// What the clock says, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the clock, here and nowhere else")]
    let now = SystemTime::now();
    // A clock before 1970 is set to nothing; whoever compares with it trusts no statement.
    now.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The system's source of random bytes.
pub(crate) fn random() -> Result<impl FnMut(&mut [u8]), CommandError> {
    random_source()
}

/// The same, for several threads.
pub(crate) fn random_source() -> Result<Box<stack_audit::Random>, CommandError> {
    let mut probe = [0; 32];
    getrandom::fill(&mut probe).map_err(|error| {
        CommandError::new(Kind::Machine, "the system provides no random numbers").reason("io").caused(error)
    })?;
    Ok(Box::new(|bytes| {
        getrandom::fill(bytes).expect("a source that gave random bytes goes on giving them");
    }))
}

/// A number that scatters waits, so that clients that failed together do not come back together.
pub(crate) fn seed() -> Result<u64, CommandError> {
    let mut seed = [0; 8];
    random()?(&mut seed);
    Ok(u64::from_le_bytes(seed))
}

/// The name of the processor.
pub(crate) fn processor() -> Option<String> {
    let processors = fs::read_to_string("/proc/cpuinfo").ok()?;
    Some(processors.lines().find_map(|line| field(line, "model name"))?.to_owned())
}

/// Physical cores: hardware threads of one core share its arithmetic units.
pub(crate) fn physical_cores() -> Option<usize> {
    count_cores(&fs::read_to_string("/proc/cpuinfo").ok()?)
}

/// Bytes of memory in all.
pub(crate) fn memory_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal")
}

/// Bytes that this process may still take: what the machine has available, or what its control group leaves, whichever
/// is less.
pub(crate) fn available_bytes() -> Option<u64> {
    let machine =
        fs::read_to_string("/proc/meminfo").ok().and_then(|lines| kilobytes(&lines, "MemAvailable"));
    let number =
        |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse::<u64>().ok();
    let group =
        number("memory.max").zip(number("memory.current")).map(|(max, used)| max.saturating_sub(used));
    match (machine, group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (machine, group) => machine.or(group),
    }
}

/// The most memory that this process ever held, in bytes.
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// Instructions of the processor that matter here.
pub(crate) fn features() -> Vec<&'static str> {
    macro_rules! detected {
        ($detect:ident: $($feature:tt)*) => {
            [$(($feature, std::arch::$detect!($feature))),*]
        };
    }
    #[cfg(target_arch = "x86_64")]
    let features = detected!(is_x86_feature_detected:
        "sse4.2" "avx" "avx2" "fma" "f16c" "avxvnni" "avx512f" "avx512bw" "avx512vnni" "avx512bf16");
    #[cfg(target_arch = "aarch64")]
    let features = detected!(is_aarch64_feature_detected: "neon" "dotprod" "i8mm" "bf16" "sve" "sve2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let features: [(&str, bool); 0] = [];
    features.into_iter().filter(|&(_, present)| present).map(|(name, _)| name).collect()
}

/// The instruction set that kernels use: on the processor a level of this program's own, elsewhere what candle was
/// compiled for.
pub(crate) fn instruction_set(placement: &Placement) -> String {
    if placement.device == DeviceKind::Cpu {
        return placement.level.to_string();
    }
    macro_rules! compiled {
        ($($feature:tt)*) => {
            [$(($feature, cfg!(target_feature = $feature))),*]
        };
    }
    let features =
        compiled!("avx" "avx2" "fma" "f16c" "avx512f" "avx512vnni" "neon" "dotprod" "i8mm" "simd128");
    let mut name = std::env::consts::ARCH.to_owned();
    for (feature, _) in features.into_iter().filter(|&(_, compiled)| compiled) {
        name.push('+');
        name.push_str(feature);
    }
    name
}

fn count_cores(processors: &str) -> Option<usize> {
    let mut cores = HashSet::new();
    for processor in processors.split("\n\n") {
        let number = |name| processor.lines().find_map(|line| field(line, name));
        if let (Some(package), Some(core)) = (number("physical id"), number("core id")) {
            cores.insert((package, core));
        }
    }
    Some(cores.len()).filter(|&count| count > 0)
}

fn kilobytes(lines: &str, name: &str) -> Option<u64> {
    let value = lines.lines().find_map(|line| field(line, name))?;
    value.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns the value of `name : value`.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    (key.trim() == name).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_core_count_once() {
        let one =
            |package: u8, core: u8| format!("processor : 0\nphysical id\t: {package}\ncore id\t\t: {core}\n");
        let all = [one(0, 0), one(0, 0), one(0, 1), one(1, 0)].join("\n");
        assert_eq!(count_cores(&all), Some(3));
        assert_eq!(count_cores("processor : 0\nBogoMIPS : 48.00\n"), None);
    }

    #[test]
    fn sizes_are_read_in_bytes() {
        assert_eq!(kilobytes("Name: x\nVmHWM:\t  1024 kB\n", "VmHWM"), Some(1 << 20));
        assert_eq!(kilobytes("VmHWM: many kB\n", "VmHWM"), None);
    }
}
