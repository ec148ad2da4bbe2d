//! A directory with `config.json` and one or more `.safetensors` files, under its own names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value as Json;

use super::super::file::ModelFile;
use super::super::open::is_safetensors;
use super::super::{Files, Foreign, LoadError, LoadErrorKind, TensorData, TensorType, dequantize};
use super::header::{self, Entry};

/// A `SafeTensors` directory that is open for reading.
#[derive(Debug)]
pub struct SafeTensorsDir {
    files: Files,
    config: Json,
    parts: Vec<ModelFile>,
    /// Which file each tensor is in, and what it says of it.
    tensors: Vec<(usize, Entry)>,
    by_name: HashMap<String, usize>,
}

impl SafeTensorsDir {
    /// Opens a directory.
    ///
    /// # Errors
    ///
    /// When `config.json` or a file of the model is missing or wrong; says which.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Self::read_from(Files::at(path)?)
    }

    /// Reads the headers of a folder's files.
    pub(crate) fn read_from(files: Files) -> Result<Self, LoadError> {
        let config = json(&files, "config.json", CONFIG_BYTES_MAX)?;
        let mut dir = Self { files, config, parts: Vec::new(), tensors: Vec::new(), by_name: HashMap::new() };
        if dir.files.has(INDEX) {
            dir.add_shards()?;
        } else if dir.files.has(WHOLE) {
            dir.add_file(WHOLE, |_| true)?;
        } else {
            return Err(no_weights(&dir.files)?);
        }
        Ok(dir)
    }

    /// The files of the folder.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Ends reading and returns the files.
    pub(crate) fn into_files(self) -> Files {
        self.files
    }

    /// What `config.json` says.
    pub fn config(&self) -> &Json {
        &self.config
    }

    /// Names the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.tensors.iter().map(|(_, entry)| entry.name.as_str())
    }

    /// Returns the dimensions of a tensor, outermost first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entry(name).map(|(_, entry)| entry.shape.as_slice())
    }

    /// Returns the type of a tensor, or the name of one that this program does not know.
    pub fn dtype(&self, name: &str) -> Option<Result<TensorType, &str>> {
        self.entry(name).map(|(_, entry)| entry.ty.as_ref().copied().map_err(String::as_str))
    }

    /// Reads the data of a tensor, as stored.
    ///
    /// # Errors
    ///
    /// When there is no such tensor, or it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, LoadError> {
        let (file, entry) = self.entry(name).ok_or_else(|| self.missing(name))?;
        file.read(entry.offset, entry.bytes)
    }

    /// Returns the data of tensors one after the other, as stored, to be read in parts.
    pub(super) fn data<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<TensorData<'_>, LoadError> {
        let mut data = TensorData::default();
        for name in names {
            let (file, entry) = self.entry(name).ok_or_else(|| self.missing(name))?;
            file.check(entry.offset, entry.bytes)?;
            data = data.with_file(file, entry.offset, entry.bytes);
        }
        Ok(data)
    }

    /// Reads a tensor as f32, with its shape.
    ///
    /// # Errors
    ///
    /// When there is no such tensor, its type is not known, or it cannot be read.
    pub fn read_f32(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), LoadError> {
        let (_, entry) = self.entry(name).ok_or_else(|| self.missing(name))?;
        let ty = entry.ty.clone().map_err(|ty| {
            LoadError::new(format!("tensor {name}"), format!("has the unsupported type {ty}"))
        })?;
        let bytes = self.read(name)?;
        let mut values = vec![0.0; entry.shape.iter().product()];
        dequantize(ty, &bytes, &mut values)?;
        Ok((entry.shape.clone(), values))
    }

    /// Bytes of all files together.
    pub fn size_bytes(&self) -> u64 {
        self.parts.iter().map(ModelFile::len).sum()
    }

    fn entry(&self, name: &str) -> Option<(&ModelFile, &Entry)> {
        let (file, entry) = &self.tensors[*self.by_name.get(name)?];
        Some((&self.parts[*file], entry))
    }

    fn missing(&self, name: &str) -> LoadError {
        LoadError::new(format!("tensor {name}"), format!("is not in {}", self.files.path().display()))
    }

    /// Adds the files that an index names, and of each the tensors that the index gives it.
    fn add_shards(&mut self) -> Result<(), LoadError> {
        #[derive(serde::Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let Index { weight_map } = serde_json::from_value(json(&self.files, INDEX, INDEX_BYTES_MAX)?)
            .map_err(|error| {
                LoadError::caused(self.files.subject(INDEX), "is not an index of tensors", error)
            })?;
        for name in weight_map.values().collect::<BTreeSet<_>>() {
            // A name that leads elsewhere would let a model read any file.
            if Path::new(name).file_name().is_none_or(|file| file != name.as_str()) {
                return Err(LoadError::new(
                    self.files.subject(INDEX),
                    format!("names the file {name:?}, which is not beside it"),
                ));
            }
            if !self.files.has(name) {
                let problem = format!("is missing: {INDEX} says that it holds a part of the weights");
                let error = LoadError::new(self.files.subject(name), problem);
                return Err(error.of_kind(LoadErrorKind::FileMissing));
            }
            self.add_file(name, |tensor| weight_map.get(tensor) == Some(name))?;
        }
        match weight_map.iter().find(|(tensor, _)| !self.by_name.contains_key(*tensor)) {
            Some((tensor, file)) => {
                Err(LoadError::new(self.files.subject(INDEX), format!("puts {tensor} in {file}; it is not")))
            }
            None => Ok(()),
        }
    }

    fn add_file(&mut self, name: &str, wanted: impl Fn(&str) -> bool) -> Result<(), LoadError> {
        let file = self.files.open(name)?;
        let subject = self.files.subject(name);
        let wrong = |problem: String| LoadError::new(subject.as_str(), problem);
        if file.len() < 8 {
            return Err(wrong(format!("has only {} bytes", file.len())));
        }
        let mut prefix = [0; 8];
        file.read_exact_at(&mut prefix, 0)?;
        let json_bytes =
            header::json_bytes(prefix, file.len()).map_err(|problem| {
                match Foreign::recognise(&file).filter(|&foreign| foreign != Foreign::SafeTensors) {
                    Some(foreign) => LoadError::foreign(subject.as_str(), foreign),
                    None => wrong(problem),
                }
            })?;
        let json = file.read(8, json_bytes)?;
        let data_start = 8 + json_bytes;
        for entry in header::parse(&json, data_start, file.len() - data_start).map_err(wrong)? {
            if wanted(&entry.name) {
                self.by_name.insert(entry.name.clone(), self.tensors.len());
                self.tensors.push((self.parts.len(), entry));
            }
        }
        self.parts.push(file);
        Ok(())
    }
}

/// Reads a JSON file of bounded size.
fn json(files: &Files, name: &str, bytes_max: u64) -> Result<Json, LoadError> {
    let bytes = files.read_bounded(name, bytes_max)?;
    serde_json::from_slice(&bytes).map_err(|error| match Foreign::file(name, &bytes[..bytes.len().min(64)]) {
        Some(Foreign::WebPage) => LoadError::foreign(files.subject(name), Foreign::WebPage),
        _ => LoadError::caused(files.subject(name), "is not JSON", error),
    })
}

/// Says what a folder with a `config.json` holds instead of the weights.
fn no_weights(files: &Files) -> Result<LoadError, LoadError> {
    let names = files.names()?;
    let missing = |name: &str, problem: String| {
        LoadError::new(files.subject(name), problem).of_kind(LoadErrorKind::FileMissing)
    };
    if let Some(part) = names.iter().find(|name| is_safetensors(name) && name.contains("-of-")) {
        return Ok(missing(INDEX, format!("is missing: {part} holds a part of the weights only")));
    }
    if let Some((foreign, name)) =
        Foreign::folder(&names).filter(|(foreign, _)| *foreign != Foreign::Vocabulary)
    {
        let problem = format!("is missing, and {name} {foreign}");
        let error = LoadError::new(files.subject(WHOLE), problem);
        return Ok(error.of_kind(LoadErrorKind::Foreign(foreign)));
    }
    let other = names.iter().find(|name| is_safetensors(name));
    let other = other.map_or_else(String::new, |name| format!("; is it {name} under another name?"));
    Ok(missing(WHOLE, format!("is missing{other}")))
}

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

const CONFIG_BYTES_MAX: u64 = 16 << 20;
const INDEX_BYTES_MAX: u64 = 64 << 20;
