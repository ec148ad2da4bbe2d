//! Pictures, recordings and files inside requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stack_chat::{Failure, Media, MediaSource};

/// Makes a [`Media`] of a URL, which may hold the bytes itself.
pub(crate) fn from_url(path: &str, url: String, detail: Option<String>) -> Result<Media, Failure> {
    let Some(data) = url.strip_prefix("data:") else {
        if url.starts_with("http://") || url.starts_with("https://") {
            return Ok(Media { source: MediaSource::Url(url), media_type: None, detail });
        }
        let message = format!("`{path}` must be a URL that begins with http://, https:// or data:");
        return Err(Failure::invalid(path, message));
    };
    let Some((head, text)) = data.split_once(',') else { return Err(not_base64(path)) };
    let Some(media_type) = head.strip_suffix(";base64") else { return Err(not_base64(path)) };
    from_base64(path, text, Some(media_type.to_owned()).filter(|kind| !kind.is_empty()), detail)
}

/// Makes a [`Media`] of the Base64 text at `path`.
pub(crate) fn from_base64(
    path: &str,
    text: &str,
    media_type: Option<String>,
    detail: Option<String>,
) -> Result<Media, Failure> {
    match STANDARD.decode(text.trim()) {
        Ok(bytes) if !bytes.is_empty() => Ok(Media { source: MediaSource::Bytes(bytes), media_type, detail }),
        _ => Err(not_base64(path)),
    }
}

fn not_base64(path: &str) -> Failure {
    Failure::invalid(path, format!("`{path}` must hold data in Base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_a_url_are_taken_out_of_it() {
        let media = from_url("u", "data:image/png;base64,AQI=".into(), None).unwrap();
        assert_eq!(media.source, MediaSource::Bytes(vec![1, 2]));
        assert_eq!(media.media_type.as_deref(), Some("image/png"));
        let far = from_url("u", "https://host.example/a.png".into(), Some("low".into())).unwrap();
        assert_eq!(far.source, MediaSource::Url("https://host.example/a.png".into()));
    }

    #[test]
    fn what_holds_no_bytes_is_named() {
        for url in ["data:image/png;base64,%%", "data:text/plain,a", "data:", "file:///etc/passwd", "", "a"] {
            assert_eq!(from_url("u", url.into(), None).unwrap_err().field.as_deref(), Some("u"), "{url}");
        }
    }
}
