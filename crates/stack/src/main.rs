//! Runs language models in its own process, proves which model it runs, and decides what may leave the machine.

fn main() {}
