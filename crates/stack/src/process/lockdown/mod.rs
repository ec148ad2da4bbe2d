//! Under the tier sovereign the kernel refuses what the policy refuses: a server that was told to keep everything here
//! gives up the means to do otherwise, before it has a second thread.
//!
//! Three walls, each of which holds alone or not at all: a network of its own, in which there is nobody (a namespace);
//! no TCP and no abstract sockets, and nothing written outside the home (Landlock); and no system call that makes or
//! connects a socket, or takes one from another process (seccomp). The last is what every level has: without it the two
//! others leave ways that nobody should have to know. Listeners that are open stay open, and so do files.

use std::fmt;

#[cfg(target_os = "linux")]
mod landlock;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod seccomp;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::enter;
#[cfg(target_os = "linux")]
pub(crate) use linux::enter;

use crate::error::{CommandError, Kind};

/// How tightly the process is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LockdownLevel {
    /// Not at all.
    Off,
    /// Seccomp.
    E1,
    /// Landlock and seccomp.
    E2,
    /// A network of its own, Landlock and seccomp.
    E3,
}

/// What became of each wall.
#[derive(Debug)]
pub(crate) struct Lockdown {
    pub(crate) namespace: Result<(), String>,
    pub(crate) landlock: Result<(), String>,
    pub(crate) seccomp: Result<(), String>,
}

impl LockdownLevel {
    /// Returns its name in configuration, log and answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::E1 => "E1",
            Self::E2 => "E2",
            Self::E3 => "E3",
        }
    }

    /// Parses the name of a level.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let all = [Self::Off, Self::E1, Self::E2, Self::E3];
        all.into_iter().find(|level| level.name() == text).ok_or("expected E1, E2, E3 or off")
    }
}

impl fmt::Display for LockdownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Lockdown {
    /// Returns the level that the walls make together. Two of them without the third are no level: each leaves a way.
    pub(crate) fn level(&self) -> LockdownLevel {
        match (&self.namespace, &self.landlock, &self.seccomp) {
            (_, _, Err(_)) => LockdownLevel::Off,
            (Ok(()), Ok(()), Ok(())) => LockdownLevel::E3,
            (Err(_), Ok(()), Ok(())) => LockdownLevel::E2,
            (_, Err(_), Ok(())) => LockdownLevel::E1,
        }
    }

    /// Holds the walls to what is required.
    ///
    /// # Errors
    ///
    /// Names the first wall that is missing.
    pub(crate) fn meets(&self, required: LockdownLevel) -> Result<LockdownLevel, CommandError> {
        let level = self.level();
        if level >= required {
            return Ok(level);
        }
        let walls =
            [("seccomp", &self.seccomp), ("Landlock", &self.landlock), ("a namespace", &self.namespace)];
        let missing = walls.into_iter().find_map(|(wall, stands)| Some((wall, stands.as_ref().err()?)));
        let (wall, why) = missing.map_or(("a wall", "unknown".to_owned()), |(wall, why)| (wall, why.clone()));
        let message = format!(
            "the tier sovereign requires lockdown {required}, and this system provides {level}: {wall} is not available"
        );
        Err(CommandError::new(Kind::Unconfined, message).reason("no-lockdown").caused(why).hint(
            "`stack doctor privacy` shows what is missing; [privacy] lockdown in stack.toml sets what is required, and \
             lockdown = \"off\" goes without, which every answer then says",
        ))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::PathBuf;

    use super::namespace::NotIsolated;
    use super::{Lockdown, landlock, namespace, seccomp};
    use crate::error::{CommandError, Kind};

    /// Raises the walls, for good, for this process and all that it starts. What the process may still write lies beneath
    /// `writable`.
    ///
    /// # Errors
    ///
    /// When the process has more than one thread, so that the walls would hold only the one that asks, or is left half way
    /// through one of them.
    pub(crate) fn enter(writable: &[PathBuf]) -> Result<Lockdown, CommandError> {
        let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        if threads != 1 {
            let message = format!("the lockdown comes too late: there are {threads} threads");
            return Err(CommandError::new(Kind::Bug, message));
        }
        // Each wall would be in the way of those before it.
        let namespace = match namespace::isolate() {
            Ok(()) => Ok(()),
            Err(NotIsolated::Outside(error)) => Err(error.to_string()),
            Err(NotIsolated::Nobody(error)) => {
                let message = "the process has no user in its namespace, and no file would be its own";
                return Err(CommandError::new(Kind::Unconfined, message)
                    .reason("no-lockdown")
                    .caused(error.to_string())
                    .hint("this system lets namespaces be entered and not set up; [privacy] lockdown = \"off\" goes without"));
            }
        };
        let landlock = landlock::restrict(writable).map_err(|error| error.to_string());
        let seccomp = seccomp::apply().map_err(|error| error.to_string());
        Ok(Lockdown { namespace, landlock, seccomp })
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::path::PathBuf;

    use super::Lockdown;
    use crate::error::CommandError;

    /// Finds that this system has no such walls.
    pub(crate) fn enter(_writable: &[PathBuf]) -> Result<Lockdown, CommandError> {
        let absent = || Err("there is none on this system".to_owned());
        Ok(Lockdown { namespace: absent(), landlock: absent(), seccomp: absent() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walls(stands: [bool; 3]) -> Lockdown {
        let wall = |stands: bool| if stands { Ok(()) } else { Err("no".to_owned()) };
        let [namespace, landlock, seccomp] = stands.map(wall);
        Lockdown { namespace, landlock, seccomp }
    }

    #[test]
    fn a_level_is_a_full_block_or_none() {
        for (stands, level) in [
            ([true, true, true], LockdownLevel::E3),
            ([false, true, true], LockdownLevel::E2),
            ([true, false, true], LockdownLevel::E1),
            ([false, false, true], LockdownLevel::E1),
            ([true, true, false], LockdownLevel::Off),
            ([true, false, false], LockdownLevel::Off),
        ] {
            assert_eq!(walls(stands).level(), level, "{stands:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_ends_with_13() {
        let error = walls([false, true, true]).meets(LockdownLevel::E3).unwrap_err();
        assert_eq!((error.kind().exit_code(), error.code()), (13, Some("no-lockdown")));
        assert!(error.message().contains("a namespace is not available"), "{error}");
        assert!(walls([true, true, false]).meets(LockdownLevel::E1).is_err());
        assert_eq!(walls([false, true, true]).meets(LockdownLevel::E1).unwrap(), LockdownLevel::E2);
        assert_eq!(walls([false; 3]).meets(LockdownLevel::Off).unwrap(), LockdownLevel::Off);
    }
}
