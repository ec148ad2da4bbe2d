//! What a hub answers: any bytes are files with safe paths, or a refusal. Whatever was listed, a choice can be tried on it,
//! and the sums files among it are read.
//!
//! The input is a page of the list of files; what follows its first NUL, which JSON cannot have, is the text of every file.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use stack_registry::fetch::{Cancel, Fetch, FetchError, Headers, Request, Response};
use stack_registry::hub::{FileSelector, Glob, Hub, choose, parse_tree};
use stack_registry::pull::from_hub;
use stack_registry::url::Url;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (listing, text) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(files) = parse_tree(listing) else { return };
    let _ = choose(&files, &FileSelector::Default);
    for file in &files {
        let _ = choose(&files, &FileSelector::File(file.path.to_string()));
        let _ = Glob::new(file.path.as_str()).matches(file.path.as_str());
    }
    let hub = Hub { endpoint: Url::parse("https://hub.test").expect("it is one"), token: None };
    let server = Server { listing: listing.to_vec(), text: text.to_vec() };
    if let Ok(upstream) =
        from_hub(&server, &hub, ("o", "r"), None, &FileSelector::Default, &Cancel::default())
    {
        assert!(!upstream.files.is_empty());
    }
});

/// A hub with one repository, whose files all have one text.
struct Server {
    listing: Vec<u8>,
    text: Vec<u8>,
}

impl Fetch for Server {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let body = match request.url.target() {
            target if target.contains("/revision/") => {
                br#"{"sha":"0123456789abcdef0123456789abcdef01234567"}"#.to_vec()
            }
            target if target.contains("/tree/") => self.listing.clone(),
            _ => self.text.clone(),
        };
        let headers = Headers::new([]).expect("nothing is not too much");
        Ok(Response { status: 200, headers, body: Box::new(Cursor::new(body)) })
    }
}
