//! What an encoder's metadata says of it.

use candle_core::{Result as DeviceResult, Tensor};

use crate::pooling::Pooling;
use crate::spec::{Norm, NormKind};
use crate::weights::{Ledger, LoadError, Metadata};

/// The architecture of the one family that there is, as GGUF names it.
pub(super) const ARCHITECTURE: &str = "bert";

/// The key, of directories only, that says that texts are lowercased before they are tokenized.
pub(super) const LOWERCASE_KEY: &str = "bert.lowercase_texts";

/// A BERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EncoderSpec {
    /// Length of a hidden state, and of an embedding vector.
    pub(super) width: usize,
    /// Number of layers.
    pub(super) layers: usize,
    /// Attention heads; they divide the width.
    pub(super) heads: usize,
    /// Length of the hidden states inside feed-forward networks.
    pub(super) inner: usize,
    /// Tokens that an input may have.
    pub(super) context: usize,
    pub(super) norm: Norm,
    pub(super) activation: Activation,
    pub(super) pooling: Pooling,
    /// Whether texts are lowercased before they are tokenized.
    pub(super) lowercase: bool,
}

/// The non-linearity of feed-forward networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    /// GELU as it is defined, by the error function.
    Gelu,
    /// GELU's approximation by the hyperbolic tangent.
    GeluTanh,
    Relu,
    Silu,
}

impl EncoderSpec {
    /// Reads the metadata.
    pub(super) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        let ledger = Ledger::new(metadata);
        let spec = Self::from(&ledger)?;
        for (key, value) in ledger.unasked() {
            let Some(name) = key.strip_prefix("bert.") else { continue };
            if !value.is_neutral() && !IRRELEVANT.iter().any(|(known, _)| *known == name) {
                let problem = "this program does not know what it does to bert, and will not guess";
                return Err(wrong(&key.escape_debug().to_string(), problem));
            }
        }
        Ok(spec)
    }

    fn from(metadata: &Ledger<'_>) -> Result<Self, LoadError> {
        let required = |name: &str| -> Result<usize, LoadError> {
            let key = format!("{ARCHITECTURE}.{name}");
            match metadata.ask(&key).integer(&key)? {
                Some(number) if number > 0 => Ok(number),
                Some(_) => Err(wrong(&key, "is zero")),
                None => Err(wrong(&key, "is missing")),
            }
        };
        let (width, heads) = (required("embedding_length")?, required("attention.head_count")?);
        if !width.is_multiple_of(heads) {
            let problem = format!("{width} dimensions are not divisible by {heads} heads");
            return Err(wrong("bert.attention.head_count", problem));
        }
        let causal = "bert.attention.causal";
        if metadata.ask(causal).boolean(causal)? == Some(true) {
            return Err(wrong(causal, "is true, but an encoder attends to all of its input"));
        }
        Ok(Self {
            width,
            heads,
            layers: required("block_count")?,
            inner: required("feed_forward_length")?,
            context: required("context_length")?,
            norm: norm(metadata)?,
            activation: Activation::read(metadata)?,
            pooling: pooling(metadata)?,
            lowercase: metadata.ask(LOWERCASE_KEY).boolean(LOWERCASE_KEY)? == Some(true),
        })
    }
}

impl Activation {
    /// Reads the key, under the names that Hugging Face gives. Files of llama.cpp's converter do not have it; all models
    /// that it converts to this architecture were trained with the exact GELU.
    fn read(metadata: &Ledger<'_>) -> Result<Self, LoadError> {
        let key = "bert.hidden_activation";
        match metadata.ask(key).text(key)? {
            None | Some("gelu" | "gelu_python") => Ok(Self::Gelu),
            Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Self::GeluTanh),
            Some("relu") => Ok(Self::Relu),
            Some("silu" | "swish") => Ok(Self::Silu),
            Some(other) => {
                Err(wrong(key, format!("{other:?} is unknown; known are gelu, gelu_new, relu and silu")))
            }
        }
    }

    /// Applies the non-linearity.
    pub(super) fn apply(self, x: &Tensor) -> DeviceResult<Tensor> {
        match self {
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
            Self::Relu => x.relu(),
            Self::Silu => x.silu(),
        }
    }
}

fn norm(metadata: &Ledger<'_>) -> Result<Norm, LoadError> {
    let key = "bert.attention.layer_norm_epsilon";
    let epsilon = metadata.ask(key).float(key)?.ok_or_else(|| wrong(key, "is missing"))?;
    if !epsilon.is_finite() || epsilon <= 0.0 {
        return Err(wrong(key, format!("{epsilon} is not a small positive number")));
    }
    Ok(Norm { kind: NormKind::Layer, epsilon, weighted: true })
}

fn pooling(metadata: &Ledger<'_>) -> Result<Pooling, LoadError> {
    let key = "bert.pooling_type";
    let Some(value) = metadata.ask(key).value(key) else { return Ok(Pooling::Mean) };
    match value.as_i64() {
        // 0 is "none" and −1, which files also write without its sign, "not said": then the mean is usual.
        Some(-1 | 0 | 1 | 0xFFFF_FFFF) => Ok(Pooling::Mean),
        Some(2) => Ok(Pooling::First),
        Some(3) => Ok(Pooling::Last),
        Some(4) => Err(wrong(key, "is 4: the model ranks documents and has no embedding vectors")),
        _ => Err(wrong(key, "is none of 0 to 3: none, mean, first and last")),
    }
}

/// Keys that nothing asks for, and why they do not matter.
const IRRELEVANT: &[(&str, &str)] = &[
    ("vocab_size", "the shape of the embeddings says it"),
    ("attention.head_count_kv", "every head has keys and values of its own"),
    ("attention.key_length", "heads divide the width"),
    ("attention.value_length", "heads divide the width"),
    ("attention.layer_norm_rms_epsilon", "belongs to the other kind of norm"),
    ("token_type_count", "inputs are of one type"),
    ("rope.freq_base", "positions are learned"),
    ("rope.dimension_count", "positions are learned"),
];

fn wrong(key: &str, problem: impl Into<String>) -> LoadError {
    LoadError::new(format!("metadata key {key}"), problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Value;

    /// Valid metadata in which some keys have another value, or none.
    fn read(changes: &[(&str, Option<Value>)]) -> Result<EncoderSpec, LoadError> {
        let valid = [
            ("bert.embedding_length", Value::Unsigned(12)),
            ("bert.attention.head_count", Value::Unsigned(3)),
            ("bert.block_count", Value::Unsigned(2)),
            ("bert.feed_forward_length", Value::Unsigned(20)),
            ("bert.context_length", Value::Unsigned(16)),
            ("bert.attention.layer_norm_epsilon", Value::Float(1e-12)),
        ];
        let mut metadata = Metadata::default();
        for (key, value) in changes {
            if let Some(value) = value {
                metadata.insert(*key, value.clone());
            }
        }
        for (key, value) in valid {
            if changes.iter().all(|(changed, _)| *changed != key) {
                metadata.insert(key, value);
            }
        }
        EncoderSpec::read(&metadata)
    }

    fn text(text: &str) -> Value {
        Value::String(text.into())
    }

    #[test]
    fn what_is_not_said_is_as_most_models_have_it() {
        let spec = read(&[]).unwrap();
        assert_eq!((spec.activation, spec.pooling, spec.lowercase), (Activation::Gelu, Pooling::Mean, false));
    }

    #[test]
    fn pooling_and_activation_are_read() {
        let spec = read(&[
            ("bert.pooling_type", Some(Value::Unsigned(2))),
            ("bert.hidden_activation", Some(text("gelu_new"))),
        ]);
        let spec = spec.unwrap();
        assert_eq!((spec.activation, spec.pooling), (Activation::GeluTanh, Pooling::First));
    }

    #[test]
    fn a_wrong_key_is_named() {
        let zero = || Some(Value::Unsigned(0));
        for (key, value, problem) in [
            ("bert.attention.head_count", zero(), "is zero"),
            ("bert.attention.head_count", Some(Value::Unsigned(5)), "not divisible by 5 heads"),
            ("bert.embedding_length", None, "is missing"),
            ("bert.embedding_length", Some(Value::Unsigned(u64::MAX)), "expected a non-negative integer"),
            ("bert.block_count", zero(), "is zero"),
            ("bert.context_length", Some(text("long")), "expected a non-negative integer"),
            ("bert.attention.layer_norm_epsilon", None, "is missing"),
            ("bert.attention.layer_norm_epsilon", Some(Value::Float(f64::NAN)), "not a small positive"),
            ("bert.attention.causal", Some(Value::Bool(true)), "is true"),
            ("bert.pooling_type", Some(Value::Unsigned(4)), "ranks documents"),
            ("bert.pooling_type", Some(text("mean")), "is none of 0 to 3"),
            ("bert.hidden_activation", Some(text("mish")), "\"mish\" is unknown"),
        ] {
            let error = read(&[(key, value)]).unwrap_err();
            assert!(error.subject.ends_with(key), "{error}");
            assert!(error.problem.contains(problem), "{error}");
        }
    }
}
