//! No system call that makes or connects a socket, or takes one from elsewhere.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Installs the filter for the thread that asks, and all that it starts.
pub(super) fn apply() -> io::Result<()> {
    let program = program().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

fn program() -> Result<BpfProgram, BackendError> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in REFUSED {
        numbers(call).for_each(|number| drop(refused.insert(number, Vec::new())));
    }
    for number in numbers(libc::SYS_socketpair) {
        refused.insert(number, vec![of_datagrams()?]);
    }
    let error = SeccompAction::Errno(libc::EACCES as u32);
    SeccompFilter::new(refused, SeccompAction::Allow, error, ARCH.try_into()?)?.try_into()
}

/// Whether a pair of sockets is one of datagrams: those of Unix can be sent to any path, and with that to who listens there.
fn of_datagrams() -> Result<SeccompRule, BackendError> {
    let mask = SeccompCmpOp::MaskedEq(SOCKET_TYPE_MASK);
    let kind = libc::SOCK_DGRAM as u64;
    SeccompRule::new(vec![SeccompCondition::new(1, SeccompCmpArgLen::Dword, mask, kind)?])
}

/// The numbers of a system call. On x86-64 the same kernel may also take it by the interface called x32, with a bit, and
/// where that has a call of its own, by that one's number.
fn numbers(call: libc::c_long) -> impl Iterator<Item = i64> {
    let own = X32_OWN.iter().find(|(own, _)| *own == call).map_or(call, |(_, number)| *number);
    let x32 = cfg!(target_arch = "x86_64").then_some(own | X32_BIT);
    [call].into_iter().chain(x32)
}

/// What makes sockets, connects them, does either behind our back, or takes them from other processes.
const REFUSED: [libc::c_long; 11] = [
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_bpf,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_setns,
    libc::SYS_unshare,
];
/// Beside the type stand flags.
const SOCKET_TYPE_MASK: u64 = 0xF;
const X32_BIT: libc::c_long = 0x4000_0000;
/// Calls that have another number there.
const X32_OWN: [(libc::c_long, libc::c_long); 3] =
    [(libc::SYS_ptrace, 521), (libc::SYS_process_vm_readv, 539), (libc::SYS_process_vm_writev, 540)];

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::thread;

    use nix::errno::Errno;
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket, socketpair};

    use super::*;

    #[test]
    fn no_socket_is_made_or_connected_and_those_that_listen_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let unix = UnixListener::bind(&path).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        // On a thread of its own: others go on to need sockets.
        thread::spawn(move || {
            apply().unwrap();
            let refused = |error: io::Error| assert_eq!(error.raw_os_error(), Some(libc::EACCES));
            refused(TcpStream::connect(address).unwrap_err());
            refused(TcpStream::connect("[::1]:1").unwrap_err());
            refused(TcpListener::bind("127.0.0.1:0").unwrap_err());
            refused(UdpSocket::bind("127.0.0.1:0").unwrap_err());
            refused(UnixStream::connect(&path).unwrap_err());
            refused(UnixDatagram::unbound().unwrap_err());
            let flags = SockFlag::empty();
            for (family, kind, protocol) in [
                (AddressFamily::Inet, SockType::Raw, Some(SockProtocol::Icmp)),
                (AddressFamily::Inet, SockType::Datagram, Some(SockProtocol::Icmp)),
                (AddressFamily::Inet6, SockType::Datagram, None),
                (AddressFamily::Inet, SockType::Stream, Some(SockProtocol::Tcp)),
                (AddressFamily::Packet, SockType::Raw, None),
                (AddressFamily::Netlink, SockType::Raw, None),
                (AddressFamily::Vsock, SockType::Stream, None),
                (AddressFamily::Unix, SockType::SeqPacket, None),
            ] {
                let error = socket(family, kind, flags, protocol).unwrap_err();
                assert_eq!(error, Errno::EACCES, "{family:?} {kind:?}");
            }
            let pair = |kind| socketpair(AddressFamily::Unix, kind, None, flags);
            assert_eq!(pair(SockType::Datagram).unwrap_err(), Errno::EACCES);
            pair(SockType::Stream).expect("runtimes wake themselves with a pair");
            listener.accept().expect("who listens goes on");
            drop(unix);
        })
        .join()
        .unwrap();
        drop(client);
    }
}
