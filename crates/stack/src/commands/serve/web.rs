//! Who may ask over HTTP, and by which names.

use clap::Args;
use stack_server::{HostName, Options, Origin as WebOrigin};

use crate::config::{Origin, ServerSection, Setting};
use crate::error::{CommandError, Kind};

#[derive(Debug, Default, Args)]
pub(crate) struct WebArguments {
    /// Let web pages of this origin use the models, such as `https://app.example.org`; may be given several times. Pages
    /// of this machine (`http://localhost`, any port) always may
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<WebOrigin>,
    /// Answer to this host name as well, the name of a proxy in front; may be given several times
    #[arg(long, value_name = "NAME")]
    host_name: Vec<HostName>,
    /// Answer with the one model that is served, whatever model a request names; the reply says which it is
    #[arg(long)]
    any_model: bool,
    /// Give errors the shape that llama-server gives them, and `/completions` and `/embeddings` without `/v1`, too
    #[arg(long)]
    llama_server_compat: bool,
    /// Keep the last responses of `/v1/responses` in memory, this many, each for a day at most: `previous_response_id`
    /// and `background` need them [default: 0]
    #[arg(long, value_name = "N")]
    stored_responses: Option<u16>,
}

impl WebArguments {
    /// Returns the options of a server with so many models.
    /// The origins and host names of the configuration hold as well.
    pub(crate) fn options(&self, section: &ServerSection, models: usize) -> Result<Options, CommandError> {
        if self.any_model && models != 1 {
            let message =
                format!("`--any-model` needs exactly one model to answer with, and there are {models}");
            let hint =
                "serve one model, or leave the option out and give the models the names that clients ask for";
            return Err(CommandError::new(Kind::Usage, message).hint(hint));
        }
        Ok(Options {
            origins: joined(section.cors.as_ref(), &self.cors),
            host_names: joined(section.host_names.as_ref(), &self.host_name),
            any_model: self.any_model,
            llama_server: self.llama_server_compat,
            stored_responses_max: self.stored_responses(section).value.into(),
            ..Options::default()
        })
    }

    /// How many responses are kept, and who set it.
    pub(crate) fn stored_responses(&self, section: &ServerSection) -> Setting<u16> {
        let option =
            self.stored_responses.map(|count| Setting::new(count, Origin::Option("--stored-responses")));
        option.or(section.stored_responses.clone()).unwrap_or(Setting::new(0, Origin::Default))
    }
}

fn joined<T: Clone>(file: Option<&Setting<Vec<T>>>, given: &[T]) -> Vec<T> {
    file.iter().flat_map(|setting| &setting.value).chain(given).cloned().collect()
}
