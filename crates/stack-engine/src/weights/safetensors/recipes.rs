//! Decides how each tensor of GGUF is made from what a directory has, before anything is read.

use std::collections::HashMap;

use super::super::{LoadError, LoadErrorKind, TensorInfo, TensorType};
use super::SafeTensorsDir;
use super::config::Config;
use super::family::{self, Family, Layout};
use super::recipe::{Change, Content, Recipe};
use super::rope::Rope;
use super::{keys, names, settings};

/// Plans all tensors of a model.
///
/// # Errors
///
/// When a tensor is not known, is of a type that is not known, or does not have the shape that its change needs.
pub(super) fn for_model(
    dir: &SafeTensorsDir,
    family: &Family,
    config: &Config<'_>,
    rope: &Rope<'_>,
) -> Result<Vec<Recipe>, LoadError> {
    let heads = Heads { all: keys::heads(config)?, kv: keys::kv_heads(config)? };
    let mut recipes = Vec::new();
    let is_tied = settings::is_tied(dir, family, config)?;
    for group in groups(dir, family)? {
        if is_tied && group.name == "output.weight" {
            continue;
        }
        recipes.push(group.recipe(dir, family, heads)?);
    }
    computed(&mut recipes, config, rope)?;
    Ok(recipes)
}

#[derive(Clone, Copy)]
struct Heads {
    all: usize,
    kv: usize,
}

/// Tensors of the directory that together become one.
struct Group {
    name: String,
    /// Names in the directory, with the place of each where several are stacked.
    parts: Vec<(Option<usize>, String)>,
}

/// Collects the tensors of the directory by what they become, in the directory's order.
fn groups(dir: &SafeTensorsDir, family: &Family) -> Result<Vec<Group>, LoadError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for source in dir.names() {
        let destination = family::destination(family, source).map_err(|()| {
            let problem = format!("has no place in the architecture {}", family.arch);
            LoadError::new(format!("tensor {}", source.escape_debug()), problem)
        })?;
        let Some(destination) = destination else { continue };
        let index = *by_name.entry(destination.name.clone()).or_insert_with(|| {
            groups.push(Group { name: destination.name, parts: Vec::new() });
            groups.len() - 1
        });
        groups[index].parts.push((destination.part, source.to_owned()));
    }
    Ok(groups)
}

impl Group {
    fn recipe(mut self, dir: &SafeTensorsDir, family: &Family, heads: Heads) -> Result<Recipe, LoadError> {
        let wrong = |name: &str, problem: String| LoadError::new(format!("tensor {name}"), problem);
        self.parts.sort();
        let is_stack = self.parts[0].0.is_some();
        let is_whole = self.parts.iter().enumerate().all(|(n, (part, _))| *part == is_stack.then_some(n));
        if !is_stack && self.parts.len() > 1 {
            let problem = format!("would be the same as {}", self.parts[0].1);
            return Err(wrong(&self.parts[1].1, problem));
        }
        if !is_whole {
            let places = self.parts.iter().enumerate();
            let gap = places.take_while(|&(n, (part, _))| *part == Some(n)).count();
            let (near, name) = &self.parts[gap.min(self.parts.len() - 1)];
            let name =
                near.map_or(name.clone(), |near| names::with_last_number(name, near, &gap.to_string()));
            return Err(wrong(&name, "is missing, although others of its kind are there".to_owned()));
        }
        let parts: Vec<String> = self.parts.into_iter().map(|(_, source)| source).collect();
        let (ty, mut shape) = described(dir, &parts[0])?;
        for part in &parts[1..] {
            if described(dir, part)? != (ty, shape.clone()) {
                return Err(wrong(part, format!("differs in type or shape from {}", parts[0])));
            }
        }
        if is_stack {
            shape.insert(0, parts.len());
        }
        let change = change(&self.name, &parts[0], family, heads);
        match change {
            Change::Transpose { .. } => shape.reverse(),
            Change::Interleave { heads } if !shape[0].is_multiple_of(2 * heads) => {
                return Err(wrong(&parts[0], format!("has {} rows, which are not {heads} heads", shape[0])));
            }
            Change::ByKind { heads } if !shape[0].is_multiple_of(3 * heads) => {
                return Err(wrong(
                    &parts[0],
                    format!("has {} rows, which are not 3 times {heads} heads", shape[0]),
                ));
            }
            _ => {}
        }
        let change = match change {
            // Known only with the shape: the columns of the matrix as stored are the rows of the new one.
            Change::Transpose { .. } => Change::Transpose { columns: shape[0] },
            other => other,
        };
        if self.name.ends_with("ffn_gate_inp_shexp.weight") && shape.len() == 2 && shape[0] == 1 {
            shape.remove(0);
        }
        let info = describe(self.name, ty, shape)?;
        Ok(Recipe { info, content: Content::Stored { parts, ty, change } })
    }
}

/// Returns a tensor's type and shape, if it is one of the types that models are made of and is not empty.
fn described(dir: &SafeTensorsDir, name: &str) -> Result<(TensorType, Vec<usize>), LoadError> {
    let wrong = |problem: String| LoadError::new(format!("tensor {name}"), problem);
    let stored_as = |ty: &str| {
        wrong(format!("has the type {ty}; only F32, F16 and BF16 are supported"))
            .of_kind(LoadErrorKind::UnknownQuantization)
    };
    let mut shape = dir.shape(name).unwrap_or_default().to_vec();
    while shape.len() > 2 && shape[0] == 1 {
        shape.remove(0);
    }
    let ty = match dir.dtype(name) {
        Some(Ok(ty @ (TensorType::F32 | TensorType::F16 | TensorType::BF16))) => ty,
        Some(Ok(ty)) => return Err(stored_as(ty.name())),
        Some(Err(ty)) => return Err(stored_as(ty)),
        None => return Err(wrong("is missing".to_owned())),
    };
    if shape.is_empty() || shape.contains(&0) || shape.len() > 3 {
        return Err(wrong(format!("has the shape {shape:?}")));
    }
    Ok((ty, shape))
}

fn change(name: &str, source: &str, family: &Family, heads: Heads) -> Change {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let part = stem.rsplit_once('.').map_or(stem, |(_, part)| part);
    match (family.layout, part) {
        _ if family.norms_less_one && source.ends_with("norm.weight") => Change::PlusOne,
        (Layout::RotatedHalves, "attn_q") => Change::Interleave { heads: heads.all },
        (Layout::RotatedHalves, "attn_k") => Change::Interleave { heads: heads.kv },
        (Layout::FusedByHead, "attn_qkv") => Change::ByKind { heads: heads.all },
        (Layout::Transposed, "attn_qkv" | "attn_output" | "ffn_up" | "ffn_down")
            if name.ends_with(".weight") =>
        {
            Change::Transpose { columns: 0 }
        }
        _ => Change::None,
    }
}

/// Vectors, norms and routers are kept in F32, as in every GGUF file; matrices stay as they are stored.
fn describe(name: String, stored: TensorType, shape: Vec<usize>) -> Result<TensorInfo, LoadError> {
    let is_exact = shape.len() < 2
        || name.ends_with("_norm.weight")
        || name.ends_with("ffn_gate_inp.weight")
        || name.ends_with("position_embd.weight");
    let ty = if is_exact { TensorType::F32 } else { stored };
    let elements = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64));
    let Some(bytes) = elements.and_then(|elements| ty.bytes_for(elements)) else {
        return Err(LoadError::new(
            format!("tensor {name}"),
            format!("has more bytes than can be counted: {shape:?}"),
        ));
    };
    Ok(TensorInfo { name, ty: Ok(ty), shape, bytes })
}

/// Adds the tensors that are computed from the settings of `RoPE`.
fn computed(recipes: &mut Vec<Recipe>, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    let size = keys::head_size(config)?;
    if size > HEAD_SIZE_MAX {
        return Err(LoadError::new(
            "config.json, head_dim",
            format!("is {size}; at most {HEAD_SIZE_MAX} is allowed"),
        ));
    }
    let settings = rope.scaling();
    let is_long = matches!(rope.kind()?, Some("longrope" | "su"));
    let long = |name| if is_long { settings.floats(&[name]) } else { Ok(None) };
    let tensors = [
        ("rope_freqs.weight", rope.llama3_factors(size)?),
        ("rope_factors_long.weight", long("long_factor")?),
        ("rope_factors_short.weight", long("short_factor")?),
    ];
    for (name, values) in tensors {
        let Some(values) = values else { continue };
        let info = describe(name.to_owned(), TensorType::F32, vec![values.len()])?;
        recipes.push(Recipe { info, content: Content::Computed(values) });
    }
    Ok(())
}

/// Real heads have at most 512 elements.
const HEAD_SIZE_MAX: usize = 1 << 16;
