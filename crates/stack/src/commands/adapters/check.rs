//! `stack adapters check`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::json;
use stack_gateway::{AdapterFault, AdapterProblem};
use stack_wire::provider::{Adapter, Recordings};

use crate::adapters::{AdapterFolder, SPEC_BYTES_MAX, read_file};
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Spec to check; the recordings that it names are built in, or lie in the folder `recordings` beside it
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    common: CommonArguments,
}

/// Says whether a server would take a spec, and if not, which rule it breaks and where.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { file, common } = arguments;
    let text =
        read_file(file, SPEC_BYTES_MAX).map_err(|error| CommandError::reading(file.display(), error))?;
    let mut recordings = Recordings::shipped();
    for (name, text) in AdapterFolder::around(file).recordings()? {
        recordings.add(&name, text);
    }
    let adapter = Adapter::load(&text, &recordings).map_err(|fault| {
        let (file, problem) = (file.display().to_string(), AdapterProblem::Spec(fault));
        let code = problem.name();
        CommandError::new(Kind::Malformed, AdapterFault { file, problem }.to_string()).reason(code)
    })?;
    let unexercised: Vec<_> =
        adapter.unexercised(&recordings).into_iter().map(|mismatch| mismatch.pointer).collect();
    let (provider, family) = (adapter.provider(), adapter.family().as_str());
    if common.json {
        return Data::new().json(&json!({
            "provider": provider,
            "family": family,
            "version": adapter.version(),
            "examples": adapter.examples().collect::<Vec<_>>(),
            "unexercised": unexercised,
        }));
    }
    for pointer in &unexercised {
        common.stderr(format!("note: no example needs the operation at {pointer}"));
    }
    let (version, count) = (adapter.version(), adapter.examples().count());
    let line =
        format!("version {version} for {provider} ({family}) breaks no rule and passes its {count} examples");
    Data::new().line(&sanitize(&line))
}
