//! A model in one GGUF file, or in several.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

use stack_seal::verified::{Breach, Expected, Pass};

use super::super::file::{ModelFile, subject};
use super::super::{
    Files, Foreign, LoadError, LoadErrorKind, Metadata, Opener, TensorData, TensorInfo, WeightSource,
};
use super::{Header, header, shards};

/// A GGUF model that is open for reading.
#[derive(Debug)]
pub struct GgufFile {
    files: Files,
    parts: Vec<ModelFile>,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    locations: HashMap<String, TensorLocation>,
}

#[derive(Clone, Copy, Debug)]
struct TensorLocation {
    index: usize,
    file: usize,
    offset: u64,
}

impl GgufFile {
    /// Opens a model; for one that is split, any of its files finds the others.
    ///
    /// # Errors
    ///
    /// Names the file, and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let files = Files::at(path)?;
        let Some(name) = files.only() else {
            return Err(LoadError::new(subject(path), "is a folder, not a model file")
                .of_kind(LoadErrorKind::NoModel));
        };
        Self::read_from(files, &name)
    }

    /// Checks the header of one file, which may be one part of several: it parses, and its tensors lie within the file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check_part(path: &Path) -> Result<(), LoadError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let owned = path.to_owned();
        let opener: Opener = Box::new(move || {
            Pass::open(File::open(&owned).map_err(Breach::Unusable)?, Expected::first_seen(), None)
        });
        let files = Files::opened(path, BTreeMap::from([(name.clone(), opener)]));
        parse(files.open(&name)?).map(|_| ())
    }

    /// Reads the header of a file, and of the other parts if it is one of several.
    pub(in super::super) fn read_from(files: Files, name: &str) -> Result<Self, LoadError> {
        let first = parse(files.open(name)?)?;
        let Some(split) = shards::split(&files, name, &first.1)? else {
            return Self::join(files, vec![first]);
        };
        let mut named = Some(first);
        let parts = split.names.iter().map(|part| match named.take_if(|_| part == name) {
            Some(first) => Ok(first),
            None => parse(files.open(part)?),
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        split.check(&files, parts.iter().map(|(_, header)| header))?;
        Self::join(files, parts)
    }

    /// Reads a model from bytes that are part of the program; `name` stands for its path in messages.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the bytes.
    pub fn from_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, LoadError> {
        Self::read_from(Files::memory(name, bytes), name)
    }

    /// The files of the model, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(ModelFile::path)
    }

    /// Takes the metadata of the first part and the tensors of all.
    fn join(files: Files, parts: Vec<(ModelFile, Header)>) -> Result<Self, LoadError> {
        let mut joined = Self {
            files,
            parts: Vec::with_capacity(parts.len()),
            metadata: Metadata::default(),
            tensors: Vec::new(),
            locations: HashMap::new(),
        };
        for (number, (file, header)) in parts.into_iter().enumerate() {
            if number == 0 {
                joined.metadata = header.metadata;
            }
            for entry in header.tensors {
                let location =
                    TensorLocation { index: joined.tensors.len(), file: number, offset: entry.offset };
                if joined.locations.insert(entry.info.name.clone(), location).is_some() {
                    let problem = format!("has tensor {}, which an earlier file has too", entry.info.name);
                    return Err(LoadError::new(subject(file.path()), problem));
                }
                joined.tensors.push(entry.info);
            }
            joined.parts.push(file);
        }
        Ok(joined)
    }
}

impl WeightSource for GgufFile {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.locations.get(name).map(|location| &self.tensors[location.index])
    }

    fn data(&self, name: &str) -> Result<TensorData<'_>, LoadError> {
        let Some(location) = self.locations.get(name) else {
            return Err(LoadError::new(format!("tensor {name}"), "is not in the file"));
        };
        let info = &self.tensors[location.index];
        if let Err(id) = info.ty {
            let problem = format!("is stored in type {id}, which this program does not know");
            let error = LoadError::new(format!("tensor {name}"), problem);
            return Err(error.of_kind(LoadErrorKind::UnknownQuantization));
        }
        let file = &self.parts[location.file];
        file.check(location.offset, info.bytes)?;
        Ok(TensorData::default().with_file(file, location.offset, info.bytes))
    }

    fn files(&self) -> &Files {
        &self.files
    }

    fn into_files(self: Box<Self>) -> Files {
        self.files
    }

    fn size_bytes(&self) -> u64 {
        self.parts.iter().map(ModelFile::len).sum()
    }
}

fn parse(file: ModelFile) -> Result<(ModelFile, Header), LoadError> {
    let header = header::read(file.reader(), file.len()).map_err(|error| {
        let subject = subject(file.path());
        if let Some(foreign) = Foreign::recognise(&file) {
            return LoadError::foreign(subject, foreign);
        }
        let problem = error.to_string();
        LoadError { source: error.source.map(Into::into), ..LoadError::new(subject, problem) }
    })?;
    Ok((file, header))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stack_testkit::GgufBuilder;

    use super::*;

    #[test]
    fn tensors_are_read_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        let bytes =
            GgufBuilder::new("x").f32_tensor("a", &[1], &[1.5]).tensor("odd", 99, &[4], &[7; 8]).build();
        fs::write(&path, &bytes).unwrap();
        let file = GgufFile::open(&path).unwrap();
        assert_eq!(file.read("a").unwrap(), 1.5f32.to_le_bytes());
        assert_eq!(file.tensor("a").unwrap().shape, [1]);
        assert_eq!(file.size_bytes(), bytes.len() as u64);
        assert!(file.read("odd").unwrap_err().to_string().contains("tensor odd: is stored in type 99"));
        assert!(file.read("b").unwrap_err().to_string().contains("tensor b"));
        fs::write(&path, &bytes[..64]).unwrap();
        let error = Box::new(file).into_files().verify((), 1).unwrap_err();
        assert!(error.source.unwrap().to_string().contains("changed while it was read"));
    }

    #[test]
    fn a_model_may_be_part_of_the_program() {
        let bytes = GgufBuilder::new("x").f32_tensor("a", &[1], &[1.5]).build().leak();
        let file = GgufFile::from_bytes("built-in", bytes).unwrap();
        assert_eq!(file.read("a").unwrap(), 1.5f32.to_le_bytes());
        assert_eq!(file.size_bytes(), bytes.len() as u64);
        let error = GgufFile::from_bytes("built-in", &bytes[..9]).unwrap_err();
        assert!(error.to_string().starts_with("built-in: header at byte 8"), "{error}");
        assert!(GgufFile::from_bytes("built-in", b"").is_err());
    }

    #[test]
    fn threads_read_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        let names: Vec<String> = (0..16).map(|n| format!("t{n}")).collect();
        let file = names.iter().enumerate().fold(GgufBuilder::new("x"), |file, (n, name)| {
            file.tensor(name, 24, &[4096], &vec![n as u8; 4096])
        });
        fs::write(&path, file.build()).unwrap();
        let file = GgufFile::open(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (n, name) in names.iter().enumerate() {
                        assert_eq!(file.read(name).unwrap(), vec![n as u8; 4096]);
                    }
                });
            }
        });
    }

    #[test]
    fn the_file_is_named_in_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        fs::write(&path, b"GGUF\x03\0\0\0").unwrap();
        let error = GgufFile::open(&path).unwrap_err();
        assert!(error.subject.ends_with("model.gguf"));
        assert!(error.problem.starts_with("header at byte 8: needs 8 bytes"), "{}", error.problem);
    }
}
