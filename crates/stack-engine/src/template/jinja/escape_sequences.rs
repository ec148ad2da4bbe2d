//! Escape sequences in string literals, as Python reads them.

/// Resolves the escape sequences of a string literal.
pub(super) fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            return Err("a string ends in a backslash".into());
        };
        let behind = &rest[c.len_utf8()..];
        let simple = match c {
            '\\' | '\'' | '"' => Some(c),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            _ => None,
        };
        if let Some(simple) = simple {
            out.push(simple);
            rest = behind;
            continue;
        }
        match c {
            '\n' => rest = behind,
            'x' => rest = code(behind, 2, &mut out)?,
            'u' => rest = code(behind, 4, &mut out)?,
            'U' => rest = code(behind, 8, &mut out)?,
            '0'..='7' => {
                let length = rest.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                let code = u32::from_str_radix(&rest[..length], 8).unwrap_or_default();
                out.push(char::from_u32(code).ok_or("an escape sequence names no character")?);
                rest = &rest[length..];
            }
            'N' => return Err("characters cannot be written by name (\\N{…})".into()),
            // What is no escape sequence stands for itself.
            _ => {
                out.push('\\');
                out.push(c);
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Reads a character's code in hexadecimal digits; returns what is behind it.
fn code<'a>(text: &'a str, digits: usize, out: &mut String) -> Result<&'a str, String> {
    let hex = text.get(..digits).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let hex = hex.ok_or("an escape sequence is too short")?;
    let code = u32::from_str_radix(hex, 16).map_err(|_| "an escape sequence is not valid")?;
    out.push(
        char::from_u32(code).ok_or("an escape sequence names half of a surrogate pair, or no character")?,
    );
    Ok(&text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_those_of_python() {
        assert_eq!(unescape(r"a\n\t\\\'\x41\u00e9\U0001f600\101\q").unwrap(), "a\n\t\\'A\u{e9}\u{1f600}A\\q");
        assert_eq!(unescape("a\\\nb").unwrap(), "ab");
        for wrong in [r"\x4", r"\u12", r"\ud800", r"\N{BULLET}", r"\U00110000"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }
}
