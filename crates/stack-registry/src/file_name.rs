//! How the files of models are called: what follows the dot, and `NAME-00002-of-00003` for the parts of a split model.
//!
//! Everything that deals with files at rest asks here. The engine, which does not know this crate, has the rule for its
//! own question: which GGUF files of a folder are not the first of their model.

/// The stem of a file's name, read as that of one part of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard<'a> {
    /// What the model is called.
    pub name: &'a str,
    /// Which part it is, counted from one.
    pub number: u32,
    /// How many parts there are.
    pub count: u32,
}

impl<'a> Shard<'a> {
    /// Reads the name of a file without its extension, with or without the folders that it lies in.
    pub fn parse(stem: &'a str) -> Option<Self> {
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (name, number) = rest.rsplit_once('-')?;
        let (number, count) = (five_digits(number)?, five_digits(count)?);
        let fits = count <= SHARDS_MAX && (1..=count).contains(&number);
        fits.then_some(Self { name, number, count })
    }

    /// The stems of all parts, in their order.
    pub fn stems(self) -> impl Iterator<Item = String> + use<'a> {
        (1..=self.count).map(move |number| format!("{}-{number:05}-of-{:05}", self.name, self.count))
    }
}

/// Cuts `-00001-of-00003` off a stem.
pub fn without_shard(stem: &str) -> &str {
    Shard::parse(stem).map_or(stem, |shard| shard.name)
}

/// Cuts an extension, such as `.gguf`, off the name of a file, however it is spelled. What would be left of a name that is
/// nothing else is the name.
pub fn without_extension<'a>(name: &'a str, extension: &str) -> &'a str {
    let stem = name.len().checked_sub(extension.len()).and_then(|at| name.split_at_checked(at));
    stem.filter(|(stem, end)| !stem.is_empty() && end.eq_ignore_ascii_case(extension))
        .map_or(name, |(stem, _)| stem)
}

/// Whether a name has an extension, such as `.gguf`, however it is spelled.
pub fn has_extension(name: &str, extension: &str) -> bool {
    without_extension(name, extension).len() < name.len()
}

fn five_digits(text: &str) -> Option<u32> {
    let is_number = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// What age's own tools call their files.
pub const SEALED: &str = ".age";
/// No model is split into more files.
const SHARDS_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_say_which_and_of_how_many() {
        let shard = Shard::parse("sub/big-Q4_K_M-00002-of-00003").unwrap();
        assert_eq!(shard, Shard { name: "sub/big-Q4_K_M", number: 2, count: 3 });
        assert_eq!(shard.stems().last().as_deref(), Some("sub/big-Q4_K_M-00003-of-00003"));
        assert_eq!(without_shard("big-00001-of-00003"), "big");
    }

    #[test]
    fn extensions_are_known_however_they_are_spelled() {
        assert_eq!(without_extension("a.GGUF", ".gguf"), "a");
        assert_eq!(without_extension(".gguf", ".gguf"), ".gguf");
        assert_eq!(without_extension("ü", ".gguf"), "ü");
        assert!(has_extension("m.gguf", ".gguf") && !has_extension("m.gguf.age", ".gguf"));
    }

    #[test]
    fn other_names_are_no_parts() {
        for stem in [
            "seven-of-nine",
            "big-1-of-3",
            "big-00001-of-3",
            "big-00000-of-00003",
            "big-00004-of-00003",
            "big-00001-of-01001",
            "00001-of-00003",
            "",
        ] {
            assert_eq!(Shard::parse(stem), None, "{stem}");
            assert_eq!(without_shard(stem), stem);
        }
    }
}
