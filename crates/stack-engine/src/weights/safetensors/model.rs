//! A `SafeTensors` directory as a source of weights.

use std::collections::HashMap;
use std::path::Path;

use super::super::{LoadError, Metadata, TensorInfo, WeightSource};
use super::SafeTensorsDir;
use super::config::Config;
use super::family::Family;
use super::recipe::Recipe;
use super::rope::Rope;
use super::{keys, plan};

/// A model in a `SafeTensors` directory, under GGUF's names.
#[derive(Debug)]
pub struct SafeTensorsModel {
    dir: SafeTensorsDir,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    recipes: Vec<Recipe>,
    by_name: HashMap<String, usize>,
}

impl SafeTensorsModel {
    /// Opens a directory with a model of a family that is known.
    ///
    /// # Errors
    ///
    /// Names the file, setting or tensor that is missing or wrong; for an unknown family, lists the known ones.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Self::new(SafeTensorsDir::open(path)?)
    }

    fn new(dir: SafeTensorsDir) -> Result<Self, LoadError> {
        let config = Config::new(dir.config())?;
        if let Some(method) = quantization(&config)? {
            let problem =
                format!("says that the weights are quantized with {method}; F32, F16 and BF16 are read");
            return Err(LoadError::new("config.json, quantization_config", problem));
        }
        let family = Family::of(&config)?;
        let rope = Rope::new(&config)?;
        let metadata = keys::metadata(dir.path(), family, &config, &rope)?;
        let recipes = plan::plan(&dir, family, &config, &rope)?;
        let tensors: Vec<TensorInfo> = recipes.iter().map(|recipe| recipe.info.clone()).collect();
        let by_name = tensors.iter().enumerate().map(|(index, info)| (info.name.clone(), index)).collect();
        Ok(Self { dir, metadata, tensors, recipes, by_name })
    }
}

impl WeightSource for SafeTensorsModel {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, LoadError> {
        let Some(&index) = self.by_name.get(name) else {
            return Err(LoadError::new(format!("tensor {name}"), "is not in the model"));
        };
        self.recipes[index].read(&self.dir)
    }

    fn size_bytes(&self) -> u64 {
        self.dir.size_bytes()
    }
}

fn quantization<'a>(config: &Config<'a>) -> Result<Option<&'a str>, LoadError> {
    let Some(settings) = config.object(&["quantization_config"])? else { return Ok(None) };
    Ok(Some(Config::of(Some(settings)).text(&["quant_method"])?.unwrap_or("an unnamed method")))
}
