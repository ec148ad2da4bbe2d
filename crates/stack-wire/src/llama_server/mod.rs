//! The routes that only llama-server has: tokens, templates, gaps, plain completions, properties and slots.
//!
//! Source: `tools/server/README.md` of ggml-org/llama.cpp.

mod completion;
mod embedding;
mod error;
mod infill;
mod props;
mod residency;
mod slots;
mod tokens;
mod writer;

pub use completion::{Completion, parse_completion};
pub use embedding::{embedding_list, parse_embedding};
pub use error::error_object;
pub use infill::parse_infill;
pub use props::{Properties, properties_object};
pub use residency::{parse_model, success_object};
pub use slots::{Slot, slot_list};
pub use tokens::{
    Content, Pieces, Tokenize, content_object, parse_detokenize, parse_tokenize, pieces_object,
    prompt_object, tokens_object,
};
pub use writer::{Reply, Writer};
