//! The header `WWW-Authenticate`.

/// What a registry wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token from somewhere else.
    Bearer {
        /// Where.
        realm: String,
        /// What the registry is called there.
        service: Option<String>,
    },
}

impl Challenge {
    /// Parses one challenge. What it says about the scope is not read: we know what we want.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        let mut rest = rest.trim_start();
        while let Some((key, after)) = rest.split_once('=') {
            let (value, after) = value(after)?;
            match key.trim() {
                key if key.eq_ignore_ascii_case("realm") => realm = Some(value),
                key if key.eq_ignore_ascii_case("service") => service = Some(value),
                _ => {}
            }
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        Some(Self::Bearer { realm: realm?, service })
    }
}

/// Takes a value, in quotes or not, and returns what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    loop {
        let mut characters = rest.chars();
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
        rest = characters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: &str) -> Challenge {
        Challenge::Bearer { realm: realm.into(), service: Some(service.into()) }
    }

    #[test]
    fn realms_are_read() {
        let parse = Challenge::parse;
        let text = r#"Bearer realm="https://auth.test/token",service="reg,istry",scope="repository:a:pull""#;
        assert_eq!(parse(text), Some(bearer("https://auth.test/token", "reg,istry")));
        assert_eq!(parse(r#"bearer service=x , REALM="a\"b""#), Some(bearer("a\"b", "x")));
        assert_eq!(parse("Basic realm=\"x\""), Some(Challenge::Basic));
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for text in [
            "",
            "Bearer",
            "Bearer service=\"x\"",
            "Bearer realm=\"x",
            "Bearer realm=\"x\\",
            "Digest realm=\"x\"",
        ] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }
}
