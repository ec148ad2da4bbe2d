//! What a directory calls the tensors that are known under GGUF's names, for messages.

use super::family::{Family, LAYER, Layout, MODEL, destination};

/// Returns the name in a directory with these `names` of the tensor that GGUF calls `wanted`. For one that is missing it
/// is the name that the others suggest. `None` where `wanted` is no tensor that the family could have.
pub(super) fn in_directory<'a>(
    family: &Family,
    names: &(impl Iterator<Item = &'a str> + Clone),
    wanted: &str,
) -> Option<String> {
    let wanted = TensorName::parse(wanted)?;
    let known = names.clone().filter_map(|name| Some((name, destination(family, name).ok()??)));
    // The tensor itself, or else that of another layer, or else its bias or weight.
    let alike = known.filter_map(|(name, destination)| {
        let found = TensorName::parse(&destination.name).filter(|found| found.part == wanted.part)?;
        Some((found == wanted, name, found.layer, destination.part))
    });
    let Some((_, name, layer, part)) = alike.reduce(|best, next| if next.0 && !best.0 { next } else { best })
    else {
        return wanted.guess(family, names);
    };
    let (stem, _) = name.rsplit_once('.')?;
    let stem = match (layer, wanted.layer) {
        (Some(from), Some(to)) => with_number(stem, from, &to.to_string()),
        _ => stem.to_owned(),
    };
    // Of several that are stacked, all are meant.
    let stem = part.map_or(stem.clone(), |part| with_last_number(&stem, part, "*"));
    Some(format!("{stem}.{}", wanted.kind))
}

/// A tensor of GGUF.
#[derive(PartialEq, Eq)]
struct TensorName<'a> {
    layer: Option<usize>,
    part: &'a str,
    kind: &'a str,
}

impl<'a> TensorName<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (stem, kind) = name.rsplit_once('.')?;
        match stem.strip_prefix("blk.") {
            None => Some(Self { layer: None, part: stem, kind }),
            Some(rest) => {
                let (layer, part) = rest.split_once('.')?;
                Some(Self { layer: Some(layer.parse().ok()?), part, kind })
            }
        }
    }

    /// Names a tensor of which the directory has no other layer's.
    fn guess<'n>(&self, family: &Family, names: &(impl Iterator<Item = &'n str> + Clone)) -> Option<String> {
        // How the directory begins the names of its layers.
        let before = names.clone().find_map(|name| {
            let at = name.find("layers.").map(|at| at + "layers.".len()).or_else(|| {
                let at = name.find("h.")?;
                (at == 0 || name[..at].ends_with('.')).then_some(at + "h.".len())
            })?;
            Some(&name[..at])
        });
        let before = before.unwrap_or("model.layers.");
        let own = if self.part == family.post_attention { Some("post_attention_layernorm") } else { None };
        let table = if self.layer.is_some() { LAYER } else { MODEL };
        let named = table.iter().filter(|(_, to)| *to == self.part).map(|(from, _)| *from);
        let candidates: Vec<&str> = own.into_iter().filter(|_| self.layer.is_some()).chain(named).collect();
        let outside: &[&str] = match family.layout {
            Layout::Transposed => &["wte", "wpe", "ln_f"],
            Layout::FusedByHead => &["embed_in", "embed_out", "final_layer_norm"],
            Layout::Same | Layout::RotatedHalves => &[],
        };
        // A directory that says `attn.c_attn` says `attn.c_proj`, too.
        let is_used = |candidate: &&&str| {
            let first = candidate.split('.').next().unwrap_or_default();
            outside.contains(*candidate)
                || names.clone().any(|name| name.split('.').any(|word| word == first))
        };
        let from = candidates.iter().find(is_used).or(candidates.first())?;
        let kind = self.kind;
        Some(match self.layer {
            Some(layer) => format!("{before}{layer}.{from}.{kind}"),
            None if matches!(*from, "lm_head" | "embed_out") => format!("{from}.{kind}"),
            None => format!("{}{from}.{kind}", before.trim_end_matches("layers.").trim_end_matches("h.")),
        })
    }
}

/// Puts another number for the first word of a name that is this number.
fn with_number(name: &str, from: usize, to: &str) -> String {
    let mut is_done = false;
    let words = name.split('.').map(|word| {
        let is_it = !is_done && word.parse() == Ok(from);
        is_done |= is_it;
        if is_it { to } else { word }
    });
    words.collect::<Vec<_>>().join(".")
}

/// Puts something else for the last word of a name that is this number.
pub(super) fn with_last_number(name: &str, from: usize, to: &str) -> String {
    let mut words: Vec<&str> = name.split('.').collect();
    if let Some(word) = words.iter_mut().rev().find(|word| word.parse() == Ok(from)) {
        *word = to;
    }
    words.join(".")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::config::Config;
    use super::*;

    fn name(class: &str, names: &[&str], wanted: &str) -> Option<String> {
        let json = json!({"architectures": [class]});
        let family = Family::of(&Config::new(&json).unwrap()).unwrap();
        in_directory(family, &names.iter().copied(), wanted)
    }

    #[test]
    fn tensors_have_the_names_of_their_directory() {
        let names = [
            "model.embed_tokens.weight",
            "model.layers.0.mlp.up_proj.weight",
            "model.layers.2.mlp.up_proj.weight",
            "model.layers.0.post_attention_layernorm.weight",
        ];
        let cases = [
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("blk.2.ffn_up.weight", "model.layers.2.mlp.up_proj.weight"),
            ("blk.3.ffn_up.weight", "model.layers.3.mlp.up_proj.weight"),
            ("blk.3.ffn_up.bias", "model.layers.3.mlp.up_proj.bias"),
            ("blk.1.ffn_norm.weight", "model.layers.1.post_attention_layernorm.weight"),
            ("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"),
            ("output.weight", "lm_head.weight"),
            ("output_norm.weight", "model.norm.weight"),
        ];
        for (wanted, expected) in cases {
            assert_eq!(name("LlamaForCausalLM", &names, wanted).as_deref(), Some(expected));
        }
        for wanted in ["", "x", "model.embed_tokens.weight", "blk.x.ffn_up.weight", "blk.0.mystery.weight"] {
            assert_eq!(name("LlamaForCausalLM", &names, wanted), None, "{wanted}");
        }
    }

    #[test]
    fn of_experts_that_are_stacked_all_are_named() {
        let names = ["model.layers.4.block_sparse_moe.experts.7.w3.weight"];
        let named = |wanted| name("MixtralForCausalLM", &names, wanted).unwrap();
        assert_eq!(named("blk.4.ffn_up_exps.weight"), "model.layers.4.block_sparse_moe.experts.*.w3.weight");
        assert_eq!(
            named("blk.2.ffn_gate_exps.weight"),
            "model.layers.2.block_sparse_moe.experts.*.w1.weight"
        );
    }

    #[test]
    fn a_missing_tensor_is_named_as_its_neighbours_are() {
        let gpt2 = ["wte.weight", "h.0.attn.c_attn.weight", "h.0.ln_1.weight"];
        let missing = |wanted| name("GPT2LMHeadModel", &gpt2, wanted).unwrap();
        assert_eq!(missing("blk.0.attn_output.weight"), "h.0.attn.c_proj.weight");
        assert_eq!(missing("output_norm.weight"), "ln_f.weight");
        let neox = ["gpt_neox.layers.0.attention.query_key_value.weight"];
        let missing = |wanted| name("GPTNeoXForCausalLM", &neox, wanted).unwrap();
        assert_eq!(missing("blk.5.attn_output.weight"), "gpt_neox.layers.5.attention.dense.weight");
        assert_eq!(name("LlamaForCausalLM", &[], "token_embd.weight").unwrap(), "model.embed_tokens.weight");
    }
}
