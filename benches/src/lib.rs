//! Benchmarks, and the side-by-side harness against other engines. Each is a binary of its own, behind the feature of its peer.
