//! The headers of a reply, bounded.

/// The most bytes that names and values of all headers may have together.
const BYTES_MAX: usize = 64 << 10;

/// Headers by name. Where one was sent twice, the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Takes headers; names become lower case, and values that are not text are left out.
    ///
    /// Returns `None` if they have more than 64 KiB.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<Self> {
        let mut bytes = 0;
        let mut headers = Vec::new();
        for (name, value) in pairs {
            bytes += name.len() + value.len();
            if bytes > BYTES_MAX {
                return None;
            }
            if let Ok(value) = std::str::from_utf8(value) {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Some(Self(headers))
    }

    /// Returns the value of a header; `name` is lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of `Content-Length`.
    pub fn content_length(&self) -> Option<u64> {
        let text = self.get("content-length")?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_the_first_counts() {
        let headers = Headers::new([("ETag", &b" \"a\" "[..]), ("etag", b"b"), ("X-Odd", b"\xFF")]).unwrap();
        assert_eq!(headers.get("etag"), Some("\"a\""));
        assert_eq!(headers.get("x-odd"), None);
    }

    #[test]
    fn headers_have_a_limit() {
        let value = vec![b'a'; BYTES_MAX];
        assert!(Headers::new([("x", &value[..])]).is_none());
        assert!(Headers::new([("x", &value[1..])]).is_some());
    }

    #[test]
    fn lengths_are_digits() {
        let length =
            |text: &str| Headers::new([("content-length", text.as_bytes())]).unwrap().content_length();
        assert_eq!(length("18446744073709551615"), Some(u64::MAX));
        for text in ["18446744073709551616", "+1", "-1", "", "1,1", "0x1"] {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
