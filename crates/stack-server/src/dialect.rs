//! Which dialect a client speaks, also where no handler is reached.

use axum::http::{HeaderMap, HeaderName};
use stack_wire::{Problem, anthropic, llama_server, native, ollama, openai, responses};

use crate::Options;

/// The dialects of the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Responses,
    Anthropic,
    Ollama,
    LlamaServer,
    Native,
}

impl Dialect {
    /// Tells the dialect from the path, and where two share a path, from the header that all of Anthropic's clients send,
    /// or from whether the operator wants llama-server's ways.
    pub(crate) fn of(path: &str, headers: &HeaderMap, options: &Options) -> Self {
        let path = path.strip_prefix("/v1").unwrap_or(path);
        let is_at =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match () {
            () if is_at("/messages") => Self::Anthropic,
            () if is_at("/responses") => Self::Responses,
            () if is_at("/models") && headers.contains_key(ANTHROPIC_VERSION) => Self::Anthropic,
            () if is_at("/api/v1") => Self::Native,
            () if is_at("/api") => Self::Ollama,
            () if options.llama_server || LLAMA_SERVER.iter().any(|root| is_at(root)) => Self::LlamaServer,
            () => Self::OpenAi,
        }
    }

    /// Returns the header that names a request.
    pub(crate) fn request_id(self) -> HeaderName {
        match self {
            Self::Anthropic => HeaderName::from_static("request-id"),
            Self::OpenAi | Self::Responses | Self::Ollama | Self::LlamaServer | Self::Native => {
                HeaderName::from_static("x-request-id")
            }
        }
    }

    /// Gives an error its status and its body.
    pub(crate) fn render(self, problem: &Problem, request_id: Option<&str>) -> (u16, String) {
        match self {
            Self::OpenAi => (problem.status, openai::error_object(problem)),
            Self::Responses => (problem.status, responses::error_object(problem)),
            Self::Anthropic => (anthropic::status(problem), anthropic::error_object(problem, request_id)),
            Self::Ollama => (problem.status, ollama::error_object(problem)),
            Self::LlamaServer => (problem.status, llama_server::error_object(problem)),
            Self::Native => (problem.status, native::error_object(problem, request_id)),
        }
    }
}

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The routes that only llama-server has.
const LLAMA_SERVER: [&str; 8] = [
    "/completion",
    "/infill",
    "/embedding",
    "/tokenize",
    "/detokenize",
    "/apply-template",
    "/props",
    "/slots",
];

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_path_tells_the_dialect_and_for_models_the_header() {
        let (none, usual) = (HeaderMap::new(), Options::default());
        for (path, dialect) in [
            ("/v1/messages", Dialect::Anthropic),
            ("/messages/count_tokens", Dialect::Anthropic),
            ("/v1/messages/nothing", Dialect::Anthropic),
            ("/v1/messagesx", Dialect::OpenAi),
            ("/v1/responses/input_tokens", Dialect::Responses),
            ("/api/chat", Dialect::Ollama),
            ("/api/nothing", Dialect::Ollama),
            ("/apiary", Dialect::OpenAi),
            ("/v1/models", Dialect::OpenAi),
            ("/", Dialect::OpenAi),
            ("/tokenize", Dialect::LlamaServer),
            ("/completions", Dialect::OpenAi),
            ("/api/v1/chat/stream", Dialect::Native),
            ("/api/v1x", Dialect::Ollama),
        ] {
            assert_eq!(Dialect::of(path, &none, &usual), dialect, "{path}");
        }
        let as_llama_server = Options { llama_server: true, ..Options::default() };
        assert_eq!(Dialect::of("/v1/chat/completions", &none, &as_llama_server), Dialect::LlamaServer);
        assert_eq!(Dialect::of("/v1/messages", &none, &as_llama_server), Dialect::Anthropic);
        let version = HeaderMap::from_iter([(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"))]);
        assert_eq!(Dialect::of("/v1/models/a/b", &version, &usual), Dialect::Anthropic);
        assert_eq!(Dialect::of("/v1/chat/completions", &version, &usual), Dialect::OpenAi);
    }
}
