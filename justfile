# Everything that CI checks.
check:
    .ci/run

# What takes too long for every change: clients and a browser on a real chat model, the book, cargo-deny, fuzzing.
deep:
    .ci/deep

# The tests alone.
test *ARGS:
    cargo test --workspace {{ARGS}}

# Formats every file.
fmt:
    cargo fmt --all

# Runs one fuzz target for ten minutes; `just fuzz gguf`. Needs a C++ compiler.
fuzz TARGET SECONDS="600":
    .ci/fuzz {{SECONDS}} {{TARGET}}

# Measures this engine against candle-transformers on one GGUF file, side by side.
versus-candle MODEL *ARGS:
    cargo build --release -p stack && cargo build --release -p stack-benches --features candle
    target/release/versus-candle {{MODEL}} {{ARGS}}

# Builds the book into target/book. Needs `cargo install mdbook`.
book:
    mdbook build book
