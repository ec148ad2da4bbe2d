//! A process that holds secrets leaves no image of its memory behind.
//!
//! Two locks, because each has a hole. The limit for core files is not asked where the kernel hands the image to a program
//! (`core_pattern` with a pipe, as systemd sets it); the kernel's mark that a process is not to be dumped exists on Linux
//! alone, and there it keeps other processes of the same user from reading the memory as well. What of
//! weights lies in memory is left out of images besides (`stack-kernels` marks it), because the system's administrator can
//! take one of any process. Who debugs this program has to do so with models that are not sealed.

use rustix::io;
use rustix::process::{Resource, Rlimit, setrlimit};

/// From here on, for good, the system writes no core dump of this process.
pub(crate) fn forbid() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}
