//! Follows a JSON value that arrives in pieces (RFC 8259).

/// Where a scan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The value goes on.
    More,
    /// The value is complete.
    Done,
    /// This is no JSON.
    Bad,
}

/// Finds the end of one JSON value.
///
/// It knows the structure of objects, arrays, strings and literals; of numbers it only knows which characters they have,
/// so a value that was found is still to be parsed.
#[derive(Clone, Debug)]
pub(super) struct JsonScanner {
    open: Vec<Container>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value comes.
    Value,
    /// The first value of an array comes, or its end.
    FirstValue,
    /// A key comes.
    Key,
    /// The first key of an object comes, or its end.
    FirstKey,
    /// A colon comes.
    Colon,
    /// A comma comes, or the end of what is open.
    Behind,
    /// Inside a text: whether it is a key, and how many characters of an escape are left.
    Text { key: bool, escape: Escape },
    /// Inside a number.
    Number,
    /// Inside `true`, `false` or `null`: what is left of it.
    Word(&'static [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    /// Hexadecimal digits that are left.
    Digits(u8),
}

impl JsonScanner {
    pub(super) fn new() -> Self {
        Self { open: Vec::new(), state: State::Value }
    }

    /// Takes bytes until the value ends or is none; returns how many belong to it.
    pub(super) fn scan(&mut self, text: &str) -> (usize, Scan) {
        for (at, byte) in text.bytes().enumerate() {
            // A number ends where something else begins.
            if self.state == State::Number && !is_numeric(byte) {
                self.state = State::Behind;
                if self.open.is_empty() {
                    return (at, Scan::Done);
                }
            }
            match self.step(byte) {
                None => return (at, Scan::Bad),
                Some(state) => self.state = state,
            }
            if self.state == State::Behind && self.open.is_empty() {
                return (at + 1, Scan::Done);
            }
        }
        (text.len(), Scan::More)
    }

    /// Returns what comes after a byte; `None` if it cannot stand here.
    fn step(&mut self, byte: u8) -> Option<State> {
        let is_space = matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        match self.state {
            State::Text { key, escape } => text(key, escape, byte),
            State::Word([next]) => (byte == *next).then_some(State::Behind),
            State::Word(rest) => rest.strip_prefix(&[byte]).map(State::Word),
            State::Number if is_numeric(byte) => Some(State::Number),
            state if is_space => Some(state),
            State::FirstValue if byte == b']' => self.close(Container::Array),
            State::Value | State::FirstValue => self.value(byte),
            State::FirstKey if byte == b'}' => self.close(Container::Object),
            State::Key | State::FirstKey => {
                (byte == b'"').then_some(State::Text { key: true, escape: Escape::None })
            }
            State::Colon => (byte == b':').then_some(State::Value),
            State::Number | State::Behind => match (byte, self.open.last()?) {
                (b',', Container::Object) => Some(State::Key),
                (b',', Container::Array) => Some(State::Value),
                (b'}', _) => self.close(Container::Object),
                (b']', _) => self.close(Container::Array),
                _ => None,
            },
        }
    }

    fn value(&mut self, byte: u8) -> Option<State> {
        let (container, state) = match byte {
            b'{' => (Container::Object, State::FirstKey),
            b'[' => (Container::Array, State::FirstValue),
            b'"' => return Some(State::Text { key: false, escape: Escape::None }),
            b't' => return Some(State::Word(b"rue")),
            b'f' => return Some(State::Word(b"alse")),
            b'n' => return Some(State::Word(b"ull")),
            b'-' | b'0'..=b'9' => return Some(State::Number),
            _ => return None,
        };
        if self.open.len() == DEPTH_MAX {
            return None;
        }
        self.open.push(container);
        Some(state)
    }

    fn close(&mut self, container: Container) -> Option<State> {
        (self.open.pop()? == container).then_some(State::Behind)
    }
}

fn text(key: bool, escape: Escape, byte: u8) -> Option<State> {
    let inside = |escape| Some(State::Text { key, escape });
    match escape {
        Escape::None => match byte {
            b'"' if key => Some(State::Colon),
            b'"' => Some(State::Behind),
            b'\\' => inside(Escape::Begun),
            0..0x20 => None,
            _ => inside(Escape::None),
        },
        Escape::Begun => match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => inside(Escape::None),
            b'u' => inside(Escape::Digits(4)),
            _ => None,
        },
        Escape::Digits(left) if byte.is_ascii_hexdigit() => {
            inside(if left == 1 { Escape::None } else { Escape::Digits(left - 1) })
        }
        Escape::Digits(_) => None,
    }
}

fn is_numeric(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E')
}

/// As deep as the parser of JSON goes that reads the value later.
const DEPTH_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(text: &str) -> (usize, Scan) {
        JsonScanner::new().scan(text)
    }

    #[test]
    fn a_value_ends_where_it_is_complete() {
        assert_eq!(scan(r#"{"a": [1, "}"], "b": null} x"#), (26, Scan::Done));
        assert_eq!(scan(r#""\"x" "#), (5, Scan::Done));
        assert_eq!(scan("12.5e3,"), (6, Scan::Done));
        assert_eq!(scan("[]]"), (2, Scan::Done));
        assert_eq!(scan("true}"), (4, Scan::Done));
        assert_eq!(scan(r#"{"a": "#), (6, Scan::More));
        assert_eq!(scan("12"), (2, Scan::More));
    }

    #[test]
    fn what_is_no_json_is_bad_where_it_stops_being_json() {
        assert_eq!(scan("{a: 1}"), (1, Scan::Bad));
        assert_eq!(scan(r#"{"a" 1}"#), (5, Scan::Bad));
        assert_eq!(scan(r#"["a" "b"]"#), (5, Scan::Bad));
        assert_eq!(scan(r#"{"a": 1]"#), (7, Scan::Bad));
        assert_eq!(scan("\"a\nb\""), (2, Scan::Bad));
        assert_eq!(scan(r#""\x""#), (2, Scan::Bad));
        assert_eq!(scan("[1,]"), (3, Scan::Bad));
        assert_eq!(scan("tru e"), (3, Scan::Bad));
        assert_eq!(scan(&"[".repeat(DEPTH_MAX + 1)), (DEPTH_MAX, Scan::Bad));
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaves = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            any::<f32>().prop_map(Into::into),
            ".{0,6}".prop_map(Into::into),
        ];
        leaves.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(".{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_found_in_any_pieces(value in values(), cut in 0_usize..80) {
            let text = format!("{value} ");
            let cut = text.floor_char_boundary(cut.min(text.len()));
            let mut scanner = JsonScanner::new();
            let (first, state) = scanner.scan(&text[..cut]);
            let end = match state {
                Scan::More => cut + scanner.scan(&text[cut..]).0,
                Scan::Done | Scan::Bad => first,
            };
            prop_assert_eq!(end, text.len() - 1);
        }
    }
}
