//! Benchmarks, and the side-by-side harness against other engines.
