//! The signals that end work which has to clean up behind itself.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, the polite end by a system or a service manager, and the end of the terminal.
pub(crate) struct EndSignals(Vec<Signal>);

impl EndSignals {
    /// From here on these signals end nothing by themselves. To be called within a runtime.
    pub(crate) fn install() -> io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        // Whoever starts a program with `nohup` wants it to outlive the terminal.
        let kinds = kinds.into_iter().filter(|&kind| kind != SignalKind::hangup() || !is_ignored(kind));
        kinds.map(signal).collect::<io::Result<_>>().map(Self)
    }

    /// Waits for the first of them.
    pub(crate) async fn wait(&mut self) {
        poll_fn(|context| {
            let came = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Whether the process was started with a signal ignored. Where the system does not say, it was not.
fn is_ignored(kind: SignalKind) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, kind))
}

fn ignores(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_which_signals_are_ignored() {
        let status = "Name:\tstack\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert!(ignores(status, SignalKind::hangup()) && !ignores(status, SignalKind::terminate()));
        assert!(!ignores("Name:\tstack\n", SignalKind::hangup()));
    }
}
