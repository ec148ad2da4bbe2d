//! Where a server listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
    /// The address of the server.
    ///
    /// # Errors
    ///
    /// When a variable makes no sense, and when it would be another machine.
    pub(crate) fn address(&self, section: &ServerSection) -> Result<SocketAddr, CommandError> {
        let listen = ListenArguments { host: self.host, port: self.port, ollama_port: None };
        let (host, port) = (listen.host(section)?.value, listen.port(section)?.value);
        if !host.is_loopback() {
            let message = format!("{host} is not an address of this machine's own");
            return Err(
                CommandError::new(Kind::Refused, message).hint("only a server on 127.0.0.1 or ::1 is asked")
            );
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
    /// Decides where to listen.
    ///
    /// # Errors
    ///
    /// When a variable makes no sense, and when other machines could connect: nothing tells their users apart yet.
    pub(crate) fn address(&self, section: &ServerSection) -> Result<SocketAddr, CommandError> {
        let (host, port) = (self.host(section)?, self.port(section)?);
        if !host.value.is_loopback() {
            let message =
                format!("listening on {} would let anyone on the network use the models", host.value);
            let set_by = match host.origin {
                Origin::Option(_) => String::new(),
                origin => format!("; the address is set by {origin}"),
            };
            return Err(CommandError::new(Kind::Refused, message).hint(format!(
                "there are no API keys yet; listen on 127.0.0.1, behind a proxy that authenticates clients{set_by}"
            )));
        }
        Ok(SocketAddr::new(host.value, port.value))
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
        assert_eq!(given.address(&section).unwrap().to_string(), "[::1]:7");
        assert_eq!(given.second(given.address(&section).unwrap()).unwrap().to_string(), "[::1]:8");
        assert_eq!(given.port(&section).unwrap().origin, Origin::Option("--port"));
        assert_eq!(given.host(&section).unwrap().origin, Origin::File(2));
        let nothing = ListenArguments::default();
        assert_eq!(nothing.address(&ServerSection::default()).unwrap().to_string(), "127.0.0.1:8084");
        let open = Config::parse(b"[server]\nhost = \"0.0.0.0\"").unwrap().server;
        let error = nothing.address(&open).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
    }
}
