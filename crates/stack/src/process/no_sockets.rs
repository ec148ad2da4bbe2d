//! Commands that need no network give up the means to reach one, before they read any input.
//!
//! On Linux the kernel refuses the process, and whatever it starts, every socket of a family that reaches other
//! machines (seccomp). Sockets of this machine stay: systems look up users through them. Elsewhere nothing is given up.

#[cfg(target_os = "linux")]
pub(crate) use linux::give_up;

/// Whether the kernel refuses sockets from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// It does.
    Refused,
    /// It cannot.
    Possible,
}

/// Does nothing where there is nothing to be done.
#[cfg(not(target_os = "linux"))]
pub(crate) fn give_up() -> Sockets {
    Sockets::Possible
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::env::consts::ARCH;

    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule,
    };

    use super::Sockets;

    /// Gives up sockets for good. Call it before other threads are started.
    pub(crate) fn give_up() -> Sockets {
        let installed = program().is_ok_and(|program| seccompiler::apply_filter(&program).is_ok());
        if installed { Sockets::Refused } else { Sockets::Possible }
    }

    fn program() -> Result<BpfProgram, BackendError> {
        let family = |family: u64| {
            let is = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family)?;
            SeccompRule::new(vec![is])
        };
        let families = REACHING.into_iter().map(family).collect::<Result<Vec<_>, _>>()?;
        let refused = BTreeMap::from([(libc::SYS_socket, families)]);
        let error = SeccompAction::Errno(libc::EACCES as u32);
        SeccompFilter::new(refused, SeccompAction::Allow, error, ARCH.try_into()?)?.try_into()
    }

    /// The families of sockets that reach other machines.
    const REACHING: [u64; 4] =
        [libc::AF_INET as u64, libc::AF_INET6 as u64, libc::AF_PACKET as u64, libc::AF_VSOCK as u64];

    #[cfg(test)]
    mod tests {
        use std::net::TcpListener;
        use std::os::unix::net::UnixStream;
        use std::thread;

        use super::*;

        #[test]
        fn the_kernel_refuses_what_reaches_others() {
            // On a thread of its own: others go on to need sockets.
            thread::spawn(|| {
                if give_up() == Sockets::Possible {
                    return;
                }
                for address in ["127.0.0.1:0", "[::1]:0"] {
                    let error = TcpListener::bind(address).unwrap_err();
                    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{address}");
                }
                assert!(UnixStream::pair().is_ok());
            })
            .join()
            .unwrap();
        }
    }
}
