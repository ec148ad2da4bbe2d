//! Vector kernels on slices, with run-time dispatch and a scalar twin of each.
