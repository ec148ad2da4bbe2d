//! Where a model is.

use std::path::{Path, PathBuf};

use super::BUILT_IN;
use crate::file_name::{SEALED, without_extension, without_shard};
use crate::manifest::FileFormat;
use crate::name::Name;

/// Where the model is that a command line means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelPath {
    /// The model that is part of the program, also called `default`.
    #[default]
    BuiltIn,
    /// A model of the store.
    Stored(Name),
    /// A GGUF file, or a folder with a model.
    Path(PathBuf),
}

impl ModelPath {
    /// Names the model as it was asked for: by its name in the store, or after its file or folder. A link has a name of
    /// its own, which somebody chose; what it leads to is often a blob that is named by its digest.
    pub fn id(&self) -> String {
        let path = match self {
            Self::BuiltIn => return BUILT_IN.to_owned(),
            Self::Stored(name) => return name.short(),
            Self::Path(path) => path,
        };
        let Some(name) = file_name(path) else { return path.to_string_lossy().into_owned() };
        let name = without_extension(&name, SEALED);
        without_shard(without_extension(name, FileFormat::Gguf.extension())).to_owned()
    }

    /// The name of the folder that the model lies in.
    pub fn folder(&self) -> Option<String> {
        let Self::Path(path) = self else { return None };
        let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        file_name(parent)
    }

    /// Tells two arguments apart that mean two models, or one model under two names. Who spells the path of one file in
    /// two ways means one model.
    #[must_use]
    pub fn identity(&self) -> Self {
        let Self::Path(path) = self else { return self.clone() };
        let folder = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let place = match (folder.canonicalize(), path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path.canonicalize().unwrap_or_else(|_| path.clone()),
        };
        Self::Path(place)
    }
}

/// The last part of a path; that of `.` and `models/..` is what they lead to.
fn file_name(path: &Path) -> Option<String> {
    match path.file_name() {
        Some(name) => Some(name.to_string_lossy().into_owned()),
        None => Some(path.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn models_are_named_after_files_and_folders() {
        let id = |path: &str| ModelPath::Path(path.into()).id();
        assert_eq!(ModelPath::BuiltIn.id(), "default");
        assert_eq!(ModelPath::Stored(Name::parse("med/tiny").unwrap()).id(), "med/tiny");
        assert_eq!(id("nowhere/Qwen2.5-0.5B-Q4_K_M.gguf"), "Qwen2.5-0.5B-Q4_K_M");
        assert_eq!(id("nowhere/Qwen2.5-0.5B"), "Qwen2.5-0.5B");
        assert_eq!(id("nowhere/big-00001-of-00003.GGUF"), "big");
        assert_eq!(id("nowhere/seven-of-nine.gguf"), "seven-of-nine");
        assert_eq!(
            (id("sealed.gguf.age"), id(".gguf"), id("/")),
            ("sealed".into(), ".gguf".into(), "/".into())
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_has_a_name_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let blob = dir.path().join("blobs/0123abcd");
        let link = dir.path().join("snapshots/main/smol.gguf");
        for path in [&blob, &link] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        fs::write(&blob, b"").unwrap();
        std::os::unix::fs::symlink(&blob, &link).unwrap();
        let model = ModelPath::Path(link);
        assert_eq!((model.id().as_str(), model.folder().as_deref()), ("smol", Some("main")));
        let folder = ModelPath::Path(dir.path().join("snapshots/main/."));
        assert_eq!(folder.id(), "main");
        assert_eq!(ModelPath::Path(dir.path().join("snapshots/main/..")).id(), "snapshots");
    }

    #[test]
    fn one_file_has_one_identity_however_it_is_spelled() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        let path = dir.path().join("m.gguf");
        fs::write(&path, b"").unwrap();
        let identity = |path: std::path::PathBuf| ModelPath::Path(path).identity();
        assert_eq!(identity(path.clone()), identity(dir.path().join("sub/../m.gguf")));
        assert_ne!(identity(path), identity(dir.path().join("n.gguf")));
    }
}
