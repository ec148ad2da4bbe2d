//! A network of its own, in which there is nobody. Sockets that are open belong to the network that they were made in.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getgid, getuid};

/// Leaves the network. Whoever may not do that in its own name does it as the only user of a namespace of users, in which
/// it keeps its number, so that the files it makes are its own.
pub(super) fn isolate() -> io::Result<()> {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}
