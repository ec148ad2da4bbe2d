//! Settings that must agree with the tensors, or with what the architecture computes.

use super::super::LoadError;
use super::SafeTensorsDir;
use super::config::Config;
use super::family::{Bias, Family};

/// Refuses settings that say something else than what will be computed from the tensors.
pub(super) fn check(dir: &SafeTensorsDir, family: &Family, config: &Config<'_>) -> Result<(), LoadError> {
    check_activation(family, config)?;
    for bias in family.biases {
        check_bias(dir, bias, config)?;
    }
    for (setting, part) in [("use_qk_norm", ".q_norm."), ("qk_layernorm", ".q_layernorm.")] {
        let has = dir.names().any(|name| name.contains(part));
        if let Some(said) = config.boolean(&[setting])?
            && said != has
        {
            let problem =
                format!("is {said}, but norms of queries are {}there", if has { "" } else { "not " });
            return Err(LoadError::new(format!("config.json, {setting}"), problem));
        }
    }
    if family.arch == "stablelm" {
        let said = config.boolean(&["use_parallel_residual"])?.unwrap_or(false);
        let has = dir.names().any(|name| name.contains(".post_attention_layernorm."));
        if said == has {
            let problem = format!("is {said}, but a second norm is {}there", if has { "" } else { "not " });
            return Err(LoadError::new("config.json, use_parallel_residual", problem));
        }
    }
    Ok(())
}

fn check_activation(family: &Family, config: &Config<'_>) -> Result<(), LoadError> {
    for name in ["hidden_act", "hidden_activation", "activation_function"] {
        if let Some(found) = config.text(&[name])?
            && !family.activation.contains(&found)
        {
            let problem = format!("is {found:?}; {} computes with {}", family.arch, family.activation[0]);
            return Err(LoadError::new(format!("config.json, {name}"), problem));
        }
    }
    Ok(())
}

/// A bias that a setting promises and no file has would be made up, and one that is there although a setting denies it
/// would be left out, by the code that the configuration is written for.
fn check_bias(dir: &SafeTensorsDir, bias: &Bias, config: &Config<'_>) -> Result<(), LoadError> {
    let said = match bias.setting {
        Some(setting) => config.boolean(&[setting])?,
        None => None,
    };
    let expected = said.unwrap_or(bias.default);
    for name in dir.names() {
        let Some(stem) = name.strip_suffix(".weight") else { continue };
        let is_meant = |matrix: &&str| {
            stem.strip_suffix(*matrix).is_some_and(|rest| rest.ends_with('.')) && is_in_layer(stem)
        };
        if !bias.matrices.iter().any(is_meant) {
            continue;
        }
        let bias_name = format!("{stem}.bias");
        let has = dir.shape(&bias_name).is_some();
        if has != expected {
            let why = match (bias.setting, said) {
                (Some(setting), Some(said)) => format!("config.json says {setting}: {said}"),
                (Some(setting), None) => format!("config.json does not say {setting}: {has}"),
                (None, _) => {
                    format!("models of this family {} it", if expected { "have" } else { "do not have" })
                }
            };
            let problem = format!("is {}, but {why}", if has { "there" } else { "missing" });
            return Err(LoadError::new(format!("tensor {}", bias_name.escape_debug()), problem));
        }
    }
    Ok(())
}

/// Whether a tensor belongs to a layer of the decoder, and not to images or sound beside it.
fn is_in_layer(stem: &str) -> bool {
    (stem.contains("layers.") || stem.starts_with("h.") || stem.contains(".h."))
        && !["vision", "visual", "audio", "projector"].iter().any(|other| stem.contains(other))
}

/// Whether the output matrix of the directory is left out because the embeddings take its place.
///
/// Where the configuration ties both, a matrix that says the same is welcome. One that says something else would be
/// ignored by the code that the configuration is written for, and used by others.
pub(super) fn is_tied(dir: &SafeTensorsDir, family: &Family, config: &Config<'_>) -> Result<bool, LoadError> {
    let said = config.boolean(&["tie_word_embeddings"])?;
    let tied = said.unwrap_or(family.tied);
    let find = |ends: &[&str]| {
        dir.names().find(|name| ends.iter().any(|end| is_named(name, end))).map(str::to_owned)
    };
    let head = find(&["lm_head.weight", "embed_out.weight"]);
    match (tied, head) {
        (true, None) => Ok(true),
        (false, Some(_)) => Ok(false),
        (false, None) => {
            let problem = match said {
                Some(_) => "is missing, but config.json says tie_word_embeddings: false",
                None => "is missing, but config.json does not say tie_word_embeddings: true",
            };
            Err(LoadError::new("tensor lm_head.weight", problem))
        }
        (true, Some(head)) => {
            let embeddings = find(&["embed_tokens.weight", "wte.weight", "embed_in.weight"]);
            if embeddings.is_some_and(|embeddings| is_equal(dir, &head, &embeddings).unwrap_or(false)) {
                return Ok(true);
            }
            let problem = "differs from the embeddings, but config.json ties both (tie_word_embeddings)";
            Err(LoadError::new(format!("tensor {head}"), problem))
        }
    }
}

fn is_named(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether two tensors have the same content, read piece by piece.
fn is_equal(dir: &SafeTensorsDir, a: &str, b: &str) -> Result<bool, LoadError> {
    if dir.shape(a) != dir.shape(b) || dir.dtype(a) != dir.dtype(b) {
        return Ok(false);
    }
    let (a, b) = (dir.data([a].into_iter())?, dir.data([b].into_iter())?);
    let mut buffers = [vec![0; PIECE], vec![0; PIECE]];
    let mut start = 0;
    while start < a.len() {
        let size = (a.len() - start).min(PIECE as u64);
        let [ours, theirs] = buffers.each_mut().map(|buffer| &mut buffer[..size as usize]);
        a.read_at(start, ours)?;
        b.read_at(start, theirs)?;
        if ours != theirs {
            return Ok(false);
        }
        start += size;
    }
    Ok(true)
}

const PIECE: usize = 1 << 20;
