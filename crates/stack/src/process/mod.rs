//! The process itself and the machine under it: environment, clock, threads, logs, and the sockets that it gives up.

pub(crate) mod logs;
pub(crate) mod machine;
pub(crate) mod no_sockets;
pub(crate) mod threads;
