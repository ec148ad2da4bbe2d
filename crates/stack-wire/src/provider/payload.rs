//! The bytes of pictures, recordings and files on their way out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stack_chat::{Failure, Media, MediaSource};

use super::Route;

/// What a provider is given of a [`Media`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Payload<'a> {
    /// Its bytes.
    Inline(Inline),
    /// Where it finds them.
    Url(&'a str),
}

/// Bytes, as text that JSON can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inline {
    pub(super) media_type: String,
    pub(super) base64: String,
}

impl<'a> Payload<'a> {
    /// Takes what a route allows.
    pub(super) fn of(field: &str, media: &'a Media, route: &Route) -> Result<Self, Failure> {
        match &media.source {
            MediaSource::Bytes(bytes) => {
                let named = media.media_type.clone().filter(|name| !name.is_empty());
                let media_type = named.or_else(|| sniffed(bytes).map(str::to_owned)).ok_or_else(|| {
                    let message = format!("`{field}` must say what its bytes are, such as image/png");
                    Failure::invalid(field, message)
                })?;
                Ok(Self::Inline(Inline { media_type, base64: STANDARD.encode(bytes) }))
            }
            MediaSource::Url(url) if route.remote_media => Ok(Self::Url(url)),
            MediaSource::Url(_) => Err(Failure::unsupported(
                field,
                format!("`{field}` is on the network, and providers are not sent there; send its bytes"),
            )),
            MediaSource::File(_) => Err(Failure::unsupported(
                field,
                format!("`{field}` is a file at some provider, which no other can read; send its bytes"),
            )),
        }
    }

    /// Takes what a route allows, for a family that has no place for addresses.
    pub(super) fn inline(field: &str, media: &'a Media, route: &Route) -> Result<Inline, Failure> {
        match Self::of(field, media, route)? {
            Self::Inline(inline) => Ok(inline),
            Self::Url(_) => Err(Failure::unsupported(
                field,
                format!("`{field}` is on the network, and this provider takes bytes alone"),
            )),
        }
    }

    /// Returns one address for either.
    pub(super) fn into_url(self) -> String {
        match self {
            Self::Inline(inline) => inline.into_url(),
            Self::Url(url) => url.to_owned(),
        }
    }
}

impl Inline {
    /// Returns an address that holds the bytes.
    pub(super) fn into_url(self) -> String {
        format!("data:{};base64,{}", self.media_type, self.base64)
    }
}

/// Tells what bytes are by how they begin.
fn sniffed(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("audio/wav"),
        [b'%', b'P', b'D', b'F', ..] => Some("application/pdf"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Family;
    use super::*;

    fn media(source: MediaSource, media_type: Option<&str>) -> Media {
        Media { source, media_type: media_type.map(str::to_owned), detail: None }
    }

    #[test]
    fn bytes_travel_and_say_what_they_are() {
        let route = Route::new("p", Family::Gemini, "m");
        for (bytes, named, url) in [
            (&b"\x89PNG"[..], None, "data:image/png;base64,iVBORw=="),
            (b"RIFF\0\0\0\0WEBP", None, "data:image/webp;base64,UklGRgAAAABXRUJQ"),
            (b"a", Some("text/plain"), "data:text/plain;base64,YQ=="),
        ] {
            let media = media(MediaSource::Bytes(bytes.to_vec()), named);
            assert_eq!(Payload::of("f", &media, &route).unwrap().into_url(), url);
        }
        let nameless = media(MediaSource::Bytes(b"a".to_vec()), None);
        assert_eq!(Payload::of("f", &nameless, &route).unwrap_err().field.as_deref(), Some("f"));
    }

    #[test]
    fn nobody_is_sent_to_the_network_unless_the_route_allows_it() {
        let mut route = Route::new("p", Family::Gemini, "m");
        let far = media(MediaSource::Url("https://host.example/a.png".into()), None);
        assert!(Payload::of("f", &far, &route).is_err());
        route.remote_media = true;
        assert_eq!(Payload::of("f", &far, &route), Ok(Payload::Url("https://host.example/a.png")));
        assert!(Payload::inline("f", &far, &route).is_err());
        assert!(Payload::of("f", &media(MediaSource::File("f1".into()), None), &route).is_err());
    }
}
