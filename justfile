# Everything that CI checks.
check:
    .ci/run

# Many clients and a browser on a real chat model.
deep:
    .ci/deep

# The tests alone.
test *ARGS:
    cargo test --workspace {{ARGS}}

# Formats every file.
fmt:
    cargo fmt --all

# Runs one fuzz target for ten minutes; `just fuzz gguf`. Needs `cargo install cargo-fuzz`.
fuzz TARGET SECONDS="600":
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{TARGET}} -- -max_total_time={{SECONDS}}

# Measures this engine against candle-transformers on one GGUF file, side by side.
versus-candle MODEL *ARGS:
    cargo build --release -p stack && cargo build --release -p stack-benches --features candle
    target/release/versus-candle {{MODEL}} {{ARGS}}

# Builds the book into target/book. Needs `cargo install mdbook`.
book:
    mdbook build book
