//! Keys, which are shown to their provider and to nobody else.

use std::fmt;

use stack_chat::Failure;
use stack_wire::provider::KeyHeader;
use zeroize::Zeroizing;

/// The key by which a provider knows who pays.
#[derive(Clone)]
pub struct ProviderKey(Zeroizing<String>);

impl ProviderKey {
    /// Takes a key: visible ASCII, so that it can be sent as a header.
    pub fn new(text: &str) -> Option<Self> {
        let sound = (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns the header that shows it.
    pub(super) fn header(&self, header: KeyHeader) -> (&'static str, Zeroizing<String>) {
        match header {
            KeyHeader::Bearer => ("authorization", Zeroizing::new(format!("Bearer {}", *self.0))),
            KeyHeader::Named(name) => (name, self.0.clone()),
        }
    }

    /// Takes the key out of what a provider says: some repeat it where they refuse it.
    pub(super) fn scrub(&self, failure: Failure) -> Failure {
        let scrub = |text: String| text.replace(self.0.as_str(), "[key]");
        Failure { message: scrub(failure.message), cause: failure.cause.map(scrub), ..failure }
    }
}

/// A key is nobody's to read.
impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderKey(…)")
    }
}

const BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use stack_chat::FailureKind;

    use super::*;

    #[test]
    fn a_key_is_sent_and_not_shown() {
        let key = ProviderKey::new("sk-1").unwrap();
        assert_eq!(key.header(KeyHeader::Bearer).1.as_str(), "Bearer sk-1");
        assert_eq!(key.header(KeyHeader::Named("x-api-key")).1.as_str(), "sk-1");
        assert!(!format!("{key:?}").contains("sk-1"));
        let mut failure = Failure::new(FailureKind::AuthFailed, "sk-1 is wrong");
        failure.cause = Some("401 sk-1".into());
        let failure = key.scrub(failure);
        assert_eq!(
            (failure.message.as_str(), failure.cause.as_deref()),
            ("[key] is wrong", Some("401 [key]"))
        );
        for wrong in ["", "a b", "a\n", "ä"] {
            assert!(ProviderKey::new(wrong).is_none(), "{wrong:?}");
        }
    }
}
