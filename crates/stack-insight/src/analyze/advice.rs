//! What to do about what was found: rules as data.

use super::dependencies::Dependencies;
use super::egress::{Clue, Finding};

/// One piece of advice.
#[derive(Debug)]
pub struct Advice {
    /// What was found.
    pub found: &'static str,
    /// What to do.
    pub text: &'static str,
    /// The commands to run, in order.
    pub commands: &'static [&'static str],
    when: Condition,
}

#[derive(Debug)]
enum Condition {
    /// One of these packages is used, or imported.
    Uses(&'static [&'static str]),
    /// A line names the host of a provider.
    NamesHost,
    /// Something sends to a public host.
    SendsOut,
}

/// Returns the advice that applies, in the order of the table.
pub(super) fn given(dependencies: &[Dependencies], findings: &[Finding]) -> Vec<&'static Advice> {
    let uses = |name: &&str| {
        let imported = |finding: &Finding| finding.clue == Clue::Import && finding.what == *name;
        dependencies.iter().any(|found| found.names.contains(*name)) || findings.iter().any(imported)
    };
    let applies = |advice: &&Advice| match advice.when {
        Condition::Uses(names) => names.iter().any(uses),
        Condition::NamesHost => findings.iter().any(|found| found.clue == Clue::Host),
        Condition::SendsOut => findings.iter().any(|found| found.tier > stack_chat::Tier::Sovereign),
    };
    ADVICE.iter().filter(applies).collect()
}

const ADVICE: &[Advice] = &[
    Advice {
        found: "a client of OpenAI",
        text: "set OPENAI_BASE_URL=http://127.0.0.1:8084/v1",
        commands: &["stack serve"],
        when: Condition::Uses(&[
            "openai",
            "async-openai",
            "async_openai",
            "langchain-openai",
            "langchain_openai",
            "@langchain/openai",
            "@ai-sdk/openai",
            "litellm",
            "github.com/sashabaranov/go-openai",
            "github.com/openai/openai-go",
        ]),
    },
    Advice {
        found: "a client of Anthropic",
        text: "set ANTHROPIC_BASE_URL=http://127.0.0.1:8084",
        commands: &["stack serve"],
        when: Condition::Uses(&[
            "anthropic",
            "@anthropic-ai/sdk",
            "langchain-anthropic",
            "langchain_anthropic",
            "@ai-sdk/anthropic",
        ]),
    },
    Advice {
        found: "a client of Ollama",
        text: "set OLLAMA_HOST=http://127.0.0.1:8084",
        commands: &["stack serve"],
        when: Condition::Uses(&["ollama", "ollama-rs"]),
    },
    Advice {
        found: "models that run in torch, transformers or a server of their own",
        text: "pull the weights as GGUF or SafeTensors, and serve them from one binary",
        commands: &["stack pull hf://OWNER/REPO", "stack serve MODEL"],
        when: Condition::Uses(&[
            "torch",
            "pytorch",
            "transformers",
            "vllm",
            "llama-cpp-python",
            "ctransformers",
            "text-generation",
            "torchserve",
            "sglang",
            "candle-transformers",
        ]),
    },
    Advice {
        found: "embeddings in process",
        text: "an encoder answers /v1/embeddings",
        commands: &["stack serve MODEL"],
        when: Condition::Uses(&["sentence-transformers", "fastembed"]),
    },
    Advice {
        found: "the address of a provider in the program",
        text: "take the address from the environment, so that it can be a server of this machine",
        commands: &[],
        when: Condition::NamesHost,
    },
    Advice {
        found: "calls that leave the machine",
        text: "hold the server to the tier that the data may reach",
        commands: &["stack doctor privacy", "stack serve --privacy sovereign"],
        when: Condition::SendsOut,
    },
];
