//! `$STACK_HOME/stack.toml`: what the operator of this machine has decided.
//!
//! A section is a struct, and a key is a field that one line of its `take` reads. Everything is checked when the file
//! is read: an unknown section or key, a value of the wrong type, and a value that makes no sense are errors with their
//! line. Variables of the environment and options come on top, where a command asks for the effective value; each
//! [`Setting`] remembers its [`Origin`].

mod aliases;
mod audit;
mod error;
mod file;
mod privacy;
mod providers;
mod setting;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::{fs, io};

use stack_chat::Tier;
use stack_gateway::privacy::HostPattern;
use stack_server::{HostName, Origin as WebOrigin};
use stack_trust::home::Home;

pub(crate) use aliases::{AliasSection, aliases};
pub(crate) use audit::{AuditSection, Place as AuditPlace};
pub(crate) use error::{ConfigError, Problem};
pub(crate) use privacy::{Effective, PROXY_VARIABLES, PrivacyArguments, login_of, parse_tier};
pub(crate) use providers::{ProviderSection, SecretName};
pub(crate) use setting::{Origin, Setting};

use self::file::{File, Section};
use crate::error::CommandError;
use crate::process::lockdown::LockdownLevel;

/// The configuration: what the file says, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) privacy: PrivacySection,
    pub(crate) server: ServerSection,
    pub(crate) audit: AuditSection,
    pub(crate) providers: Vec<ProviderSection>,
    pub(crate) aliases: Vec<AliasSection>,
}

/// The section `[privacy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PrivacySection {
    /// The highest tier that a command may use.
    pub(crate) tier: Option<Setting<Tier>>,
    /// Whether nothing is asked of the network.
    pub(crate) offline: Option<Setting<bool>>,
    /// Hosts that may be contacted.
    pub(crate) hosts: Option<Setting<Vec<HostPattern>>>,
    /// How tightly the system holds a server at least, under the tier sovereign.
    lockdown: Option<Setting<LockdownLevel>>,
}

/// The section `[server]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerSection {
    /// The address to listen on.
    pub(crate) host: Option<Setting<IpAddr>>,
    /// The port to listen on.
    pub(crate) port: Option<Setting<u16>>,
    /// Origins of web pages that may use the models.
    pub(crate) cors: Option<Setting<Vec<WebOrigin>>>,
    /// Host names of proxies in front.
    pub(crate) host_names: Option<Setting<Vec<HostName>>>,
    /// How many responses are kept in memory.
    pub(crate) stored_responses: Option<Setting<u16>>,
    /// Who may ask.
    pub(crate) auth: AuthSection,
    /// How connections are encrypted.
    pub(crate) tls: TlsSection,
}

/// The section `[server.auth]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthSection {
    /// Whether requests from this machine need a key, too.
    pub(crate) required: Option<Setting<bool>>,
}

/// The section `[server.tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsSection {
    /// The file with the certificates.
    pub(crate) certificate: Option<Setting<PathBuf>>,
    /// The file with their key.
    pub(crate) key: Option<Setting<PathBuf>>,
}

impl Config {
    /// Reads the configuration in a home folder; without a file, nothing is set.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or has a problem, or when one under the former name is there.
    pub(crate) fn read(home: &Home) -> Result<Self, CommandError> {
        let Some(path) = Self::path(home) else { return Ok(Self::default()) };
        let former = path.with_file_name(FORMER_NAME);
        if former.exists() {
            return Err(ConfigError::FormerName { former, path }.into());
        }
        match fs::read(&path) {
            Ok(bytes) => Ok(Self::parse(&bytes).map_err(|problems| ConfigError::Bad { path, problems })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(CommandError::reading(path.display(), error)),
        }
    }

    /// Lists every problem of the file, which is none if it cannot be read.
    pub(crate) fn problems(home: &Home) -> Vec<Problem> {
        let bytes = Self::path(home).and_then(|path| fs::read(path).ok()).unwrap_or_default();
        Self::parse(&bytes).err().unwrap_or_default()
    }

    /// Where the configuration is, or would be.
    pub(crate) fn path(home: &Home) -> Option<PathBuf> {
        Some(home.known()?.join(FILE_NAME))
    }

    /// Parses a configuration.
    ///
    /// # Errors
    ///
    /// All problems of the file, sorted by line.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let mut file = File::parse(bytes).map_err(|problem| vec![problem])?;
        let privacy = PrivacySection::take(file.section("privacy"));
        let server = ServerSection::take(file.section("server"));
        let audit = AuditSection::take(file.section("audit"));
        let names = file.names_beneath("providers");
        let providers = names
            .iter()
            .map(|name| ProviderSection::take(name, file.section_beneath("providers", name)))
            .collect();
        let aliases = aliases::take(&mut file);
        file.finish().map(|()| Self { privacy, server, audit, providers, aliases })
    }
}

impl PrivacySection {
    fn take(mut section: Section<'_>) -> Self {
        Self {
            tier: section.text("tier", parse_tier),
            offline: section.flag("offline"),
            hosts: section.texts("hosts", HostPattern::parse),
            lockdown: section.text("lockdown", LockdownLevel::parse),
        }
    }

    /// How tightly the system holds a server at least, under the tier sovereign.
    pub(crate) fn lockdown(&self) -> Setting<LockdownLevel> {
        self.lockdown.clone().unwrap_or(Setting::new(LockdownLevel::E1, Origin::Default))
    }
}

impl ServerSection {
    fn take(mut section: Section<'_>) -> Self {
        Self {
            host: section.text("host", parse_address),
            port: section.integer("port"),
            cors: section.texts("cors", str::parse),
            host_names: section.texts("host_names", str::parse),
            stored_responses: section.integer("stored_responses"),
            auth: AuthSection::take(section.section("auth")),
            tls: TlsSection::take(section.section("tls")),
        }
    }
}

impl AuthSection {
    fn take(mut section: Section<'_>) -> Self {
        Self { required: section.flag("required") }
    }
}

impl TlsSection {
    fn take(mut section: Section<'_>) -> Self {
        let tls =
            Self { certificate: section.text("certificate", absolute), key: section.text("key", absolute) };
        match (&tls.certificate, &tls.key) {
            (Some(_), None) => section.refuse("certificate", " needs server.tls.key beside it"),
            (None, Some(_)) => section.refuse("key", " needs server.tls.certificate beside it"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        tls
    }
}

/// Reads the path of a file: from where, nobody who reads the file can know.
fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err(format!("{text:?} is not an absolute path")) }
}

/// Reads an address to listen on; `localhost` is one.
pub(crate) fn parse_address(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse().map_err(|_| "expected an IP address, such as 127.0.0.1 or ::1".to_owned())
}

/// The file's name in the home folder.
const FILE_NAME: &str = "stack.toml";
/// What it was called before it had more than one section.
const FORMER_NAME: &str = "config.toml";

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        Config::parse(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_know_their_lines() {
        let text =
            "[privacy]\ntier = \"private\"\n\nhosts = [\n  \"a.b\",\n  \"*.c\",\n]\n[server]\nport = 80\n";
        let config = Config::parse(text.as_bytes()).unwrap();
        assert_eq!(config.privacy.tier, Some(Setting::new(Tier::Private, Origin::File(2))));
        assert_eq!(
            config.privacy.hosts.map(|hosts| (hosts.value.len(), hosts.origin)),
            Some((2, Origin::File(4)))
        );
        assert_eq!(config.server.port, Some(Setting::new(80, Origin::File(9))));
        assert_eq!((config.server.host, config.privacy.offline), (None, None));
        assert_eq!(Config::parse(b""), Ok(Config::default()));
        assert_eq!(
            Config::parse(b"server.port = 1").unwrap().server.port,
            Some(Setting::new(1, Origin::File(1)))
        );
    }

    #[test]
    fn every_problem_is_told_with_its_line_and_the_nearest_name() {
        assert_eq!(problems("[privac]\n"), ["line 1: unknown section privac; did you mean privacy?"]);
        assert_eq!(
            problems("[other]"),
            ["line 1: unknown section other; sections are privacy, server, audit, providers, aliases"]
        );
        assert_eq!(
            problems("tier = 1"),
            ["line 1: unknown section tier; sections are privacy, server, audit, providers, aliases"]
        );
        assert_eq!(problems("server = 1"), ["line 1: server is a section: write [server]"]);
        assert_eq!(
            problems("[server]\nprot = 1\n[privacy]\ntier = 3\nhosts = [\"a\", 1]\nxyzzy = 1"),
            [
                "line 2: unknown key server.prot; did you mean port?",
                "line 4: privacy.tier is an integer; a string is expected",
                "line 5: privacy.hosts is not a list of strings",
                "line 6: unknown key privacy.xyzzy; keys are tier, offline, hosts, lockdown",
            ]
        );
        for (text, wrong) in [
            ("[privacy]\ntier = \"public\"", "privacy.tier"),
            ("[privacy]\nhosts = [\"a/b\"]", "privacy.hosts"),
            ("[privacy]\noffline = \"yes\"", "privacy.offline is a string; a boolean is expected"),
            ("[server]\nport = 70000", "server.port: 70000 is not between 0 and 65535"),
            ("[server]\nport = -1", "server.port: -1 is not between 0 and 65535"),
            ("[server]\nhost = \"here\"", "server.host: expected an IP address"),
            ("[server]\ncors = [\"null\"]", "server.cors"),
            ("[server]\ntls = 1", "line 2: server.tls is a section: write [server.tls]"),
            ("[server.tls]\nkye = 1", "line 2: unknown key server.tls.kye; did you mean key?"),
            ("[server.tls]\nkey = \"a.pem\"", "server.tls.key: \"a.pem\" is not an absolute path"),
            ("[server.tls]\nkey = \"/a.pem\"", "server.tls.key needs server.tls.certificate beside it"),
            ("[server.auth]\nrequired = 1", "server.auth.required is an integer; a boolean is expected"),
            ("[server]\nport = ", "line 2: "),
            ("[server]\n[server]", "line 2: "),
        ] {
            let problems = problems(text);
            assert!(problems.len() == 1 && problems[0].contains(wrong), "{text}: {problems:?}");
        }
        assert!(Config::parse(b"\xFF").is_err());
        assert!(Config::parse(&vec![b'#'; 2 << 20]).is_err());
    }
}
