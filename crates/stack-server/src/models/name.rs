//! By which name a model is meant.

/// Finds what is called `asked`, or is called so but for a tag: a name without one means the tag `latest`, and the other way
/// round, as Ollama's clients have it.
pub fn by_name<'a, T>(all: &'a [T], name_of: impl Fn(&T) -> &str, asked: &str) -> Option<&'a T> {
    let exactly = all.iter().find(|one| name_of(one) == asked);
    exactly.or_else(|| all.iter().find(|one| untagged(name_of(one)) == untagged(asked)))
}

fn untagged(name: &str) -> &str {
    name.strip_suffix(":latest").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_means_the_latest() {
        let names = ["a", "b:latest", "c", "c:latest", "d:8b"];
        let found = |asked| by_name(&names, |name| name, asked).copied();
        for (asked, name) in [("a:latest", "a"), ("b", "b:latest"), ("c", "c"), ("c:latest", "c:latest")] {
            assert_eq!(found(asked), Some(name));
        }
        assert_eq!((found("d"), found("d:8b:latest")), (None, Some("d:8b")));
    }
}
