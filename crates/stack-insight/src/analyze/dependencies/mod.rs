//! What a repository depends on, read from the files of eleven package managers.
//!
//! Where a manager has a lock file, it says what is really used; a manifest counts where no lock file lies in its folder or
//! above.

mod conda;
mod frameworks;
mod gradle;
mod javascript;
mod make;
mod maven;
mod pip;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use frameworks::Field;

/// A program that fetches packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are the names of programs")]
pub enum Manager {
    Pip,
    Pipenv,
    Poetry,
    Conda,
    Cargo,
    Npm,
    Yarn,
    Go,
    Maven,
    Gradle,
    Make,
}

impl Manager {
    /// Returns how it is called on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Pipenv => "pipenv",
            Self::Poetry => "poetry",
            Self::Conda => "conda",
            Self::Cargo => "cargo",
            Self::Npm => "npm",
            Self::Yarn => "yarn",
            Self::Go => "go",
            Self::Maven => "maven",
            Self::Gradle => "gradle",
            Self::Make => "make",
        }
    }
}

/// A package, and its version where that is fixed.
pub(crate) type Package = (String, String);

/// What one file of a manager lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The file, relative to the root.
    pub path: PathBuf,
    /// Whose file it is.
    pub manager: Manager,
    /// Whether everything that it lists has one version, so that the next build is this one.
    pub is_fixed: bool,
    /// Whether it speaks for the manifests below it.
    pub(crate) is_lock: bool,
    pub(crate) packages: BTreeSet<Package>,
}

impl Listing {
    /// Returns how many packages it lists.
    pub fn count(&self) -> usize {
        self.packages.len()
    }
}

/// What all files of a manager say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    /// The manager.
    pub manager: Manager,
    /// How many packages there are.
    pub count: usize,
    /// The files that were counted, relative to the root.
    pub files: Vec<PathBuf>,
    /// Whether a manifest has nothing that fixes versions.
    pub is_unlocked: bool,
    /// Frameworks among the packages, by what they are for.
    pub frameworks: Vec<(Field, Vec<String>)>,
    /// The names of all packages, without repetition.
    pub(crate) names: BTreeSet<String>,
}

/// Whether a file may list packages.
pub(crate) fn is_listing(path: &Path) -> bool {
    kind_of(path).is_some()
}

/// Reads a file that lists packages.
///
/// # Errors
///
/// When it is not what its name says, as a sentence about the file.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Listing>, String> {
    let Some(parser) = kind_of(path) else { return Ok(Vec::new()) };
    if bytes.len() > LISTING_BYTES_MAX {
        return Err(format!("lists packages in more than {LISTING_BYTES_MAX} bytes, and was not read"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "lists packages, but is not UTF-8".to_owned())?;
    let found = parser(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let listing = |found: Found| Listing {
        path: path.to_owned(),
        manager: found.manager,
        is_fixed: found.is_lock || found.is_fixed,
        is_lock: found.is_lock,
        packages: found.packages,
    };
    Ok(found.into_iter().map(listing).collect())
}

/// What a parser found for one manager.
struct Found {
    manager: Manager,
    is_lock: bool,
    is_fixed: bool,
    packages: BTreeSet<Package>,
}

impl Found {
    fn lock(manager: Manager, packages: BTreeSet<Package>) -> Self {
        Self { manager, is_lock: true, is_fixed: true, packages }
    }

    /// A list of names, whose versions something else decides.
    fn names(manager: Manager, names: impl IntoIterator<Item = String>) -> Self {
        let packages = names.into_iter().map(|name| (name, String::new())).collect();
        Self { manager, is_lock: false, is_fixed: false, packages }
    }

    /// The same for managers that know no lock file, or whose versions are exact.
    fn fixed(manager: Manager, names: impl IntoIterator<Item = String>) -> Self {
        Self { is_fixed: true, ..Self::names(manager, names) }
    }
}

type Parser = fn(&str) -> Result<Vec<Found>, String>;

fn kind_of(path: &Path) -> Option<Parser> {
    let name = path.file_name()?.to_str()?;
    Some(match name {
        "Cargo.lock" => tables::cargo_lock,
        "Cargo.toml" => tables::cargo_manifest,
        "poetry.lock" => tables::poetry_lock,
        "pylock.toml" => tables::pylock,
        "pyproject.toml" => tables::pyproject,
        "Pipfile" => tables::pipfile,
        "Pipfile.lock" => javascript::pipfile_lock,
        "package-lock.json" | "npm-shrinkwrap.json" => javascript::package_lock,
        "package.json" => javascript::package_manifest,
        "yarn.lock" => javascript::yarn_lock,
        "environment.yml" | "environment.yaml" => conda::environment,
        "conda-lock.yml" => conda::lock,
        "go.mod" => go_mod,
        "pom.xml" => maven::pom,
        "gradle.lockfile" => gradle::lock,
        "build.gradle" | "build.gradle.kts" => gradle::script,
        "Makefile" | "makefile" | "GNUmakefile" => make::makefile,
        _ => {
            let stem = name.strip_suffix(".txt")?;
            let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            if !stem.contains("requirements") && folder != Some("requirements") {
                return None;
            }
            pip::requirements
        }
    })
}

/// Joins what the files of each manager say.
pub(crate) fn join(listings: &[Listing]) -> Vec<Dependencies> {
    let mut locks: BTreeSet<(&Path, Manager)> = BTreeSet::new();
    for listing in listings.iter().filter(|listing| listing.is_lock) {
        let folder = listing.path.parent().unwrap_or(Path::new(""));
        locks.insert((folder, listing.manager));
        if listing.manager == Manager::Yarn {
            // Both read `package.json`, and whose lock file lies there decides whose it is.
            locks.insert((folder, Manager::Npm));
        }
    }
    let mut by_manager: BTreeMap<Manager, Vec<&Listing>> = BTreeMap::new();
    for listing in listings {
        let is_covered =
            || listing.path.ancestors().skip(1).any(|above| locks.contains(&(above, listing.manager)));
        if listing.is_lock || !is_covered() {
            by_manager.entry(listing.manager).or_default().push(listing);
        }
    }
    by_manager.into_iter().map(|(manager, listings)| of_manager(manager, &listings)).filter(is_used).collect()
}

/// A makefile that links nothing is there all the same; a manifest without a package is no use of a manager.
fn is_used(dependencies: &Dependencies) -> bool {
    dependencies.count > 0 || dependencies.manager == Manager::Make
}

fn of_manager(manager: Manager, listings: &[&Listing]) -> Dependencies {
    let mut packages: BTreeSet<&Package> = listings.iter().flat_map(|listing| &listing.packages).collect();
    // What one file names without a version is the package that another fixes.
    let versioned: BTreeSet<&str> =
        packages.iter().filter(|(_, version)| !version.is_empty()).map(|(name, _)| name.as_str()).collect();
    packages.retain(|(name, version)| !version.is_empty() || !versioned.contains(name.as_str()));
    let names: BTreeSet<String> = packages.iter().map(|(name, _)| name.clone()).collect();
    Dependencies {
        manager,
        count: packages.len(),
        files: listings.iter().map(|listing| listing.path.clone()).collect(),
        is_unlocked: listings.iter().any(|listing| !listing.is_fixed && !listing.packages.is_empty()),
        frameworks: frameworks::among(&names),
        names,
    }
}

/// Reads `go.mod`, which lists what the build uses, what is needed indirectly included, in exact versions.
#[expect(clippy::unnecessary_wraps, reason = "every parser has this type")]
fn go_mod(text: &str) -> Result<Vec<Found>, String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let entry = match line {
            "require (" => {
                inside = true;
                continue;
            }
            ")" => {
                inside = false;
                continue;
            }
            _ if inside => line,
            _ => line.strip_prefix("require ").unwrap_or_default(),
        };
        names.extend(entry.split_whitespace().next().map(str::to_owned));
    }
    Ok(vec![Found::fixed(Manager::Go, names)])
}

/// No list of packages that people use is longer.
const LISTING_BYTES_MAX: usize = 32 << 20;

#[cfg(test)]
mod tests;
