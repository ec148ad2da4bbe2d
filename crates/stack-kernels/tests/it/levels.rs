//! No instruction set is left out of the tests unnoticed.

use stack_kernels::Level;

/// All tests here loop over [`Level::available`]. `.ci/run` promises what the system says of the processor, in words
/// that are not ours.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no other way to be told of instruction sets")]
fn every_promised_level_is_tested() {
    let Ok(promised) = std::env::var("STACK_ISA_PROMISED") else {
        println!("SKIPPED: STACK_ISA_PROMISED promises no instruction set");
        return;
    };
    let tested: Vec<_> = Level::available().into_iter().map(Level::name).collect();
    for level in promised.split_whitespace() {
        assert!(tested.contains(&level), "{level} was promised, but {tested:?} are tested");
    }
}
