//! No TCP, no abstract sockets, and nothing written outside some folders.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope, path_beneath_rules,
};

/// Restricts the thread that asks, and all that it starts. A kernel that cannot refuse TCP restricts nothing; what newer
/// kernels refuse beside that is refused where they can.
pub(super) fn restrict(writable: &[PathBuf]) -> Result<(), RulesetError> {
    let devices = PathBuf::from("/dev");
    let writable = writable.iter().chain([&devices]);
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::AbstractUnixSocket)?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::from_read(NEWEST)))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(NEWEST)))?
        .restrict_self()?;
    Ok(())
}

/// The version of the interface whose rights are handled, where the kernel has them.
const NEWEST: ABI = ABI::V6;
