//! `stack serve`: models over HTTP.

mod web;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use clap::Args;
use stack_chat::ModelCard;
use stack_engine::engine::EngineOptions;
use stack_engine::load::Loaded;
use stack_server::{Limits, Models, Options, Served, router, serve};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

use self::web::WebArguments;
use crate::access::AccessArguments;
use crate::command_error::{CommandError, Kind};
use crate::model_path::ModelPath;
use crate::options::EngineArguments;
use crate::output::talk;
use crate::threads::Work;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Serve this model, a GGUF file or a folder; may be given several times. Without it, the default model
    #[arg(short, long, value_name = "MODEL")]
    model: Vec<ModelPath>,
    /// Listen on this address
    #[arg(long, default_value = "127.0.0.1", value_parser = address)]
    host: IpAddr,
    /// Listen on this port; 0 takes a free one
    #[arg(long, default_value_t = 8084)]
    port: u16,
    #[command(flatten)]
    web: WebArguments,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
    #[command(flatten)]
    access: AccessArguments,
}

impl Arguments {
    /// How much there is to compute.
    pub(crate) fn work(&self) -> Work {
        let tiny = self.model.iter().all(|model| matches!(model, ModelPath::BuiltIn));
        if tiny { Work::Tiny } else { Work::Unknown }
    }
}

/// A model that is to be served, and under which name.
struct Wanted {
    id: String,
    path: ModelPath,
}

/// How models are loaded.
struct Loading {
    options: EngineOptions,
    access: AccessArguments,
}

/// Serves until a signal comes, or until no model could be loaded.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    if !arguments.host.is_loopback() {
        let message =
            format!("to listen on {} would let everybody on the network use the models", arguments.host);
        return Err(CommandError::new(Kind::Refused, message).hint(
            "there are no keys yet to tell who may; listen on 127.0.0.1, behind a proxy that checks callers",
        ));
    }
    let options = arguments.engine.options()?;
    let paths = if arguments.model.is_empty() { vec![ModelPath::BuiltIn] } else { arguments.model.clone() };
    let web = arguments.web.options(paths.len())?;
    for path in &paths {
        // A wrong name should not have to wait for the models before it.
        path.check(&arguments.access)?;
    }
    let wanted = ids(&paths).into_iter().zip(paths).map(|(id, path)| Wanted { id, path }).collect();
    let address = SocketAddr::new(arguments.host, arguments.port);
    runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CommandError::new(Kind::Machine, "the program cannot start its threads").caused(error)
        })?
        .block_on(listen(address, web, wanted, Loading { options, access: arguments.access.clone() }))
}

async fn listen(
    address: SocketAddr,
    web: Options,
    wanted: Vec<Wanted>,
    loading: Loading,
) -> Result<(), CommandError> {
    let failed = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege; choose another with --port"
            }
            _ => "choose another port with --port; 0 takes a free one",
        };
        CommandError::new(Kind::Machine, format!("cannot listen on {address}")).caused(error).hint(hint)
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let (mut stop, mut stop_now) = (Signals::new().map_err(failed)?, Signals::new().map_err(failed)?);
    talk(format!("listening on http://{}", listener.local_addr().map_err(failed)?));

    let models = Arc::new(Models::starting(wanted.iter().map(|model| &model.id)));
    let router = router(Arc::clone(&models), web);
    let (give_up, hopeless) = oneshot::channel();
    thread::Builder::new()
        .name("stack-load".to_owned())
        .spawn(move || load_all(&models, &wanted, &loading, give_up))
        .map_err(failed)?;

    let mut problem = None;
    let shutdown = async {
        tokio::select! {
            Ok(error) = hopeless => problem = Some(error),
            () = stop.next() => talk("stopping; what runs is finished first (a second signal stops at once)"),
        }
    };
    let second = async {
        stop_now.next().await;
        stop_now.next().await;
    };
    tokio::select! {
        served = serve(listener, router, Limits::default(), shutdown) => served.map_err(failed)?,
        () = second => return Err(CommandError::new(Kind::Interrupted, "stopped at once")),
    }
    problem.map_or(Ok(()), Err)
}

/// Loads one model after the other. A server without any model is of no use, so then it is told to give up.
fn load_all(models: &Models, wanted: &[Wanted], loading: &Loading, give_up: oneshot::Sender<CommandError>) {
    let mut failures = Vec::new();
    for Wanted { id, path } in wanted {
        let started = Instant::now();
        match loading.load(id, path) {
            Ok(served) => {
                models.ready(served);
                talk(format!("the model {id} is ready after {:.1} s", started.elapsed().as_secs_f64()));
            }
            Err(error) => {
                models.failed(id);
                failures.push(error);
            }
        }
    }
    let reason = if failures.len() == wanted.len() { failures.pop() } else { None };
    failures.iter().for_each(CommandError::report);
    if let Some(reason) = reason {
        // The server may have been stopped in the meantime.
        let _stopped = give_up.send(reason);
    }
}

impl Loading {
    fn load(&self, id: &str, path: &ModelPath) -> Result<Served, CommandError> {
        let Loaded { card, chat, embedder, .. } = path.open(&self.access)?.load(&self.options)?;
        Ok(Served { id: id.to_owned(), card: ModelCard { id: id.to_owned(), ..card }, chat, embedder })
    }
}

/// Names models so that no two names are equal: by file, then by folder and file, then with a number.
fn ids(paths: &[ModelPath]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut ids = Vec::with_capacity(paths.len());
    for path in paths {
        let plain = path.id();
        let mut id = plain.clone();
        if taken.contains(&id)
            && let Some(folder) = path.folder()
        {
            id = format!("{folder}/{plain}");
        }
        let base = id.clone();
        let mut number = 2;
        while taken.contains(&id) {
            id = format!("{base}-{number}");
            number += 1;
        }
        taken.insert(id.clone());
        ids.push(id);
    }
    ids
}

/// Reads an address; `localhost` is one.
fn address(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse().map_err(|_| "expected an IP address, such as 127.0.0.1 or ::1".to_owned())
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn no_two_models_have_one_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, b"").unwrap();
            ModelPath::Path(path)
        };
        let (a, b) = (path("a/model.gguf"), path("b/model.gguf"));
        let ids = ids(&[a.clone(), b.clone(), b, ModelPath::BuiltIn, ModelPath::BuiltIn]);
        assert_eq!(ids, ["model", "b/model", "b/model-2", "default", "default-2"]);
    }

    #[test]
    fn hosts_are_addresses() {
        assert!(address("localhost").unwrap().is_loopback());
        assert!(address("::1").unwrap().is_loopback());
        assert!(!address("0.0.0.0").unwrap().is_loopback());
        assert!(address("example.org").is_err());
    }
}
