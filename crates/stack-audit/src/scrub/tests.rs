use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::rule::{Part, parts};
use super::shapes::SHAPES;
use super::*;

fn scrubber() -> Scrubber {
    Scrubber::new([7; 32])
}

/// Letters that look drawn, the same in every run.
fn drawn(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |bound| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    }
}

fn letters(class: &str) -> Vec<char> {
    let class: Vec<char> = class.chars().collect();
    let mut letters = BTreeSet::new();
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            letters.extend(class[at]..=class[at + 2]);
            at += 3;
        } else {
            letters.insert(class[at]);
            at += 1;
        }
    }
    letters.into_iter().collect()
}

/// Writes a text of a shape. `cut` letters are missing from its longest run.
fn sample(shape: &'static str, mut draw: impl FnMut(usize) -> usize, cut: usize) -> String {
    let parts = parts(shape);
    let longest = parts.iter().filter_map(|part| match part {
        Part::Run { least, .. } => Some(*least),
        Part::Text(_) => None,
    });
    let longest = longest.max().unwrap();
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(fixed) => text.push_str(fixed),
            Part::Run { class, least, .. } => {
                let letters = letters(class);
                let length = if least == longest { least - cut } else { least };
                // Alphanumeric at both ends, so that the sample ends where a word ends.
                let word: Vec<char> = letters.iter().copied().filter(char::is_ascii_alphanumeric).collect();
                for at in 0..length {
                    let from = if at == 0 || at + 1 == length { &word } else { &letters };
                    text.push(from[draw(from.len())]);
                }
            }
        }
    }
    text
}

#[test]
fn there_are_many_rules_each_with_one_name() {
    let names: BTreeSet<_> = SHAPES.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), SHAPES.len());
    assert!(SHAPES.len() >= 80, "{} rules", SHAPES.len());
    assert!(
        names
            .iter()
            .all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
    );
}

#[test]
fn every_shape_is_found_wherever_it_stands() {
    let scrubber = scrubber();
    for (name, shape) in SHAPES {
        for seed in 0..4 {
            let secret = sample(shape, drawn(seed), 0);
            for (before, after) in [
                ("", ""),
                ("key=", "\n"),
                ("{\"k\":\"", "\"}"),
                ("Line\\n", "\\n"),
                ("u=%22", "%22"),
                ("é", "é"),
                ("(", "), "),
            ] {
                let (text, count) = scrubber.text(&format!("{before}{secret}{after}"));
                assert!(!text.contains(&secret), "{name}: {before}{secret}{after} → {text}");
                // A run of digits at the beginning may take those of an escape along.
                assert!(text.starts_with(before) || shape.starts_with('{'), "{name}: {text}");
                assert!(text.ends_with(after), "{name}: {text}");
                assert!(count >= 1);
            }
            assert!(scrubber.text(&secret).0.contains(&format!("[secret:{name}:")), "{name}: {secret}");
        }
    }
}

#[test]
fn shorter_and_written_texts_are_left_alone() {
    let scrubber = scrubber();
    for (name, shape) in SHAPES {
        let short = sample(shape, drawn(9), 6);
        let tagged = format!("[secret:{name}:");
        assert!(!scrubber.text(&short).0.contains(&tagged), "{name}: {short}");
        let written = sample(shape, |_| 0, 0);
        assert!(!scrubber.text(&written).0.contains(&tagged), "{name}: {written}");
        let middle = format!("x{}x", sample(shape, drawn(9), 0));
        assert!(!scrubber.text(&middle).0.contains(&tagged) || name.contains("jwt"), "{name}: {middle}");
    }
}

#[test]
fn contexts_are_found() {
    let pem = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
        "MIIEpAIBAAKCAQEA7x".repeat(9)
    );
    for (text, secret) in [
        (pem.as_str(), "MIIEpAIBAAKCAQEA7x"),
        ("postgres://app:s3cr3t-pw@db.local/x", "s3cr3t-pw"),
        ("Authorization: Bearer abcdef0123456789abcdef", "abcdef0123456789abcdef"),
        ("authorization: Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
        (
            "AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY'",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY",
        ),
        ("DB_PASSWORD=hG7!kd83nfLw", "hG7!kd83nfLw"),
        ("\"client_secret\": \"9f8a7b6c5d4e3f2a\"", "9f8a7b6c5d4e3f2a"),
        ("api-key => zX91kLmQ77pp", "zX91kLmQ77pp"),
    ] {
        let (scrubbed, count) = scrubber().text(text);
        assert!(!scrubbed.contains(secret) && count >= 1, "{scrubbed}");
    }
}

#[test]
fn ordinary_texts_are_left_alone() {
    for text in [
        "How do I ignore whitespace in Python?",
        "The token: a string that names the session. password: required",
        "max_tokens=4096, tokenizer: sentencepiece, token_type_ids: int64",
        "https://example.com:8443/a@b?c=d and ssh://git@example.com/x.git",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "risk-averse disk SKU sk-learn; pat. glass-half-full; key-value; en-us-east",
        "ed25519:8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "Bearer of bad news; basic authorization; bearer token",
        "550e8400-e29b-41d4-a716-446655440000",
        "model qwen/qwen3-4b:q4_k_m answered 200 in 1.25 s",
    ] {
        assert_eq!(scrubber().text(text), (text.to_owned(), 0));
    }
}

#[test]
fn loaded_secrets_are_found_in_every_spelling() {
    let secret = "pä55 w0rd/+?&\u{1f600}x";
    let scrubber = scrubber().with_secrets(&[("DB_Password".to_owned(), secret.to_owned())]).unwrap();
    assert!(scrubber.text(secret).0.starts_with("[secret:db-password:"));
    for before in ["", "a", "ab", "abc", "user:"] {
        for after in ["", "z", "zz", "zzz"] {
            let joined = format!("{before}{secret}{after}");
            for encoded in [STANDARD.encode(&joined), URL_SAFE_NO_PAD.encode(&joined)] {
                let (text, count) = scrubber.text(&format!("x {encoded} y"));
                assert_eq!(count, 1, "{joined}: {text}");
            }
        }
    }
    let url = "p%C3%A455%20w0rd%2F%2B%3F%26%F0%9F%98%80x";
    for url in [url.to_owned(), url.to_lowercase()] {
        assert_eq!(scrubber.text(&format!("?p={url}&q=1")).1, 1, "{url}");
    }
    let short = self::scrubber().with_secrets(&[("pin".to_owned(), "1234567".to_owned())]);
    assert_eq!(short.unwrap_err().name, "pin");
}

#[test]
fn fields_that_hold_secrets_are_emptied() {
    let value = json!({
        "user": "alice", "Password": "x", "api_key": ["a", {"b": "c"}], "X-Api-Key": 7, "token": null,
        "tokens": 12, "note": "Bearer abcdef0123456789abcdef", "cookie": {"sid": "q"}, "secret": ""
    });
    let (Payload::Json(scrubbed), count) = scrubber().payload(Payload::Json(value)) else {
        panic!("it is JSON")
    };
    assert_eq!(count, 6);
    assert_eq!(
        (&scrubbed["user"], &scrubbed["tokens"], &scrubbed["token"]),
        (&json!("alice"), &json!(12), &json!(null))
    );
    for pointer in ["/Password", "/api_key/0", "/api_key/1/b", "/X-Api-Key", "/cookie/sid"] {
        let text = scrubbed.pointer(pointer).unwrap().as_str().unwrap();
        assert!(text.starts_with("[secret:field:"), "{pointer}: {text}");
    }
    let (Payload::Json(again), count) = scrubber().payload(Payload::Json(scrubbed.clone())) else {
        panic!("it is JSON")
    };
    assert_eq!((again, count), (scrubbed, 0));
}

#[test]
fn equal_secrets_have_equal_tags_and_other_keys_make_others() {
    let secret = sample("ghp_{a:36}", drawn(1), 0);
    let text = format!("{secret} {secret}");
    let (scrubbed, count) = scrubber().text(&text);
    let (first, second) = scrubbed.split_once(' ').unwrap();
    assert_eq!((first, count), (second, 2));
    assert_ne!(Scrubber::new([8; 32]).text(&text).0, scrubbed);
}

proptest! {
    #[test]
    fn scrubbing_again_changes_nothing(seed in any::<u64>(), noise in ".{0,40}", row in 0..SHAPES.len()) {
        let secret = sample(SHAPES[row].1, drawn(seed), 0);
        let text = format!("{noise} password={secret} {noise} token: {secret}");
        let (once, _) = scrubber_for_properties().text(&text);
        prop_assert!(!once.contains(&secret), "{}", once);
        let (twice, count) = scrubber_for_properties().text(&once);
        prop_assert_eq!((&twice, count), (&once, 0));
    }
}

/// Rules are compiled once for all cases.
fn scrubber_for_properties() -> &'static Scrubber {
    static SCRUBBER: std::sync::OnceLock<Scrubber> = std::sync::OnceLock::new();
    SCRUBBER.get_or_init(scrubber)
}

#[test]
fn no_canary_passes_in_traffic() {
    look_for_canaries(8 << 20);
}

#[test]
#[ignore = "takes a minute; run it after changes to the rules"]
fn no_canary_passes_in_a_gigabyte_of_traffic() {
    look_for_canaries(1 << 30);
}

/// Scrubs generated traffic in pieces, each with secrets at drawn places: one of every shape in turn, one that was loaded,
/// in all its spellings, and one in a field that says so.
fn look_for_canaries(bytes: usize) {
    let loaded = "correct horse/battery+staple";
    let scrubber = scrubber().with_secrets(&[("db".to_owned(), loaded.to_owned())]).unwrap();
    let spellings = [
        loaded.to_owned(),
        STANDARD.encode(format!("me:{loaded}")),
        URL_SAFE_NO_PAD.encode(loaded),
        "correct%20horse%2Fbattery%2Bstaple".to_owned(),
    ];
    let places =
        [("", ""), ("key=", " "), ("\"k\":\"", "\","), ("\\n", "\\n"), ("u=%22", "%22&v=1"), ("(", ")")];
    let mut draw = drawn(1);
    let (mut scrubbed_bytes, mut rows) = (0, SHAPES.iter().cycle());
    while scrubbed_bytes < bytes {
        let (name, shape) = rows.next().unwrap();
        let shaped = sample(shape, &mut draw, 0);
        let spelled = &spellings[draw(spellings.len())];
        let (before, after) = places[draw(places.len())];
        let mut lines = traffic(&mut draw);
        for canary in [&shaped, spelled] {
            let at = draw(lines.len());
            lines[at].extend([" ", before, canary, after]);
        }
        let text = lines.join("\n");
        scrubbed_bytes += text.len();
        let field = format!("field-{}", draw(usize::MAX));
        let message = json!({"messages": [{"role": "user", "content": text}], "password": field});
        let (Payload::Json(message), count) = scrubber.payload(Payload::Json(message)) else {
            panic!("it is JSON")
        };
        let scrubbed = message["messages"][0]["content"].as_str().unwrap();
        assert!(!scrubbed.contains(&shaped), "{name}: {before}{shaped}{after}");
        assert!(!scrubbed.contains(spelled), "{before}{spelled}{after}");
        assert!(count >= 3 && message["password"] != field, "{name}: {count} found");
    }
}

/// Half a thousand lines of what models are asked and answer: prose, code, JSON, addresses, digests, data.
fn traffic(draw: &mut impl FnMut(usize) -> usize) -> Vec<String> {
    const WORDS: [&str; 16] = [
        "the", "token", "of", "a", "model", "answers", "in", "password", "time", "and", "secret", "key",
        "is", "private", "bearer", "words",
    ];
    let mut line = || {
        let length = 4 + draw(12);
        let words: Vec<&str> = (0..length).map(|_| WORDS[draw(WORDS.len())]).collect();
        let (number, words) = (draw(1 << 30), words.join(" "));
        match number % 6 {
            0 => {
                format!("fn f{number}() {{ let {}: Vec<u64> = read(); }} // {words}", words.replace(' ', "_"))
            }
            1 => format!("{{\"id\": {number}, \"role\": \"user\", \"content\": \"{words}\"}}"),
            2 => {
                format!("GET https://example.com/{}?id={number}&page=2 200 {words}", words.replace(' ', "/"))
            }
            3 => format!("sha256:{number:064x} {words}"),
            4 => STANDARD.encode(format!("{words} {number}")),
            _ => words,
        }
    };
    (0..500).map(|_| line()).collect()
}
