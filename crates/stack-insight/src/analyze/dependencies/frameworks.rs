//! Frameworks, found by the names of their packages.

use std::collections::BTreeSet;

/// What a framework is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Machine learning.
    MachineLearning,
    /// Asking models at a provider or a server.
    ModelClient,
    /// Serving models.
    ModelServing,
    /// Web servers and pages.
    Web,
}

impl Field {
    /// All fields, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::MachineLearning, Self::ModelClient, Self::ModelServing, Self::Web];

    /// Returns how its frameworks are called together.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MachineLearning => "ML frameworks",
            Self::ModelClient => "model clients",
            Self::ModelServing => "model servers",
            Self::Web => "web frameworks",
        }
    }

    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::MachineLearning => MACHINE_LEARNING,
            Self::ModelClient => MODEL_CLIENTS,
            Self::ModelServing => MODEL_SERVING,
            Self::Web => WEB,
        }
    }
}

/// Finds the frameworks among packages.
pub(super) fn among(names: &BTreeSet<String>) -> Vec<(Field, Vec<String>)> {
    let of = |field: Field| {
        let known = field.packages().iter().filter(|name| names.contains(**name));
        (field, known.map(|name| (*name).to_owned()).collect::<Vec<_>>())
    };
    Field::ALL.map(of).into_iter().filter(|(_, names)| !names.is_empty()).collect()
}

const MACHINE_LEARNING: &[&str] = &[
    "torch",
    "pytorch",
    "torchvision",
    "pytorch-lightning",
    "lightning",
    "tensorflow",
    "tensorflow-gpu",
    "keras",
    "jax",
    "flax",
    "transformers",
    "diffusers",
    "sentence-transformers",
    "accelerate",
    "peft",
    "scikit-learn",
    "xgboost",
    "lightgbm",
    "catboost",
    "onnx",
    "onnxruntime",
    "mxnet",
    "paddlepaddle",
    "spacy",
    "fastai",
    "candle-core",
    "candle-nn",
    "candle-transformers",
    "tch",
    "burn",
    "linfa",
    "ort",
    "smartcore",
    "@tensorflow/tfjs",
    "@tensorflow/tfjs-node",
    "@huggingface/transformers",
    "@xenova/transformers",
    "onnxruntime-node",
    "gorgonia.org/gorgonia",
    "org.deeplearning4j:deeplearning4j-core",
    "ai.djl:api",
];
const MODEL_CLIENTS: &[&str] = &[
    "openai",
    "anthropic",
    "@anthropic-ai/sdk",
    "async-openai",
    "litellm",
    "langchain",
    "langchain-openai",
    "langchain-anthropic",
    "@langchain/openai",
    "@ai-sdk/openai",
    "llama-index",
    "mistralai",
    "cohere",
    "groq",
    "google-generativeai",
    "google-genai",
    "@google/generative-ai",
    "ollama",
    "ollama-rs",
    "github.com/sashabaranov/go-openai",
    "github.com/openai/openai-go",
    "com.openai:openai-java",
];
const MODEL_SERVING: &[&str] = &[
    "vllm",
    "llama-cpp-python",
    "torchserve",
    "text-generation",
    "ray",
    "bentoml",
    "tritonclient",
    "sglang",
    "ctransformers",
];
const WEB: &[&str] = &[
    "django",
    "flask",
    "fastapi",
    "aiohttp",
    "express",
    "next",
    "react",
    "vue",
    "svelte",
    "axum",
    "actix-web",
    "rocket",
    "warp",
    "github.com/gin-gonic/gin",
    "github.com/labstack/echo/v4",
    "org.springframework.boot:spring-boot-starter-web",
];
