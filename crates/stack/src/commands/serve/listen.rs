//! Where a server listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use clap::Args;

use crate::config::{Origin, ServerSection, Setting, parse_address};
use crate::error::{CommandError, Kind};
use crate::process::machine::environment;

/// Where a server of this machine is asked.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerArguments {
    /// Address on which the server listens [default: 127.0.0.1]
    #[arg(long, value_parser = parse_address)]
    host: Option<IpAddr>,
    /// Port on which it listens [default: 8084]
    #[arg(long)]
    port: Option<u16>,
}

impl ServerArguments {
    /// Whether an option says which server is meant.
    pub(crate) fn is_given(&self) -> bool {
        self.host.is_some() || self.port.is_some()
    }

    /// The address of the server.
    ///
    /// # Errors
    ///
    /// When a variable makes no sense, and when it would be another machine.
    pub(crate) fn address(&self, section: &ServerSection) -> Result<SocketAddr, CommandError> {
        let listen = ListenArguments { host: self.host, port: self.port, ollama_port: None };
        let (host, port) = (listen.host(section)?.value, listen.port(section)?.value);
        let host = match host {
            // Who listens everywhere listens here.
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        if !host.is_loopback() {
            let message = format!("{host} is not an address of this machine's own");
            return Err(CommandError::new(Kind::Refused, message)
                .hint("a server on another address is asked with --server https://…"));
        }
        Ok(SocketAddr::new(host, port))
    }
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ListenArguments {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_parser = parse_address)]
    host: Option<IpAddr>,
    /// Port to listen on; 0 picks a free one [default: 8084]
    #[arg(long)]
    port: Option<u16>,
    /// Listen on this port as well, such as 11434, where Ollama's clients look
    #[arg(long, value_name = "PORT")]
    ollama_port: Option<u16>,
}

impl ListenArguments {
    /// Decides where to listen, and says who set the host.
    ///
    /// # Errors
    ///
    /// When a variable makes no sense.
    pub(crate) fn address(&self, section: &ServerSection) -> Result<Setting<SocketAddr>, CommandError> {
        let (host, port) = (self.host(section)?, self.port(section)?);
        Ok(Setting::new(SocketAddr::new(host.value, port.value), host.origin))
    }

    /// Where else to listen, beside `address`.
    pub(crate) fn second(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.ollama_port.map(|port| SocketAddr::new(address.ip(), port))
    }

    /// The address to listen on, and who set it.
    pub(crate) fn host(&self, section: &ServerSection) -> Result<Setting<IpAddr>, CommandError> {
        let option = self.host.map(|host| Setting::new(host, Origin::Option("--host")));
        effective(option, HOST_VARIABLE, parse_address, section.host.clone(), Ipv4Addr::LOCALHOST.into())
    }

    /// The port to listen on, and who set it.
    pub(crate) fn port(&self, section: &ServerSection) -> Result<Setting<u16>, CommandError> {
        let option = self.port.map(|port| Setting::new(port, Origin::Option("--port")));
        let parse = |text: &str| u16::from_str(text).map_err(|_| format!("{text:?} is not a port"));
        effective(option, PORT_VARIABLE, parse, section.port.clone(), PORT)
    }
}

/// The option, else the variable, else the file, else the default.
fn effective<T>(
    option: Option<Setting<T>>,
    variable: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
    file: Option<Setting<T>>,
    default: T,
) -> Result<Setting<T>, CommandError> {
    if let Some(option) = option {
        return Ok(option);
    }
    if let Some(text) = environment(variable) {
        let value = parse(&text)
            .map_err(|wrong| CommandError::new(Kind::Usage, format!("{variable}={text}: {wrong}")))?;
        return Ok(Setting::new(value, Origin::Variable(variable)));
    }
    Ok(file.unwrap_or(Setting::new(default, Origin::Default)))
}

const HOST_VARIABLE: &str = "STACK_HOST";
const PORT_VARIABLE: &str = "STACK_PORT";
const PORT: u16 = 8084;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn options_go_before_the_configuration() {
        let section = Config::parse(b"[server]\nhost = \"::1\"\nport = 9").unwrap().server;
        let given = ListenArguments { port: Some(7), ollama_port: Some(8), ..ListenArguments::default() };
        let address = given.address(&section).unwrap();
        assert_eq!((address.value.to_string().as_str(), address.origin), ("[::1]:7", Origin::File(2)));
        assert_eq!(given.second(address.value).unwrap().to_string(), "[::1]:8");
        assert_eq!(given.port(&section).unwrap().origin, Origin::Option("--port"));
        assert_eq!(given.host(&section).unwrap().origin, Origin::File(2));
        let nothing = ListenArguments::default();
        let address = nothing.address(&ServerSection::default()).unwrap();
        assert_eq!(address, Setting::new("127.0.0.1:8084".parse().unwrap(), Origin::Default));
    }
}
