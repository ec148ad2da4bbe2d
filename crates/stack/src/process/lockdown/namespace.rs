//! A network of its own, in which there is nobody. Sockets that are open belong to the network that they were made in.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getgid, getuid};

/// Why there is no network of its own.
pub(super) enum NotIsolated {
    /// The process is where it was.
    Outside(io::Error),
    /// The process is in a namespace of users in which it is nobody, and cannot leave it: no file is its own any more.
    Nobody(io::Error),
}

/// Leaves the network. Whoever may not do that in its own name does it as the only user of a namespace of users, in which
/// it keeps its number, so that the files it makes are its own.
pub(super) fn isolate() -> Result<(), NotIsolated> {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    if fs::read_to_string(RESTRICTED).is_ok_and(|value| value.trim() == "1") {
        let message = format!("AppArmor restricts namespaces of users, as {RESTRICTED} says");
        return Err(NotIsolated::Outside(io::Error::new(io::ErrorKind::PermissionDenied, message)));
    }
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    let entered = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET);
    entered.map_err(|error| NotIsolated::Outside(error.into()))?;
    let write = |name: &str, text: String| fs::write(format!("/proc/self/{name}"), text);
    write("setgroups", "deny".to_owned())
        .and_then(|()| write("uid_map", format!("{user} {user} 1")))
        .and_then(|()| write("gid_map", format!("{group} {group} 1")))
        .map_err(NotIsolated::Nobody)
}

/// Where that is so, an unprivileged process can enter such a namespace, and nothing in it.
const RESTRICTED: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
