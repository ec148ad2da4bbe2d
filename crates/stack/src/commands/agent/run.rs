//! `stack agent run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint, value_parser};
use stack_agent::kernel::Start;
use stack_agent::limits::{Limits, TASK_BYTES};
use stack_agent::policy::Mode;
use stack_agent::session::{SessionError, SessionRunner};
use stack_agent::toolbox::{self, TOOLS};
use stack_audit::StreamId;

use super::policy_file::PolicyFile;
use super::report;
use super::world::SessionArguments;
use crate::error::{CommandError, Kind};
use crate::models::choice::ModelArgument;
use crate::process::machine;
use crate::terminal::{input, units};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What is to be done
    #[arg(long, value_name = "TEXT", required_unless_present = "task_file", conflicts_with = "task_file")]
    task: Option<String>,
    /// A file that says it; `-` is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    task_file: Option<PathBuf>,
    /// The folder that tools work in, and never outside of it
    #[arg(short, long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    workspace: PathBuf,
    /// What it may do at all: agent (all tools), plan (reading, and Markdown below plans/), ask (reading)
    #[arg(long, value_name = "MODE", default_value = "agent", value_parser = mode)]
    mode: Mode,
    /// Only these tools
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = tool)]
    tools: Vec<&'static str>,
    /// Rules that allow, ask or deny [default: agent/policy.toml of the home, if there]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    policy: Option<PathBuf>,
    /// Take what lies in the workspace for text of people who are trusted; otherwise what the model has read makes writing
    /// ask more often
    #[arg(long)]
    trust_workspace: bool,
    /// End at the first call that fails or is denied
    #[arg(long)]
    strict: bool,
    /// Calls of the model at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u64).range(1..=1000))]
    max_steps: u64,
    /// Calls of tools at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u64).range(0..=5000))]
    max_calls: u64,
    /// Tokens read and written at most
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = value_parser!(u64).range(1..=100_000_000))]
    token_limit: u64,
    /// Time at most; waiting for people is free
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = units::parse_duration)]
    max_time: Duration,
    #[command(flatten)]
    pub(super) session: SessionArguments,
}

/// Runs a session.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let session = &arguments.session;
    // Everything that may be wrong is looked at before a model is loaded.
    let model = session.model.clone().unwrap_or_else(|| ModelArgument::from(OsString::from("default")));
    session.access.audit()?.writable()?;
    let workspace = session.workspace(&arguments.workspace)?;
    let start = arguments.start(&model, workspace.path().display().to_string())?;
    let ready = session.load(&model)?;
    let mut id = [0; 16];
    machine::random()?(&mut id);
    let ended =
        session.run(&ready, &workspace, None, |world| SessionRunner::start(world, StreamId(id), &start))?;
    report::outcome(&ended, session.json, session.quiet)
}

impl Arguments {
    fn start(&self, model: &ModelArgument, workspace: String) -> Result<Start, CommandError> {
        let task = match (&self.task, &self.task_file) {
            (Some(task), _) => task.clone(),
            (None, Some(file)) => input::text(file)?,
            (None, None) => String::new(),
        };
        if task.trim().is_empty() {
            return Err(CommandError::new(Kind::Usage, "the task is empty")
                .hint("say what is to be done with --task"));
        }
        if task.len() > TASK_BYTES {
            return Err(SessionError::TaskTooLong.into());
        }
        let time_s = self.max_time.as_secs();
        if !(1..=86_400).contains(&time_s) {
            return Err(
                CommandError::new(Kind::Usage, "--max-time is from 1s to 24h").hint("such as --max-time 15m")
            );
        }
        let chosen = |name: &&str| self.tools.is_empty() || self.tools.contains(name);
        let offered = TOOLS.iter().filter(|tool| tool.is_offered(self.mode)).map(|tool| tool.name);
        let tools: Vec<String> = offered.filter(|name| chosen(name)).map(str::to_owned).collect();
        let policy = PolicyFile::read(self.policy.as_deref(), &self.session.access.home()?)?.policy;
        Ok(Start {
            task,
            model: model.text().into_owned(),
            workspace,
            mode: self.mode,
            limits: Limits {
                steps: self.max_steps,
                tool_calls: self.max_calls,
                tokens: self.token_limit,
                time_s,
            },
            policy: policy.to_json(),
            tools,
            strict: self.strict,
            trusts_workspace: self.trust_workspace,
        })
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::from_name(text).ok_or_else(|| "expected agent, plan or ask".to_owned())
}

fn tool(name: &str) -> Result<&'static str, String> {
    let found = toolbox::find(name).map(|tool| tool.name);
    found.ok_or_else(|| "there is no such tool; `stack tools list` shows them".to_owned())
}
