//! The process itself and the machine under it: environment, clock, threads, and what it gives up: sockets,
//! core dumps, and under the tier sovereign every way to reach another machine.

pub(crate) mod core_dumps;
pub(crate) mod lockdown;
pub(crate) mod machine;
pub(crate) mod no_sockets;
pub(crate) mod signals;
pub(crate) mod threads;
