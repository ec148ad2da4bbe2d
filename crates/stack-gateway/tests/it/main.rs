//! Providers as the rest of the program sees them: scripted servers on this machine, asked through the real transport.

#![expect(clippy::unwrap_used, reason = "a helper that fails must fail the test")]

mod answers;
mod egress;
mod failover;
mod faults;
mod retries;
mod routing;
mod support;
mod tls;
