//! `stack serve`: models over HTTP.

mod file_watch;
mod keys;
mod listen;
mod loading;
mod lockdown;
mod residency;
mod tls;
mod web;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use std::{io, thread};

use clap::{Args, ValueHint};
use serde_json::{Value, json};
use stack_chat::Tier;
use stack_server::{Limits, Listener, Models, Options, Tls, router, serve};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

pub(crate) use self::file_watch::FileWatch;
pub(crate) use self::listen::{ListenArguments, ServerArguments};
use self::loading::{Loading, StoredModels};
use self::residency::ResidencyArguments;
use self::tls::{TlsArguments, TlsFiles};
pub(crate) use self::web::WebArguments;
use crate::adapters::AdapterKeeper;
use crate::audit::{Act, ActKind};
use crate::config::{Config, PrivacyArguments, aliases};
use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::ModelArgument;
use crate::models::lent::LentModels;
use crate::models::operations::Operations;
use crate::models::path::{FoundModel, locate};
use crate::models::prefixes::PrefixFolder;
use crate::models::providers::ConfiguredProviders;
use crate::models::served::Plan;
use crate::options::{EngineArguments, SamplingArguments};
use crate::process::threads::Workload;
use crate::terminal::output::{sanitize, stderr};
use crate::terminal::report::report;
use stack_registry::choice::{ModelPath, Spelling};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Serve these models: names of the store, GGUF files, folders or addresses. Without any, the default model. Other models
    /// of the store are loaded when a request names them
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath, conflicts_with = "model")]
    models: Vec<ModelArgument>,
    /// Serve this model; may be given several times
    #[arg(short, long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    model: Vec<ModelArgument>,
    /// Serve it under this name; of several models, one for each, in their order
    #[arg(short, long, value_name = "NAME", alias = "served-model-name", value_delimiter = ',')]
    alias: Vec<String>,
    #[command(flatten)]
    listen: ListenArguments,
    #[command(flatten)]
    tls: TlsArguments,
    #[command(flatten)]
    web: WebArguments,
    #[command(flatten)]
    residency: ResidencyArguments,
    /// Keep computed beginnings of prompts in this folder while the server does not run: what was asked can be read there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    prefix_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
    #[command(flatten, next_help_heading = "Where a request says nothing")]
    sampling: SamplingArguments,
    #[command(flatten)]
    privacy: PrivacyArguments,
    #[command(flatten)]
    access: AccessArguments,
}

impl Arguments {
    /// How much there is to compute.
    pub(crate) fn work(&self) -> Workload {
        let tiny = self.given().all(|model| matches!(model.spelling(), Spelling::BuiltIn));
        if tiny { Workload::Tiny } else { Workload::Unknown }
    }

    /// The models, in the order in which they were given.
    fn given(&self) -> impl Iterator<Item = &ModelArgument> {
        self.models.iter().chain(&self.model)
    }
}

/// A model that is to be served, held where it is until it is loaded.
struct Found {
    model: FoundModel,
    /// The names by which requests select it; at least one.
    ids: Vec<String>,
}

/// Serves until a signal comes, or until no model could be loaded.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.access.home()?;
    let config = Config::read(&home)?;
    let address = arguments.listen.address(&config.server)?;
    let addresses: Vec<_> =
        [address.value].into_iter().chain(arguments.listen.second(address.value)).collect();
    let auth = keys::auth(&home, &config.server.auth, &address)?;
    let tls = arguments.tls.files(&config.server.tls);
    let tls = tls.map(|files| Ok::<_, CommandError>((files.open()?, files))).transpose()?;
    if tls.is_none() && !address.value.ip().is_loopback() {
        stderr(
            "warning: keys, prompts and answers travel in clear; [server.tls] encrypts them, or a proxy in front",
        );
    }
    let policy = arguments.privacy.policy(&config)?;
    let options = arguments.engine.options(arguments.work())?;
    let mut paths = arguments.given().map(|model| model.find(&home)).collect::<Result<Vec<_>, _>>()?;
    if paths.is_empty() {
        paths.push(ModelPath::BuiltIn);
    }
    let web = arguments.web.options(&config.server, paths.len())?;
    let web = Options { requests_max: options.queue_max, auth, ..web };
    let Plan { wanted, repeated } = Plan::new(&paths, &arguments.alias)?;
    // A wrong name should not have to wait for the models before it.
    let named: Vec<(String, ModelPath)> = wanted
        .iter()
        .flat_map(|wanted| wanted.ids.iter().map(|id| (id.clone(), wanted.path.clone())))
        .collect();
    let models = Models::starting(named.iter().map(|(id, _)| id.as_str()));
    let found =
        wanted.into_iter().map(|wanted| Ok(Found { model: locate(&wanted.path, &home)?, ids: wanted.ids }));
    let found = found.collect::<Result<Vec<_>, CommandError>>()?;
    for id in repeated {
        stderr(format!("note: {id} is given more than once, and is loaded and served once"));
    }
    if home.known().is_none() {
        stderr("note: neither STACK_HOME nor HOME is set, so there is no store and no trust policy");
    }
    let draft = arguments.engine.draft(&home)?;
    if draft.is_some() && found.len() != 1 {
        let message = format!("--draft guesses for one model, and {} are given", found.len());
        return Err(
            CommandError::new(Kind::Usage, message).hint("start a server for each, with its own draft model")
        );
    }
    let (access, sampling) = (arguments.access.clone(), arguments.sampling.clone());
    let prefixes = arguments.prefix_dir.as_deref().map(PrefixFolder::new);
    let loading = Loading { options, access, sampling, draft, prefixes };
    let models = match arguments.residency.limits() {
        None => models,
        Some(limits) => models.with_library(Arc::new(StoredModels::new(&loading, named)), limits),
    };
    let listeners = addresses.iter().map(|address| bind(*address)).collect::<Result<Vec<_>, _>>()?;
    let tier = policy.tier;
    // From here on, the kernel holds the server to the tier. No thread has been started yet.
    let lockdown = match tier {
        Tier::Sovereign => Some(lockdown::sovereign(&config, &home, arguments.prefix_dir.as_deref())?.name()),
        Tier::Private | Tier::Standard => None,
    };
    let web = Options { lockdown, ..web };
    let audit = arguments.access.audit()?;
    let aliases = aliases(&config.aliases);
    let adapters = AdapterKeeper::start(&home, audit.egress());
    let in_force = adapters.in_force();
    let providers =
        ConfiguredProviders::new(&config.providers, aliases, &home, policy, audit.egress(), in_force)?;
    providers.notes().for_each(|note| stderr(sanitize(&note)));
    let gateway = Arc::clone(providers.gateway());
    let models = Arc::new(models.with_providers(Arc::new(providers)));
    gateway.lend_engine(Arc::new(LentModels::of(&models)));
    let control = Operations::new(gateway, &home)?;
    let web = Options { control: Some(Arc::new(control)), ..web };
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        CommandError::new(Kind::Machine, "the program cannot start its threads").caused(error)
    })?;
    let about = json!({
        "addresses": addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
        "models": found.iter().map(|found| &found.ids).collect::<Vec<_>>(),
        "tls": tls.is_some(),
        "keys_required": web.auth.as_ref().is_some_and(|auth| auth.required),
        "lockdown": lockdown,
    });
    audit.record(Act::new(ActKind::SERVE, about).at_tier(tier), || {
        runtime.block_on(listen(listeners, tls, web, models, adapters, (found, loading)))?;
        Ok(((), Value::Null))
    })
}

async fn listen(
    bound: Vec<std::net::TcpListener>,
    tls: Option<(Tls, TlsFiles)>,
    web: Options,
    models: Arc<Models>,
    adapters: AdapterKeeper,
    (found, loading): (Vec<Found>, Loading),
) -> Result<(), CommandError> {
    let failed = |error: io::Error| CommandError::new(Kind::Machine, "the server cannot run").caused(error);
    let listeners = bound.into_iter().map(TcpListener::from_std).collect::<Result<Vec<_>, _>>();
    let listeners = listeners.map_err(failed)?;
    let (mut stop, mut stop_now) = (Signals::new().map_err(failed)?, Signals::new().map_err(failed)?);
    for listener in &listeners {
        let scheme = if tls.is_some() { "https" } else { "http" };
        stderr(format!("listening on {scheme}://{}", listener.local_addr().map_err(failed)?));
    }

    tokio::spawn(Arc::clone(&models).tend());
    tokio::spawn(adapters.follow(FileWatch::new()));
    let tls = tls.map(|(tls, files)| {
        tokio::spawn(files.follow(tls.clone()));
        tls
    });
    let router = router(Arc::clone(&models), web);
    let (give_up, hopeless) = oneshot::channel();
    thread::Builder::new()
        .name("stack-load".to_owned())
        .spawn(move || load_all(&models, found, &loading, give_up))
        .map_err(failed)?;

    let mut problem = None;
    let shutdown = async {
        tokio::select! {
            Ok(error) = hopeless => problem = Some(error),
            () = stop.next() => stderr("stopping after running requests finish (press Ctrl-C again to stop now)"),
        }
    };
    // All listeners end together.
    let (stopping, stopped) = watch::channel(false);
    let mut servers = JoinSet::new();
    for listener in listeners {
        let listener = match &tls {
            Some(tls) => Listener::encrypted(listener, tls.clone()),
            None => Listener::from(listener),
        };
        let (router, mut stopped) = (router.clone(), stopped.clone());
        let shutdown = async move {
            // The sender lives until all have ended.
            let _ended = stopped.wait_for(|&is_over| is_over).await;
        };
        servers.spawn(serve(listener, router, Limits::default(), shutdown));
    }
    let served = async {
        shutdown.await;
        stopping.send_replace(true);
        while let Some(ended) = servers.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        io::Result::Ok(())
    };
    let second = async {
        stop_now.next().await;
        stop_now.next().await;
    };
    tokio::select! {
        served = served => served.map_err(failed)?,
        () = second => return Err(CommandError::new(Kind::Interrupted, "stopped at once")),
    }
    problem.map_or(Ok(()), Err)
}

/// Listens before there is a runtime with threads: a locked down process opens no listeners.
fn bind(address: SocketAddr) -> Result<std::net::TcpListener, CommandError> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build();
    let bound = runtime.and_then(|runtime| {
        let bound = runtime.block_on(TcpListener::bind(address))?;
        bound.into_std()
    });
    bound.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose another with --port",
            _ => "choose another port with --port; 0 picks a free one",
        };
        CommandError::new(Kind::Machine, format!("cannot listen on {address}")).caused(error).hint(hint)
    })
}

/// Loads one model after the other. A server without any model is of no use, so then it is told to give up.
fn load_all(models: &Models, found: Vec<Found>, loading: &Loading, give_up: oneshot::Sender<CommandError>) {
    let (mut failures, count) = (Vec::new(), found.len());
    for Found { model, ids } in found {
        let started = Instant::now();
        match loading.load(model, &ids) {
            Ok(served) => {
                served.into_iter().for_each(|served| models.ready(served));
                let ids = ids.join(" and ");
                stderr(format!("{ids} is ready, loaded in {:.1} s", started.elapsed().as_secs_f64()));
            }
            Err(error) => {
                ids.iter().for_each(|id| models.failed(id));
                failures.push(error);
            }
        }
    }
    let reason = if failures.len() == count { failures.pop() } else { None };
    failures.iter().for_each(report);
    if let Some(reason) = reason {
        // The server may have been stopped in the meantime.
        let _stopped = give_up.send(reason);
    }
}

/// The signals that ask a server to end. Each value counts the signals since it was made.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Elsewhere there is only Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Without the signal, the program is ended by other means.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
