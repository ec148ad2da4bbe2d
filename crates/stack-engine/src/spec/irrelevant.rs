//! Keys that a file may carry although nothing asks for them: each by name, with the reason.

use super::{DecoderSpec, FeedForward, Mixer, known_architectures};
use crate::weights::Value;

/// Says why a key of the architecture, without its prefix, does not matter to the numbers; `None` if it may.
pub(super) fn key(name: &str, value: &Value, spec: &DecoderSpec) -> Option<&'static str> {
    if value.is_neutral() {
        return Some("says no, none or nothing");
    }
    let found = KEYS.iter().find(|(known, _, _)| *known == name);
    if let Some((_, condition, reason)) = found {
        let holds = match condition {
            If::Always => true,
            If::Is(number) => numbers(value).is_some_and(|found| found.iter().all(|found| found == number)),
            If::Architecture(names) => names.contains(&spec.architecture.as_str()),
        };
        return holds.then_some(*reason);
    }
    if ["vision.", "audio.", "mm.", "projector."].iter().any(|prefix| name.starts_with(prefix)) {
        return Some("concerns images and sound only");
    }
    let rotates = spec.layers.iter().any(|layer| layer.mixer.rope().is_some());
    if name.starts_with("rope.") && !rotates {
        return Some("the model does not rotate");
    }
    let rope = spec.layers.iter().find_map(|layer| layer.mixer.rope());
    if name.starts_with("rope.scaling.yarn_") && rope.is_none_or(|rope| rope.yarn.is_none()) {
        return Some("only YaRN uses it");
    }
    let has_experts = spec
        .layers
        .iter()
        .any(|layer| matches!(layer.feed_forward, FeedForward::Experts(_)) || layer.side_experts.is_some());
    if ["expert_weights_norm", "expert_gating_func"].contains(&name) && !has_experts {
        return Some("there are no experts");
    }
    let latent = spec.layers.iter().all(|layer| matches!(layer.mixer, Mixer::Latent(_)));
    (name == "attention.head_count_kv" && latent).then_some("all heads share one latent key")
}

/// Whether a key outside of the architecture's own namespace shapes a computation: those of other architectures, and
/// the few that have none. All other namespaces belong to the format's describing part (`general`, `tokenizer`,
/// `split`), which is read elsewhere, or to the tools that wrote the file.
pub(super) fn is_foreign(key: &str) -> bool {
    let namespace = key.split_once('.').map_or(key, |(namespace, _)| namespace);
    namespace == "xielu" || known_architectures().contains(&namespace)
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Float(number) => Some(vec![*number]),
        Value::Floats(list) => Some(list.iter().map(|&number| f64::from(number)).collect()),
        Value::Integers(list) => Some(list.iter().map(|&number| number as f64).collect()),
        other => other.as_i64().map(|number| vec![number as f64]),
    }
}

/// When a key does not matter.
enum If {
    Always,
    /// While it has this value.
    Is(f64),
    /// In these architectures.
    Architecture(&'static [&'static str]),
}

const SHAPES: &str = "the shapes of the tensors say it";
const LAYERS: &str = "which layers have experts shows in their tensors";
const IMAGES: &str = "concerns images only";
const OTHERS: &str = "the default of a key that only other architectures use";

const KEYS: &[(&str, If, &str)] = &[
    ("vocab_size", If::Always, SHAPES),
    ("feed_forward_length", If::Always, SHAPES),
    ("expert_feed_forward_length", If::Always, SHAPES),
    ("expert_shared_feed_forward_length", If::Always, SHAPES),
    ("expert_shared_count", If::Always, SHAPES),
    ("leading_dense_block_count", If::Always, LAYERS),
    ("interleave_moe_layer_step", If::Always, LAYERS),
    ("moe_every_n_layers", If::Always, LAYERS),
    ("tensor_data_layout", If::Always, "the order of rows is the same in every file of the format"),
    ("pooling_type", If::Always, "is read where texts are embedded"),
    ("classifier.output_labels", If::Always, "names the classes of a head that is not used for text"),
    ("attention.layer_norm_epsilon", If::Always, "belongs to the other kind of norm"),
    ("attention.layer_norm_rms_epsilon", If::Always, "belongs to the other kind of norm"),
    ("attention.group_norm_epsilon", If::Always, "belongs to another kind of norm"),
    ("attention.causal", If::Is(1.0), "every decoder looks back"),
    ("attention.rope_pattern", If::Is(1.0), "every layer rotates that can"),
    ("rope.scaling.finetuned", If::Always, "says how the model was trained"),
    ("rope.scaling.original_context_length", If::Always, "only stretched rotations use it"),
    (
        "use_parallel_residual",
        If::Architecture(&["stablelm"]),
        "whether a layer has a second norm shows in its tensors",
    ),
    (
        "attention.sliding_window",
        If::Architecture(&["phi3", "phimoe", "exaone4"]),
        "llama.cpp, which defines these files, does not use it",
    ),
    (
        "attention.sliding_window_pattern",
        If::Architecture(&["exaone4"]),
        "llama.cpp, which defines these files, does not use it",
    ),
    (
        "rope.dimension_sections",
        If::Architecture(&["qwen3vl", "qwen3vlmoe"]),
        "text has the same position in every section",
    ),
    ("shortconv.l_cache", If::Architecture(&["lfm2", "lfm2moe"]), "no layer has a convolution"),
    ("n_deepstack_layers", If::Architecture(&["qwen3vl", "qwen3vlmoe"]), IMAGES),
    ("deepstack_mapping", If::Architecture(&["granite"]), IMAGES),
    ("expert_weights_scale", If::Is(1.0), "multiplies by one"),
    ("router_logit_softcapping", If::Is(30.0), OTHERS),
    ("expert_group_scale", If::Is(0.05f32 as f64), OTHERS),
    ("token_shift_count", If::Is(2.0), OTHERS),
    ("attention.indexer.kpool_select_tail", If::Is(1.0), OTHERS),
    ("activation.situ_beta", If::Is(1.0), OTHERS),
    ("kda.gate_lower_bound", If::Always, OTHERS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_of_architectures_shape_a_computation() {
        for foreign in ["xielu.beta", "llama.rope.freq_base", "gpt-oss.x"] {
            assert!(is_foreign(foreign), "{foreign}");
        }
        for own in
            ["general.name", "tokenizer.ggml.model", "quantize.imatrix.file", "mradermacher.x", "split.no"]
        {
            assert!(!is_foreign(own), "{own}");
        }
    }
}
