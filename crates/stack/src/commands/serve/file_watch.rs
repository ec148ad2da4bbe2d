//! When files that a server follows are looked at again: every second, and when a SIGHUP comes.

use std::time::Duration;

/// Says when to look at files again.
pub(crate) struct FileWatch {
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl FileWatch {
    /// Counts the signals from now on.
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(unix)]
            hangup: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Waits until it is time, and tells whether somebody asked for it.
    pub(crate) async fn next(&mut self) -> bool {
        #[cfg(unix)]
        let asked = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let asked = std::future::pending::<Option<()>>();
        tokio::select! {
            _ = asked => true,
            () = tokio::time::sleep(LOOK_AGAIN) => false,
        }
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);
