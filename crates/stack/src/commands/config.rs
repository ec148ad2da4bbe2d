//! `stack config`: the configuration, with the origin of each value.

use std::fmt::Display;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use stack_trust::home::Home;

use super::serve::{ListenArguments, WebArguments};
use crate::config::{Config, Effective, Origin, PrivacyArguments, Setting};
use crate::error::{CommandError, Kind};
use crate::home::HomeArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every setting, its value and who set it
    Show(Common),
    /// Check the file and list every problem in it
    Check(Common),
    /// Print where the file is, or would be
    Path(Common),
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    home: HomeArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One setting, for people and programs.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    value: Value,
    origin: String,
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Show(common) => show(common),
        Action::Check(common) => check(common),
        Action::Path(common) => path(common),
    }
}

fn show(common: &Common) -> Result<(), CommandError> {
    let rows = rows(&Config::read(&common.home.home()?)?)?;
    let mut data = Data::new();
    if common.json {
        return data.json(&json!({ "settings": rows }));
    }
    for Row { key, value, origin } in rows {
        // As TOML writes it, which for these values is as JSON does.
        data.line(&sanitize(&format!("{key:<24} {:<28} {origin}", value.to_string())))?;
    }
    Ok(())
}

/// The effective values of a command without options.
fn rows(config: &Config) -> Result<Vec<Row>, CommandError> {
    let Effective { tier, offline, hosts } = PrivacyArguments::default().effective(&config.privacy)?;
    let listen = ListenArguments::default();
    let (host, port) = (listen.host(&config.server)?, listen.port(&config.server)?);
    let mut rows = vec![
        row("privacy.tier", tier, |tier| tier.name().into()),
        row("privacy.offline", offline, Value::from),
        row("privacy.hosts", hosts, texts),
        row("privacy.lockdown", config.privacy.lockdown(), |level| level.name().into()),
        row("server.host", host, |host| host.to_string().into()),
        row("server.port", port, Value::from),
        row("server.cors", or_none(config.server.cors.clone()), texts),
        row("server.host_names", or_none(config.server.host_names.clone()), texts),
        row("server.stored_responses", WebArguments::default().stored_responses(&config.server), Value::from),
        row("server.auth.required", or(config.server.auth.required.clone(), false), Value::from),
        row("server.tls.certificate", path_or_none(config.server.tls.certificate.as_ref()), Value::from),
        row("server.tls.key", path_or_none(config.server.tls.key.as_ref()), Value::from),
        row("audit.enabled", config.audit.enabled(), Value::from),
        row("audit.required", config.audit.required(), Value::from),
        row("audit.anchors", config.audit.places(), texts),
        row("audit.anchor_command", config.audit.anchor_command(), texts),
        row("audit.payload_days", config.audit.payload_days(), Value::from),
    ];
    for provider in &config.providers {
        let key = |key: &str| format!("providers.{}.{key}", provider.name);
        rows.push(row(&key("kind"), provider.kind.clone(), |kind| kind.name().into()));
        rows.push(row(&key("base"), provider.base.clone(), |base| base.to_string().into()));
        rows.push(row(&key("models"), provider.models.clone(), texts));
        rows.extend(provider.key.clone().map(|name| row(&key("key"), name, |name| name.to_string().into())));
    }
    for alias in &config.aliases {
        rows.push(row(&format!("aliases.{}.candidates", alias.name), alias.candidates.clone(), texts));
    }
    Ok(rows)
}

fn row<T>(key: &str, setting: Setting<T>, value: impl Fn(T) -> Value) -> Row {
    Row { key: key.to_owned(), value: value(setting.value), origin: setting.origin.to_string() }
}

fn texts<T: Display>(items: Vec<T>) -> Value {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn or<T>(setting: Option<Setting<T>>, default: T) -> Setting<T> {
    setting.unwrap_or(Setting::new(default, Origin::Default))
}

fn path_or_none(setting: Option<&Setting<PathBuf>>) -> Setting<Option<String>> {
    setting.map_or(Setting::new(None, Origin::Default), |setting| {
        Setting::new(Some(setting.value.display().to_string()), setting.origin)
    })
}

fn or_none<T>(list: Option<Setting<Vec<T>>>) -> Setting<Vec<T>> {
    list.unwrap_or(Setting::new(Vec::new(), Origin::Default))
}

fn check(common: &Common) -> Result<(), CommandError> {
    let home = common.home.home()?;
    let file = file(&home)?;
    let mut data = Data::new();
    let problems = Config::problems(&home);
    if !common.json {
        for problem in &problems {
            data.line(&sanitize(&problem.to_string()))?;
        }
    }
    // What the environment says may contradict the file.
    rows(&Config::read(&home)?)?;
    if common.json {
        return data.json(&json!({ "path": file, "ok": true }));
    }
    data.line(&format!("{file}: ok"))
}

fn path(common: &Common) -> Result<(), CommandError> {
    let file = file(&common.home.home()?)?;
    let mut data = Data::new();
    if common.json { data.json(&json!({ "path": file })) } else { data.line(&file) }
}

fn file(home: &Home) -> Result<String, CommandError> {
    home.root()?;
    let path = Config::path(home).ok_or_else(|| CommandError::new(Kind::Usage, "no home folder"))?;
    Ok(path.display().to_string())
}
