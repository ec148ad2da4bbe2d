//! The process itself and the machine under it: environment, clock, threads, and the sockets that it gives up.

pub(crate) mod machine;
pub(crate) mod no_sockets;
pub(crate) mod threads;
