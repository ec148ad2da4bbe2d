//! The process itself and the machine under it: environment, clock, threads, and what it gives up: sockets, and
//! core dumps.

pub(crate) mod core_dumps;
pub(crate) mod machine;
pub(crate) mod no_sockets;
pub(crate) mod signals;
pub(crate) mod threads;
