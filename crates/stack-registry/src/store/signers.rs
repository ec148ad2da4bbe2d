//! A name stays with those who signed what it means.

/// Whether a name that these keys signed before may mean what those keys sign now. Keys are separated by spaces.
pub(crate) fn keeps_signer(before: Option<&str>, now: Option<&str>) -> bool {
    let Some(before) = before else { return true };
    let known = |key: &str| before.split(' ').any(|known| known == key);
    now.is_some_and(|now| now.split(' ').any(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_with_its_signer() {
        assert!(keeps_signer(None, None) && keeps_signer(None, Some("a")));
        assert!(keeps_signer(Some("a b"), Some("b c")));
        assert!(!keeps_signer(Some("a"), Some("b")) && !keeps_signer(Some("a"), None));
        assert!(!keeps_signer(Some("a"), Some("ab")));
    }
}
