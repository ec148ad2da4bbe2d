//! Makes the default model: generates its text, trains tokenizer and weights, writes the GGUF.

fn main() {}
