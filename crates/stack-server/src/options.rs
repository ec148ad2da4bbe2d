//! What an operator may choose.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Auth;
use crate::control::ControlPlane;
use crate::origin::{HostName, Origin};

/// What an operator may choose about the handling of single requests.
#[derive(Clone)]
pub struct Options {
    /// Who may ask; without it everybody who can connect is the operator, which is right on a loopback listener alone.
    pub auth: Option<Auth>,
    /// The longest request body; a longer one is refused with 413.
    pub body_bytes_max: usize,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
    /// After how much silence a stream shows that it lives.
    pub ping_after: Duration,
    /// Names of this machine beside the loopback names, such as that of a reverse proxy: a loopback listener answers
    /// to them, and web pages from them may ask.
    pub host_names: Vec<HostName>,
    /// Origins whose web pages may use the routes that read or infer, beside those of this machine.
    pub origins: Vec<Origin>,
    /// Whether the only model answers whatever name a request asks for.
    pub any_model: bool,
    /// Whether errors, and the routes that OpenAI and llama-server share, have llama-server's shape.
    pub llama_server: bool,
    /// How many requests a model takes at once, for clients that ask.
    pub requests_max: usize,
    /// How tightly the system holds the process, where somebody demanded that: by a name for people, and for programs.
    pub lockdown: Option<&'static str>,
    /// How many responses are kept in memory, so that conversations go on from them; with 0, none is.
    pub stored_responses_max: usize,
    /// What an operator sees of the way to models, where requests are routed.
    pub control: Option<Arc<dyn ControlPlane>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            auth: None,
            body_bytes_max: 16 << 20,
            body_timeout: Duration::from_mins(1),
            ping_after: Duration::from_secs(15),
            host_names: Vec::new(),
            origins: Vec::new(),
            any_model: false,
            llama_server: false,
            requests_max: 512,
            lockdown: None,
            stored_responses_max: 0,
            control: None,
        }
    }
}
