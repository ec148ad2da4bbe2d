//! Puts a load on a server.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::client::{Answer, ask};
use crate::figures::Figures;
use crate::workload::Workload;

/// A load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) workload: Workload,
    /// Clients at once, in a closed loop.
    pub(crate) clients: usize,
    /// Conversations in all.
    pub(crate) requests: usize,
    /// Requests that arrive per second, in an open one.
    pub(crate) rate: Option<f64>,
}

impl Load {
    /// Puts it on a server, and measures.
    pub(crate) fn run(self, server: SocketAddr) -> Result<Figures> {
        let begun = Instant::now();
        let next = AtomicUsize::new(0);
        let clients = if self.rate.is_some() { self.requests } else { self.clients };
        let answers = thread::scope(|scope| {
            let client = || {
                let mut answers = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= self.requests {
                        return Ok(answers);
                    }
                    if let Some(rate) = self.rate {
                        let arrives = Duration::from_secs_f64(number as f64 / rate);
                        thread::sleep(arrives.saturating_sub(begun.elapsed()));
                    }
                    answers.extend(self.talk(server, number)?);
                }
            };
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
            let mut answers = Vec::new();
            for client in clients {
                let of_one: Result<Vec<Answer>> =
                    client.join().map_err(|_panicked| anyhow!("a client failed"))?;
                answers.extend(of_one?);
            }
            anyhow::Ok(answers)
        })?;
        Ok(Figures::new(&answers, begun.elapsed()))
    }

    /// Leads one conversation.
    fn talk(self, server: SocketAddr, number: usize) -> Result<Vec<Answer>> {
        let (mut said, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..self.workload.turns() {
            let (question, body) = self.workload.request(number, &said);
            let answer = ask(server, &body)?;
            said.push((question, answer.text.clone()));
            answers.push(answer);
        }
        Ok(answers)
    }
}
