//! `stack doctor`: what this machine has, and what would be used.

mod privacy;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use stack_engine::executor::{DeviceKind, Placement, PrefetchPolicy};
use stack_engine::load;
use stack_trust::home::Home;
use stack_trust::trust_file::TrustFolder;

use crate::config::Config;
use crate::error::CommandError;
use crate::home::{HomeArguments, history_file};
use crate::models::default_model;
use crate::options;
use crate::process::machine;
use crate::process::threads::{self, Workload};
use crate::terminal::output::{Data, sanitize};
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Look at this alone: what may leave the machine, and how tightly the system can hold a server
    topic: Option<Topic>,
    #[command(flatten)]
    home: HomeArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What can be looked at alone.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Topic {
    /// What may leave the machine
    Privacy,
}

impl Arguments {
    /// Whether names are looked up.
    pub(crate) fn needs_sockets(&self) -> bool {
        matches!(self.topic, Some(Topic::Privacy))
    }
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    commit: &'static str,
    processor: Processor,
    /// Threads that would compute.
    threads: usize,
    memory: Memory,
    devices: Vec<Device>,
    default_model: DefaultModel,
    folders: Folders,
    trust: TrustReport,
}

/// Where things are kept, or would be; `null` where neither an option nor the environment says it.
#[derive(Serialize)]
struct Folders {
    home: Option<String>,
    models: Option<String>,
    keys: Option<String>,
    configuration: Option<String>,
    history: Option<String>,
}

/// What may be loaded.
#[derive(Serialize)]
struct TrustReport {
    /// The level for models that no rule matches, files of this machine among them.
    default_level: Option<&'static str>,
    rules: usize,
    file: Option<String>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Processor {
    name: Option<String>,
    features: Vec<&'static str>,
    /// The instruction set that kernels use.
    isa: String,
    /// Whether kernels ask for weights ahead of their use, as measured now or as the environment says.
    prefetch: Option<&'static str>,
    physical_cores: Option<usize>,
    usable_threads: usize,
}

#[derive(Serialize)]
struct Memory {
    total_bytes: Option<u64>,
    available_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Device {
    name: String,
    built_in: bool,
    usable: bool,
    problem: Option<String>,
}

#[derive(Serialize)]
struct DefaultModel {
    id: &'static str,
    architecture: Option<String>,
    parameters: u64,
    size_bytes: u64,
}

/// Prints what was found.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.home.home()?;
    if let Some(Topic::Privacy) = arguments.topic {
        return privacy::run(&home, arguments.json);
    }
    let report = examine(&home)?;
    let mut data = Data::new();
    if arguments.json { data.json(&report) } else { print(&report, &mut data) }
}

fn examine(home: &Home) -> Result<Report, CommandError> {
    let model = load::open(default_model::files())?;
    let placement = Placement {
        level: options::level()?,
        threads: threads::count(None, Workload::Unknown),
        prefetch: options::prefetch()?,
        ..Placement::default()
    };
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("STACK_COMMIT"),
        processor: Processor {
            name: machine::processor(),
            features: machine::features(),
            isa: placement.level.to_string(),
            prefetch: placement.prefetch_policy().map(PrefetchPolicy::name),
            physical_cores: machine::physical_cores(),
            usable_threads: threads::usable(),
        },
        threads: placement.threads,
        memory: Memory { total_bytes: machine::memory_bytes(), available_bytes: machine::available_bytes() },
        devices: [DeviceKind::Cpu, DeviceKind::Cuda, DeviceKind::Metal].map(device).into(),
        default_model: DefaultModel {
            id: default_model::NAME,
            architecture: model.metadata().text("general.architecture").ok().flatten().map(str::to_owned),
            parameters: model.tensors().iter().map(|tensor| tensor.elements() as u64).sum(),
            size_bytes: model.size_bytes(),
        },
        folders: folders(home),
        trust: trust(home),
    })
}

fn device(kind: DeviceKind) -> Device {
    let problem = if kind.supported() {
        kind.open().err().map(|error| error.to_string())
    } else {
        Some("not included in this build".to_owned())
    };
    Device { name: kind.to_string(), built_in: kind.supported(), usable: problem.is_none(), problem }
}

fn folders(home: &Home) -> Folders {
    let shown = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
    Folders {
        home: shown(home.known().map(PathBuf::from)),
        models: shown(home.store().ok()),
        keys: shown(home.keys().ok()),
        configuration: shown(Config::path(home)),
        history: shown(history_file()),
    }
}

fn trust(home: &Home) -> TrustReport {
    let folder = TrustFolder::new(home);
    let file = folder.file().map(|path| path.display().to_string());
    match folder.policy() {
        Ok(policy) => TrustReport {
            default_level: Some(policy.level.name()),
            rules: policy.rules.len(),
            file,
            problem: None,
        },
        Err(error) => TrustReport { default_level: None, rules: 0, file, problem: Some(error.to_string()) },
    }
}

fn print(report: &Report, data: &mut Data) -> Result<(), CommandError> {
    let Report { processor, memory, default_model, .. } = report;
    let unknown = || "unknown".to_owned();
    let bytes = |bytes: Option<u64>| bytes.map_or_else(unknown, units::bytes);
    let features = if processor.features.is_empty() { unknown() } else { processor.features.join(" ") };
    let cores = processor.physical_cores.map_or_else(unknown, |cores| cores.to_string());
    data.line(&format!("version    {} ({})", report.version, report.commit))?;
    data.line(&format!("processor  {}", processor.name.clone().unwrap_or_else(unknown)))?;
    data.line(&format!("           {cores} cores, {} usable threads; {features}", processor.usable_threads))?;
    let prefetch = processor.prefetch.map(|policy| format!(", {policy} prefetch")).unwrap_or_default();
    data.line(&format!("           kernels for {}{prefetch}", processor.isa))?;
    data.line(&format!("threads    {} by default", report.threads))?;
    let (total, available) = (bytes(memory.total_bytes), bytes(memory.available_bytes));
    data.line(&format!("memory     {total}, {available} of it available"))?;
    for device in &report.devices {
        let state = device.problem.as_deref().unwrap_or("usable");
        data.line(&format!("device     {}: {state}", device.name))?;
    }
    let Folders { home, models, keys, configuration, history } = &report.folders;
    let folders = [
        ("home", home),
        ("models", models),
        ("keys", keys),
        ("trust", &report.trust.file),
        ("config", configuration),
        ("history", history),
    ];
    for (name, path) in folders {
        let path = path.as_deref().unwrap_or("none: neither STACK_HOME nor HOME is set");
        data.line(&sanitize(&format!("{name:<10} {path}")))?;
    }
    let TrustReport { default_level, rules, problem, .. } = &report.trust;
    match (default_level, problem) {
        (Some(level), _) => data.line(&format!(
            "policy     {level} for models that no rule matches, local files among them; {rules} rules"
        ))?,
        (None, problem) => {
            let problem = problem.as_deref().unwrap_or("cannot be read");
            data.line(&format!("policy     nothing may be loaded: {problem}"))?;
        }
    }
    data.line(&format!(
        "default    {}, {} weights, {}",
        default_model.architecture.as_deref().unwrap_or("unknown"),
        units::count(default_model.parameters),
        units::bytes(default_model.size_bytes),
    ))
}
