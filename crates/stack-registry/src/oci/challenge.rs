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
    /// Parses challenges, and returns the first that can be answered. What it says about the scope is not read: we know
    /// what we want.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (scheme, after) = rest.split_at(rest.find([' ', ',']).unwrap_or(rest.len()));
            let (parameters, next) = parameters(after)?;
            if scheme.eq_ignore_ascii_case("basic") {
                return Some(Self::Basic);
            }
            if scheme.eq_ignore_ascii_case("bearer") {
                let named = |name: &str| {
                    let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.clone())
                };
                return Some(Self::Bearer { realm: named("realm")?, service: named("service") });
            }
            rest = next;
        }
        None
    }
}

/// Takes the parameters of one challenge, and returns what follows them: the next challenge.
fn parameters(text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut found = Vec::new();
    let mut rest = between(text);
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_end();
        if key.is_empty() || key.contains([' ', ',']) {
            // Another scheme stands before the next parameter, or this is no parameter.
            break;
        }
        let (value, after) = value(after.trim_start())?;
        found.push((key, value));
        rest = between(after);
    }
    Some((found, rest))
}

/// Passes over what may stand between parameters.
fn between(text: &str) -> &str {
    text.trim_start_matches([' ', ','])
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
    fn schemes_that_are_not_spoken_are_passed_over() {
        let wanted = Some(bearer("https://auth.test/token", "reg"));
        let spoken = r#"Bearer realm="https://auth.test/token",service="reg""#;
        for other in
            ["Negotiate", "Negotiate YII==", r#"Digest realm="a, b", nonce="=",qop=auth"#, "NTLM, Negotiate"]
        {
            assert_eq!(Challenge::parse(&format!("{other}, {spoken}")), wanted, "{other}");
        }
        assert_eq!(Challenge::parse("Negotiate, Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse(&format!("{spoken}, Negotiate")), wanted);
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
