//! The commands by name, and the way from arguments to an exit code.

#[cfg(test)]
mod page;

use std::env;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use stack_engine::executor::DeviceKind;
use stack_registry::name::BadName;

use crate::commands::{
    adapters, adopt, agent, analyze, audit, auth, bench, circuit, completions, config, content, cp, decrypt,
    doctor, encrypt, export, gc, health, help, import, keygen, lineage, list, login, logits, oracle, policy,
    ps, pull, push, rekey, render, rm, route, run, serve, show, sign, stop, tokenize, tools, trust, verify,
    version, whoami,
};
use crate::error::{CommandError, Kind};
use crate::foreign;
use crate::process::no_sockets::{self, Sockets};
use crate::process::threads::{self, Workload};
use crate::terminal::report::{report, report_json};
use crate::terminal::{logs, progress};

/// Runs language models in this process; nothing leaves the machine.
#[derive(Debug, Parser)]
#[command(name = "stack", version = version::VERSION, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer a prompt, or talk on a terminal
    #[command(override_usage = "stack run [OPTIONS] [MODEL] [PROMPT]...")]
    Run(run::Arguments),
    /// Serve models over HTTP to OpenAI clients
    Serve(serve::Arguments),
    /// List the models that a running server has in memory
    Ps(ps::Arguments),
    /// Unload models from a running server
    Stop(stop::Arguments),
    /// List stored models
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show what is in a model
    Show(show::Arguments),
    /// Download a model from a hub, a registry or a URL
    Pull(pull::Arguments),
    /// Upload a model to a registry
    Push(push::Arguments),
    /// Give a model of the store a second name
    Cp(cp::Arguments),
    /// Remove models from the store
    Rm(rm::Arguments),
    /// Delete blobs that no stored model needs
    Gc(gc::Arguments),
    /// Write models to a package, to carry to another machine
    Export(export::Arguments),
    /// Read models from a package
    Import(import::Arguments),
    /// Register models of other programs, or files, in place
    Adopt(adopt::Arguments),
    /// Print the tokens of a text
    Tokenize(tokenize::Arguments),
    /// Print what a chat template makes of a conversation
    Render(render::Arguments),
    /// Print the logits after given tokens, to compare engines
    Logits(logits::Arguments),
    /// Measure the speed of a model
    Bench(bench::Arguments),
    /// Say what a repository is, how it is kept, and what it sends to whom
    Analyze(analyze::Arguments),
    /// Find the command for what you want to do
    Oracle(oracle::Arguments),
    /// Draft texts, and check them by rules
    Content(content::Arguments),
    /// Create an identity: a signing key and an encryption key
    Keygen(keygen::Arguments),
    /// Sign a model
    Sign(sign::Arguments),
    /// Verify a model's signatures and bytes
    Verify(verify::Arguments),
    /// Encrypt weights for chosen recipients
    Encrypt(encrypt::Arguments),
    /// Decrypt a sealed file or model
    Decrypt(decrypt::Arguments),
    /// Change who can open a sealed file or model
    Rekey(rekey::Arguments),
    /// Manage trusted signers
    Trust(trust::Arguments),
    /// Let a model work on a task with tools
    Agent(agent::Arguments),
    /// Show the tools that models may call
    Tools(tools::Arguments),
    /// Check and show the rules by which tools run
    Policy(policy::Arguments),
    /// Show, verify and export what was done
    Audit(audit::Arguments),
    /// Manage who may use a server of this machine
    Auth(auth::Arguments),
    /// Show and check what providers call otherwise
    Adapters(adapters::Arguments),
    /// Keep the API key for a server elsewhere, and ask that one from now on
    Login(login::Arguments),
    /// Forget the API key for a server elsewhere
    Logout(login::LogoutArguments),
    /// Show what the API key for a server allows
    Whoami(whoami::Arguments),
    /// Show who would be asked for a model, and why not the others
    Route(route::Arguments),
    /// Show, open, close and reset circuit breakers
    Circuit(circuit::Arguments),
    /// Ask whether providers answer, and show what is wrong with them
    Health(health::Arguments),
    /// List the providers of a running server
    Providers(health::Arguments),
    /// Show how an answer came about
    Lineage(lineage::Arguments),
    /// Show the hardware and the settings in effect
    Doctor(doctor::Arguments),
    /// Show and check the configuration
    Config(config::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Explain a command
    Help(help::Arguments),
    /// Print the version
    Version(version::Arguments),
}

/// Parses the arguments, runs the command and reports its error.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().collect();
    // Where the arguments make no sense, a look at them has to do.
    let looks_like_json = || arguments.iter().any(|argument| argument == "--json");
    let arguments = match foreign::translated(&arguments, &Cli::command()) {
        Ok(arguments) => arguments,
        Err(error) => return failed(&error, looks_like_json()),
    };
    let parsed = Cli::command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            if let Some(error) =
                bad_name(&error).or_else(|| foreign::explained(&error, &arguments, &Cli::command()))
            {
                return failed(&error, looks_like_json());
            }
            // Help and version come this way too. If they cannot be printed, nobody is there to be told.
            let _unheard = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Kind::Usage.exit_code()));
        }
    };
    logs::start();
    if has_flag(&matches, "quiet") {
        progress::be_quiet();
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| cli.command.run()));
    let result = outcome.unwrap_or_else(|_| {
        Err(CommandError::new(Kind::Bug, "internal error; the message above says where")
            .hint("please report this, with the command you ran"))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, wants_json(&matches)),
    }
}

/// Takes an argument that is no name or reference for the error that it is wherever a name is read.
fn bad_name(error: &clap::Error) -> Option<CommandError> {
    error.source()?.downcast_ref::<BadName>().cloned().map(CommandError::from)
}

/// Reports an error and returns its exit code.
fn failed(error: &CommandError, as_json: bool) -> ExitCode {
    if as_json {
        report_json(error);
    } else {
        report(error);
    }
    ExitCode::from(error.kind().exit_code())
}

/// Whether a program reads the output: then errors are JSON, too.
fn wants_json(matches: &ArgMatches) -> bool {
    has_flag(matches, "json")
}

/// Whether a flag is set that not all commands have.
fn has_flag(matches: &ArgMatches, name: &str) -> bool {
    let flag = |matches: &ArgMatches| matches!(matches.try_get_one::<bool>(name), Ok(Some(true)));
    std::iter::successors(Some(matches), |matches| Some(matches.subcommand()?.1)).any(flag)
}

impl Command {
    /// Whether it has a reason to open a socket.
    fn needs_sockets(&self) -> bool {
        match self {
            Self::Serve(_)
            | Self::Ps(_)
            | Self::Stop(_)
            | Self::Pull(_)
            | Self::Push(_)
            | Self::Login(_)
            | Self::Route(_)
            | Self::Circuit(_)
            | Self::Health(_)
            | Self::Providers(_)
            | Self::Lineage(_)
            | Self::Whoami(_) => true,
            Self::Doctor(arguments) => arguments.needs_sockets(),
            _ => false,
        }
    }

    /// How much there is to compute.
    fn work(&self) -> Workload {
        match self {
            Self::Run(arguments) => arguments.work(),
            Self::Serve(arguments) => arguments.work(),
            _ => Workload::Unknown,
        }
    }

    fn run(self) -> Result<(), CommandError> {
        let sockets = if self.needs_sockets() { Sockets::Possible } else { no_sockets::give_up() };
        let computing = match &self {
            Self::Run(run::Arguments { engine, .. }) | Self::Serve(serve::Arguments { engine, .. }) => {
                Some(&engine.compute)
            }
            Self::Logits(arguments) => Some(&arguments.compute),
            Self::Bench(arguments) => Some(&arguments.compute),
            Self::Agent(arguments) => arguments.compute(),
            _ => None,
        };
        if let Some(compute) = computing
            && (compute.device()? != DeviceKind::Cpu || matches!(self, Self::Serve(_)))
        {
            threads::settle_candle(compute.placement(self.work())?.threads)?;
        }
        match self {
            Self::Run(arguments) => run::run(&arguments),
            Self::Serve(arguments) => serve::run(&arguments),
            Self::Ps(arguments) => ps::run(&arguments),
            Self::Stop(arguments) => stop::run(&arguments),
            Self::List(arguments) => list::run(&arguments),
            Self::Show(arguments) => show::run(&arguments),
            Self::Pull(arguments) => pull::run(&arguments),
            Self::Push(arguments) => push::run(&arguments),
            Self::Cp(arguments) => cp::run(&arguments),
            Self::Rm(arguments) => rm::run(&arguments),
            Self::Gc(arguments) => gc::run(&arguments),
            Self::Export(arguments) => export::run(&arguments),
            Self::Import(arguments) => import::run(&arguments),
            Self::Adopt(arguments) => adopt::run(&arguments),
            Self::Tokenize(arguments) => tokenize::run(&arguments),
            Self::Render(arguments) => render::run(&arguments),
            Self::Logits(arguments) => logits::run(&arguments),
            Self::Bench(arguments) => bench::run(&arguments),
            Self::Analyze(arguments) => analyze::run(&arguments),
            Self::Oracle(arguments) => oracle::run(&arguments, &Cli::command()),
            Self::Content(arguments) => content::run(&arguments),
            Self::Keygen(arguments) => keygen::run(&arguments),
            Self::Sign(arguments) => sign::run(&arguments),
            Self::Verify(arguments) => verify::run(&arguments, sockets),
            Self::Encrypt(arguments) => encrypt::run(&arguments),
            Self::Decrypt(arguments) => decrypt::run(&arguments),
            Self::Rekey(arguments) => rekey::run(&arguments),
            Self::Trust(arguments) => trust::run(&arguments),
            Self::Agent(arguments) => agent::run(&arguments),
            Self::Tools(arguments) => tools::run(&arguments),
            Self::Policy(arguments) => policy::run(&arguments),
            Self::Audit(arguments) => audit::run(&arguments),
            Self::Auth(arguments) => auth::run(&arguments),
            Self::Adapters(arguments) => adapters::run(&arguments),
            Self::Login(arguments) => login::run(&arguments),
            Self::Logout(arguments) => login::logout(&arguments),
            Self::Whoami(arguments) => whoami::run(&arguments),
            Self::Route(arguments) => route::run(&arguments),
            Self::Circuit(arguments) => circuit::run(&arguments),
            Self::Health(arguments) => health::run(&arguments),
            Self::Providers(arguments) => health::list(&arguments),
            Self::Lineage(arguments) => lineage::run(&arguments),
            Self::Doctor(arguments) => doctor::run(&arguments),
            Self::Config(arguments) => config::run(&arguments),
            Self::Completions(arguments) => completions::run(&arguments, Cli::command()),
            Self::Help(arguments) => help::run(&arguments, Cli::command()),
            Self::Version(arguments) => version::run(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
