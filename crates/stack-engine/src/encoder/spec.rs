//! What an encoder's metadata says of it.

use stack_kernels::Nonlinearity;

use super::family::{Family, Positions, Windows};
use super::keys::Keys;
use crate::pooling::Pooling;
use crate::spec::{Norm, NormKind, RopeSpec, Rotation};
use crate::weights::{LoadError, Metadata, Value};

/// An encoder, in every respect but its weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EncoderSpec {
    pub(super) family: &'static Family,
    /// Length of a hidden state.
    pub(super) width: usize,
    /// Number of layers.
    pub(super) layers: usize,
    /// Query heads.
    pub(super) heads: usize,
    /// Key and value heads.
    pub(super) kv_heads: usize,
    /// Length of a head's queries, keys and values.
    pub(super) head_length: usize,
    /// Length of the hidden states inside feed-forward networks.
    pub(super) inner: usize,
    /// Tokens that an input may have.
    pub(super) context: usize,
    pub(super) norm: Norm,
    pub(super) activation: Activation,
    /// The rotation in layers that see everything.
    pub(super) rope: Option<RopeSpec>,
    /// The layers that see a window.
    pub(super) local: Option<Local>,
    /// How hidden states become a vector to be compared, unless the file says that the model only ranks.
    pub(super) pooling: Option<Pooling>,
    /// How they become what a head reads.
    pub(super) head_pooling: Pooling,
    /// Lengths that vectors may be cut to.
    pub(super) dimensions: Vec<usize>,
    /// Whether texts are lowercased before they are tokenized.
    pub(super) lowercase: bool,
}

/// The layers that see only a window around each token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Local {
    /// Tokens that are seen on each side.
    pub(super) reach: usize,
    pub(super) rope: Option<RopeSpec>,
    /// For each layer whether it is one of them.
    layers: Vec<bool>,
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
        let keys = Keys::new(metadata)?;
        let spec = Self::from(&keys)?;
        keys.refuse_unasked()?;
        Ok(spec)
    }

    fn from(keys: &Keys<'_>) -> Result<Self, LoadError> {
        let family = keys.family;
        let (width, heads) = (keys.required("embedding_length")?, keys.required("attention.head_count")?);
        let kv_heads = keys.count("attention.head_count_kv")?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            let problem = format!("{heads} heads cannot share {kv_heads} evenly");
            return Err(keys.wrong("attention.head_count_kv", problem));
        }
        if keys.flag("attention.causal")? == Some(true) {
            let problem = "is true, but an encoder attends to all of its input";
            return Err(keys.wrong("attention.causal", problem));
        }
        let head_length = head_length(keys, width, heads)?;
        let rope = |base: Option<f32>| {
            (family.positions == Positions::Rotated).then(|| rotation(keys, head_length, base)).transpose()
        };
        let shared = keys.positive("rope.freq_base")?;
        let layers = keys.required("block_count")?;
        Ok(Self {
            family,
            width,
            layers,
            heads,
            kv_heads,
            head_length,
            inner: keys.required("feed_forward_length")?,
            context: keys.required("context_length")?,
            norm: norm(keys)?,
            activation: Activation::read(keys)?,
            rope: rope(shared)?,
            local: match (family.windows, keys.count("attention.sliding_window")?) {
                (Some(windows), Some(window)) => Some(Local {
                    reach: window / 2,
                    rope: rope(keys.positive("rope.freq_base_swa")?.or(Some(LOCAL_BASE)))?,
                    layers: windowed(keys, windows, layers)?,
                }),
                (None, Some(_)) => {
                    let problem = format!("gives {} a window, which it does not have", family.name);
                    return Err(keys.wrong("attention.sliding_window", problem));
                }
                (_, None) => None,
            },
            pooling: pooling(keys)?,
            head_pooling: head_pooling(keys)?,
            dimensions: dimensions(keys, width)?,
            lowercase: keys.flag("lowercase_texts")? == Some(true),
        })
    }

    /// The window of a layer, if it has one.
    pub(super) fn local(&self, layer: usize) -> Option<&Local> {
        self.local.as_ref().filter(|local| local.layers[layer])
    }

    /// The rotation of a layer, if it has one.
    pub(super) fn rope(&self, layer: usize) -> Option<&RopeSpec> {
        self.local(layer).map_or(self.rope.as_ref(), |local| local.rope.as_ref())
    }

    /// The exponent of the largest slope, where scores are biased by distance.
    pub(super) fn alibi_max(&self) -> Option<f32> {
        if let Positions::Biased(max) = self.family.positions { Some(max) } else { None }
    }

    /// Multiplies q·k.
    pub(super) fn attention_scale(&self) -> f32 {
        1.0 / (self.head_length as f32).sqrt()
    }
}

impl Activation {
    /// Reads the key, under the names that Hugging Face gives. Most files of llama.cpp's converter do not have it; all
    /// models of a family were trained with the same one then.
    fn read(keys: &Keys<'_>) -> Result<Self, LoadError> {
        let key = "hidden_activation";
        match keys.text(key)? {
            None => Ok(keys.family.activation),
            Some("gelu" | "gelu_python") => Ok(Self::Gelu),
            Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Self::GeluTanh),
            Some("relu") => Ok(Self::Relu),
            Some("silu" | "swish") => Ok(Self::Silu),
            Some(other) => {
                let problem = format!("{other:?} is unknown; known are gelu, gelu_new, relu and silu");
                Err(keys.wrong(key, problem))
            }
        }
    }

    /// The kernels' name of it.
    pub(super) fn kernel(self) -> Nonlinearity {
        match self {
            Self::Gelu => Nonlinearity::GeluErf,
            Self::GeluTanh => Nonlinearity::Gelu,
            Self::Relu => Nonlinearity::Relu,
            Self::Silu => Nonlinearity::Silu,
        }
    }
}

fn head_length(keys: &Keys<'_>, width: usize, heads: usize) -> Result<usize, LoadError> {
    let (key, value) = (keys.count("attention.key_length")?, keys.count("attention.value_length")?);
    if let (Some(key), Some(value)) = (key, value)
        && key != value
    {
        return Err(keys.wrong("attention.value_length", format!("{value} is not the {key} of keys")));
    }
    match key.or(value) {
        Some(length) => Ok(length),
        None if width.is_multiple_of(heads) => Ok(width / heads),
        None => {
            let problem = format!("{width} dimensions are not divisible by {heads} heads");
            Err(keys.wrong("attention.head_count", problem))
        }
    }
}

fn rotation(keys: &Keys<'_>, length: usize, base: Option<f32>) -> Result<RopeSpec, LoadError> {
    let dimensions = keys.count("rope.dimension_count")?.unwrap_or(length);
    if dimensions > length || !dimensions.is_multiple_of(2) {
        let problem = format!("{dimensions} dimensions of a head of {length} cannot be rotated in pairs");
        return Err(keys.wrong("rope.dimension_count", problem));
    }
    match keys.text("rope.scaling.type")? {
        None | Some("none") => {}
        Some("linear") if keys.positive("rope.scaling.factor")?.unwrap_or(1.0) == 1.0 => {}
        Some(other) => {
            let problem = format!("{other:?} stretches the context, which is not known for encoders");
            return Err(keys.wrong("rope.scaling.type", problem));
        }
    }
    Ok(RopeSpec {
        rotation: Rotation::Halves,
        dimensions,
        base: base.unwrap_or(BASE),
        factor: 1.0,
        yarn: None,
        magnitude: 1.0,
        pairs_rotated: dimensions / 2,
        divisors: false,
    })
}

fn norm(keys: &Keys<'_>) -> Result<Norm, LoadError> {
    let kind = keys.family.norm;
    let key = match kind {
        NormKind::Layer => "attention.layer_norm_epsilon",
        NormKind::Rms => "attention.layer_norm_rms_epsilon",
    };
    let epsilon = keys.float(key)?.ok_or_else(|| keys.wrong(key, "is missing"))?;
    if !epsilon.is_finite() || epsilon <= 0.0 {
        return Err(keys.wrong(key, format!("{epsilon} is not a small positive number")));
    }
    Ok(Norm { kind, epsilon, weighted: true })
}

/// Which layers have a window: the file says how many layers one of them that has none belongs to, or lists them all.
fn windowed(keys: &Keys<'_>, windows: Windows, layers: usize) -> Result<Vec<bool>, LoadError> {
    // The count is only the file's word, and nothing must be allocated by it that no tensors justify.
    if layers > LAYERS_MAX {
        return Err(keys.wrong("block_count", format!("{layers} is out of range")));
    }
    let key = "attention.sliding_window_pattern";
    let Windows { mut period, global_first } = windows;
    match keys.list(key)?.as_deref() {
        None => {}
        Some(&[number]) => {
            period = usize::try_from(number)
                .ok()
                .filter(|&period| period > 0)
                .ok_or_else(|| keys.wrong(key, format!("{number} is not a number of layers")))?;
        }
        Some(flags) if flags.len() == layers => return Ok(flags.iter().map(|&flag| flag != 0).collect()),
        Some(flags) => {
            return Err(keys.wrong(key, format!("has {} values for {layers} layers", flags.len())));
        }
    }
    let global = if global_first { 0 } else { period - 1 };
    Ok((0..layers).map(|layer| layer % period != global).collect())
}

fn pooling(keys: &Keys<'_>) -> Result<Option<Pooling>, LoadError> {
    let key = "pooling_type";
    match keys.value(key).map(Value::as_i64) {
        // 0 is "none" and −1, which files also write without its sign, "not said": then the mean is usual.
        None | Some(Some(-1 | 0 | 1 | 0xFFFF_FFFF)) => Ok(Some(Pooling::Mean)),
        Some(Some(2)) => Ok(Some(Pooling::First)),
        Some(Some(3)) => Ok(Some(Pooling::Last)),
        Some(Some(4)) => Ok(None),
        Some(_) => Err(keys.wrong(key, "is none of 0 to 4: none, mean, first, last and rank")),
    }
}

/// What a head that ranks reads.
fn head_pooling(keys: &Keys<'_>) -> Result<Pooling, LoadError> {
    let key = "classifier.pooling_type";
    match keys.value(key).map(Value::as_i64) {
        None => Ok(keys.family.head_pooling),
        Some(Some(1)) => Ok(Pooling::Mean),
        Some(Some(2)) => Ok(Pooling::First),
        Some(Some(3)) => Ok(Pooling::Last),
        Some(_) => Err(keys.wrong(key, "is none of 1 to 3: mean, first and last")),
    }
}

/// Lengths that vectors may be cut to.
fn dimensions(keys: &Keys<'_>, width: usize) -> Result<Vec<usize>, LoadError> {
    let key = "matryoshka_dimensions";
    let Some(stated) = keys.list(key)? else { return Ok(keys.family.dimensions.to_vec()) };
    let lengths: Option<Vec<usize>> = stated
        .into_iter()
        .map(|length| usize::try_from(length).ok().filter(|length| (1..=width).contains(length)))
        .collect();
    lengths.ok_or_else(|| keys.wrong(key, format!("has a length that is not among 1 to {width}")))
}

/// The base of rotations of a file that names none.
const BASE: f32 = 10_000.0;
/// The base in layers with a window, of a file that names none.
const LOCAL_BASE: f32 = 10_000.0;
/// Most layers that a file may claim.
const LAYERS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    /// Valid metadata of a family in which some keys have another value, or none.
    fn read_as(family: &str, changes: &[(&str, Option<Value>)]) -> Result<EncoderSpec, LoadError> {
        let valid = [
            ("embedding_length", Value::Unsigned(12)),
            ("attention.head_count", Value::Unsigned(3)),
            ("block_count", Value::Unsigned(7)),
            ("feed_forward_length", Value::Unsigned(20)),
            ("context_length", Value::Unsigned(16)),
            ("attention.layer_norm_epsilon", Value::Float(1e-12)),
            ("attention.layer_norm_rms_epsilon", Value::Float(1e-6)),
        ];
        let mut metadata = Metadata::default();
        metadata.insert("general.architecture", text(family));
        for (key, value) in changes {
            if let Some(value) = value {
                metadata.insert(format!("{family}.{key}"), value.clone());
            }
        }
        for (key, value) in valid {
            if changes.iter().all(|(changed, _)| *changed != key) {
                metadata.insert(format!("{family}.{key}"), value);
            }
        }
        EncoderSpec::read(&metadata)
    }

    fn read(changes: &[(&str, Option<Value>)]) -> Result<EncoderSpec, LoadError> {
        read_as("bert", changes)
    }

    fn text(text: &str) -> Value {
        Value::String(text.into())
    }

    #[test]
    fn what_is_not_said_is_as_most_models_have_it() {
        let spec = read(&[]).unwrap();
        assert_eq!(
            (spec.activation, spec.pooling, spec.lowercase),
            (Activation::Gelu, Some(Pooling::Mean), false)
        );
        assert_eq!((spec.rope, spec.local, spec.kv_heads, spec.head_length), (None, None, 3, 4));
    }

    #[test]
    fn pooling_and_activation_are_read() {
        let spec = read(&[
            ("pooling_type", Some(Value::Unsigned(2))),
            ("hidden_activation", Some(text("gelu_new"))),
        ]);
        let spec = spec.unwrap();
        assert_eq!((spec.activation, spec.pooling), (Activation::GeluTanh, Some(Pooling::First)));
        let ranks = read(&[
            ("pooling_type", Some(Value::Unsigned(4))),
            ("classifier.pooling_type", Some(Value::Unsigned(1))),
        ]);
        let ranks = ranks.unwrap();
        assert_eq!((ranks.pooling, ranks.head_pooling), (None, Pooling::Mean));
    }

    #[test]
    fn windows_repeat_as_the_family_or_the_file_says() {
        let of = |family, more: &[(&str, Option<Value>)]| {
            let window = ("attention.sliding_window", Some(Value::Unsigned(9)));
            let spec = read_as(family, &[&[window], more].concat()).unwrap();
            assert!(spec.local.as_ref().is_some_and(|local| local.reach == 4));
            (0..7).map(|layer| spec.local(layer).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(of("modern-bert", &[]), [false, true, true, false, true, true, false]);
        assert_eq!(of("gemma-embedding", &[]), [true, true, true, true, true, false, true]);
        let pattern = |value| [("attention.sliding_window_pattern", Some(value))];
        assert_eq!(
            of("modern-bert", &pattern(Value::Unsigned(2))),
            [false, true, false, true, false, true, false]
        );
        let list = Value::Integers(vec![1, 1, 0, 0, 0, 0, 1]);
        assert_eq!(of("gemma-embedding", &pattern(list)), [true, true, false, false, false, false, true]);
    }

    #[test]
    fn a_wrong_key_is_named() {
        let zero = || Some(Value::Unsigned(0));
        for (family, key, value, problem) in [
            ("bert", "attention.head_count", zero(), "is zero"),
            ("bert", "attention.head_count", Some(Value::Unsigned(5)), "not divisible by 5 heads"),
            ("bert", "attention.head_count_kv", Some(Value::Unsigned(2)), "cannot share 2 evenly"),
            ("bert", "embedding_length", None, "is missing"),
            ("bert", "embedding_length", Some(Value::Unsigned(u64::MAX)), "expected a non-negative integer"),
            ("bert", "block_count", zero(), "is zero"),
            ("bert", "context_length", Some(text("long")), "expected a non-negative integer"),
            ("bert", "attention.layer_norm_epsilon", None, "is missing"),
            ("bert", "attention.layer_norm_epsilon", Some(Value::Float(f64::NAN)), "not a small positive"),
            ("bert", "attention.causal", Some(Value::Bool(true)), "is true"),
            ("bert", "pooling_type", Some(Value::Unsigned(5)), "is none of 0 to 4"),
            ("bert", "pooling_type", Some(text("mean")), "is none of 0 to 4"),
            ("bert", "hidden_activation", Some(text("mish")), "\"mish\" is unknown"),
            ("bert", "attention.sliding_window", Some(Value::Unsigned(8)), "does not have"),
            ("bert", "a_new_scale", Some(Value::Float(0.5)), "will not guess"),
            ("nomic-bert", "rope.scaling.type", Some(text("yarn")), "stretches the context"),
            ("nomic-bert", "rope.dimension_count", Some(Value::Unsigned(6)), "cannot be rotated"),
            ("nomic-bert", "matryoshka_dimensions", Some(Value::Integers(vec![4, 13])), "among 1 to 12"),
            ("gemma-embedding", "attention.value_length", Some(Value::Unsigned(3)), "is not the 4"),
        ] {
            let own_length = (family == "gemma-embedding").then_some(Value::Unsigned(4));
            let error = read_as(family, &[(key, value), ("attention.key_length", own_length)]).unwrap_err();
            assert!(error.subject.ends_with(key), "{error}");
            assert!(error.problem.contains(problem), "{error}");
        }
    }
}
