//! `stack doctor privacy`: what may leave this machine, and how tightly the system can hold a server.

use std::net::IpAddr;

use serde::Serialize;
use stack_chat::{Class, Tier};
use stack_gateway::privacy::{EgressPolicy, EgressRequest, HostPattern, Purpose};
use stack_gateway::provider::ProviderOptions;
use stack_gateway::transport::look_up;
use stack_trust::home::Home;

use crate::config::{Config, Effective, PrivacyArguments};
use crate::error::{CommandError, Kind};
use crate::process::lockdown::{self, Lockdown, LockdownLevel};
use crate::terminal::output::{Data, sanitize};

/// What may leave, and what holds it back.
#[derive(Serialize)]
struct Report {
    tier: &'static str,
    /// Who set it.
    tier_origin: String,
    offline: bool,
    lockdown: LockdownReport,
    providers: Vec<ProviderReport>,
    hosts: Vec<HostReport>,
}

#[derive(Serialize)]
struct LockdownReport {
    /// What a sovereign server demands.
    required: &'static str,
    /// What the system provides.
    level: &'static str,
    namespace: Option<String>,
    landlock: Option<String>,
    seccomp: Option<String>,
}

/// Where the answers of a provider come from, by tier; `null` where it is not asked.
#[derive(Serialize)]
struct ProviderReport {
    name: String,
    base: String,
    sovereign: Option<&'static str>,
    private: Option<&'static str>,
    standard: Option<&'static str>,
}

/// A listed host, and what its name leads to.
#[derive(Serialize)]
struct HostReport {
    host: String,
    addresses: Vec<IpAddr>,
    problem: Option<String>,
}

/// Prints it.
///
/// # Errors
///
/// When the system cannot hold a server as tightly as the configuration demands.
pub(super) fn run(home: &Home, json: bool) -> Result<(), CommandError> {
    let config = Config::read(home)?;
    let arguments = PrivacyArguments::default();
    let Effective { tier, offline, .. } = arguments.effective(&config.privacy)?;
    let policy = arguments.policy(&config)?;
    let providers = config.providers.iter().map(|section| provider(&policy, &section.options())).collect();
    let hosts = hosts(&policy)?;
    let required = config.privacy.lockdown().value;
    // The last thing that this process does with the system: the walls stay.
    let walls = lockdown::enter(&[])?;
    let report = Report {
        tier: tier.value.name(),
        tier_origin: tier.origin.to_string(),
        offline: offline.value,
        lockdown: lockdown_report(required, &walls),
        providers,
        hosts,
    };
    let mut data = Data::new();
    if json {
        data.json(&report)?;
    } else {
        print(&report, &mut data)?;
    }
    walls.meets(required).map(|_level| ())
}

/// Asks the policy about a provider, under each tier.
fn provider(policy: &EgressPolicy, options: &ProviderOptions) -> ProviderReport {
    let class = |tier| {
        let policy = EgressPolicy { tier, ..policy.clone() };
        let purpose = Purpose::Provider { name: &options.name, model: "", plaintext: options.plaintext };
        let request = EgressRequest { origin: options.base.origin(), purpose, tier: None };
        policy.decide(&request).ok().map(Class::name)
    };
    ProviderReport {
        name: options.name.clone(),
        base: options.base.to_string(),
        sovereign: class(Tier::Sovereign),
        private: class(Tier::Private),
        standard: class(Tier::Standard),
    }
}

/// Looks up what listed names lead to, as far as somebody may be asked at all.
fn hosts(policy: &EgressPolicy) -> Result<Vec<HostReport>, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CommandError::new(Kind::Machine, "the program cannot start its threads").caused(error)
    })?;
    let may_ask = policy.tier > Tier::Sovereign && !policy.offline;
    let report = |pattern: &HostPattern| {
        let host = pattern.to_string();
        let found = match pattern.name() {
            Some(name) if may_ask => runtime.block_on(look_up(policy, name)),
            Some(_) => Err("nobody is asked under this tier".to_owned()),
            None => Err("stands for every name beneath it".to_owned()),
        };
        match found {
            Ok(addresses) => HostReport { host, addresses, problem: None },
            Err(problem) => HostReport { host, addresses: Vec::new(), problem: Some(problem) },
        }
    };
    Ok(policy.listed.iter().map(report).collect())
}

fn lockdown_report(required: LockdownLevel, walls: &Lockdown) -> LockdownReport {
    let problem = |wall: &Result<(), String>| wall.as_ref().err().cloned();
    LockdownReport {
        required: required.name(),
        level: walls.level().name(),
        namespace: problem(&walls.namespace),
        landlock: problem(&walls.landlock),
        seccomp: problem(&walls.seccomp),
    }
}

fn print(report: &Report, data: &mut Data) -> Result<(), CommandError> {
    let Report { lockdown, .. } = report;
    let mut line = |text: String| data.line(&sanitize(&text));
    let offline = if report.offline { ", offline" } else { "" };
    line(format!("tier       {}{offline} ({})", report.tier, report.tier_origin))?;
    line(format!("lockdown   {} of E3, at least {} is required", lockdown.level, lockdown.required))?;
    for (wall, problem) in
        [("namespace", &lockdown.namespace), ("landlock", &lockdown.landlock), ("seccomp", &lockdown.seccomp)]
    {
        line(format!("           {wall}: {}", problem.as_deref().unwrap_or("holds")))?;
    }
    for provider in &report.providers {
        let ProviderReport { name, base, sovereign, private, standard } = provider;
        let tiers = [("sovereign", sovereign), ("private", private), ("standard", standard)];
        let tiers = tiers.map(|(tier, class)| format!("{tier}: {}", class.unwrap_or("refused"))).join(", ");
        line(format!("provider   {name} at {base}; {tiers}"))?;
    }
    for HostReport { host, addresses, problem } in &report.hosts {
        let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        line(format!("host       {host}: {}", problem.as_ref().unwrap_or(&addresses)))?;
    }
    Ok(())
}
