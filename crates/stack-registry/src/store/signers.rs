//! A name stays with those who signed what it means.

/// Whether a name that these keys signed before may mean what those keys sign now. Keys are separated by spaces.
pub(crate) fn keeps_signer(before: Option<&str>, now: Option<&str>) -> bool {
    let Some(before) = before else { return true };
    let known = |key: &str| before.split(' ').any(|known| known == key);
    now.is_some_and(|now| now.split(' ').any(known))
}

/// Returns the keys that a name is held to, now that those keys have signed what it means: of those that it was held to
/// before, the ones that did. Nobody joins them. Anybody may add a signature to a model that is known already, and would
/// own its name from then on.
pub(crate) fn kept_signers(before: Option<&str>, now: Option<&str>) -> Option<String> {
    let (Some(before), Some(now)) = (before, now) else { return before.or(now).map(str::to_owned) };
    let kept: Vec<&str> =
        before.split(' ').filter(|key| now.split(' ').any(|signed| signed == *key)).collect();
    // What is known already may have lost its signatures; the name is held to them all the same.
    Some(if kept.is_empty() { before.to_owned() } else { kept.join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gains_no_signers() {
        let kept = |before, now| kept_signers(before, now);
        assert_eq!(kept(None, Some("a b")).as_deref(), Some("a b"));
        assert_eq!(kept(Some("a"), Some("a m")).as_deref(), Some("a"));
        assert_eq!(kept(Some("a b"), Some("b c")).as_deref(), Some("b"));
        assert_eq!(kept(Some("a"), Some("m")).as_deref(), Some("a"));
        assert_eq!(kept(Some("a"), None).as_deref(), Some("a"));
    }

    #[test]
    fn a_name_stays_with_its_signer() {
        assert!(keeps_signer(None, None) && keeps_signer(None, Some("a")));
        assert!(keeps_signer(Some("a b"), Some("b c")));
        assert!(!keeps_signer(Some("a"), Some("b")) && !keeps_signer(Some("a"), None));
        assert!(!keeps_signer(Some("a"), Some("ab")));
    }
}
