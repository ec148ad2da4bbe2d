//! Where something stands in a JSON text: JSON Pointer (RFC 6901), and `*` for each place of one list.

use std::fmt;

use serde_json::{Map, Value};

use super::fault::Rule;

/// An address in a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    tokens: Vec<Token>,
    stars: usize,
}

/// One step of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The field of an object, or the place in a list if it is a number.
    Key { name: String, index: Option<usize> },
    /// Every place of a list.
    Every,
}

/// Which place of its list each `*` stands for.
pub(super) type Places = [usize; STARS_MAX];

/// How many places an application may still look at.
#[derive(Debug)]
pub(super) struct Allowance(u32);

/// More places were addressed than one application may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyMatches;

impl Allowance {
    pub(super) fn new() -> Self {
        Self(MATCHES_MAX)
    }

    fn spend(&mut self) -> Result<(), TooManyMatches> {
        self.0 = self.0.checked_sub(1).ok_or(TooManyMatches)?;
        Ok(())
    }
}

impl Pointer {
    pub(super) fn parse(text: &str) -> Result<Self, Rule> {
        let Some(rest) = text.strip_prefix('/') else { return Err(Rule::BadPointer("it begins with `/`")) };
        let tokens = rest.split('/').map(Token::parse).collect::<Result<Vec<_>, _>>()?;
        if tokens.len() > DEPTH_MAX {
            return Err(Rule::BadPointer("it has at most 16 steps"));
        }
        let stars = tokens.iter().filter(|token| **token == Token::Every).count();
        if stars > STARS_MAX {
            return Err(Rule::TooManyStars);
        }
        Ok(Self { tokens, stars })
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// How many `*` it has.
    pub(super) fn stars(&self) -> usize {
        self.stars
    }

    /// Whether it ends with the name of a field, so that what is there can be taken away without moving anything else.
    pub(super) fn ends_with_field(&self) -> bool {
        matches!(self.tokens.last(), Some(Token::Key { index: None, .. }))
    }

    /// Returns the address up to its last `*` or place of a list, where what follows are fields alone, which may be made.
    /// Without one there is nothing to find before something can be put.
    pub(super) fn before_last_fields(&self) -> Option<Self> {
        let is_place = |token: &Token| !matches!(token, Token::Key { index: None, .. });
        let last = self.tokens.iter().rposition(is_place)?;
        Some(Self { tokens: self.tokens[..=last].to_vec(), stars: self.stars })
    }

    /// Whether both address fields of the same object.
    pub(super) fn is_sibling_of(&self, other: &Self) -> bool {
        let parent = |pointer: &Self| pointer.tokens[..pointer.tokens.len() - 1].to_vec();
        parent(self) == parent(other)
    }

    /// Lists where in `root` it leads.
    pub(super) fn places(&self, root: &Value, left: &mut Allowance) -> Result<Vec<Places>, TooManyMatches> {
        let mut found = Vec::new();
        collect(root, &self.tokens, [0; STARS_MAX], 0, &mut found, left)?;
        Ok(found)
    }

    /// Returns what stands there.
    pub(super) fn get<'a>(&self, root: &'a Value, places: &Places) -> Option<&'a Value> {
        let mut stars = places.iter();
        self.tokens.iter().try_fold(root, |value, token| match token {
            Token::Every => value.as_array()?.get(*stars.next()?),
            Token::Key { name, index } => match value {
                Value::Object(fields) => fields.get(name),
                Value::Array(values) => values.get((*index)?),
                _ => None,
            },
        })
    }

    /// Returns what stands there, to change it.
    pub(super) fn get_mut<'a>(&self, root: &'a mut Value, places: &Places) -> Option<&'a mut Value> {
        step_mut(root, &self.tokens, &mut places.iter())
    }

    /// Takes a field away.
    pub(super) fn take(&self, root: &mut Value, places: &Places) -> Option<Value> {
        let (last, before) = self.tokens.split_last()?;
        let Token::Key { name, .. } = last else { return None };
        // The order of the fields is kept: caches of prompts go by the bytes.
        step_mut(root, before, &mut places.iter())?.as_object_mut()?.shift_remove(name)
    }

    /// Puts a value there, in objects that are made where there is nothing. Nothing else is replaced on the way.
    pub(super) fn put(&self, root: &mut Value, places: &Places, value: Value) -> Result<(), Value> {
        let (mut here, mut stars) = (root, places.iter());
        for token in &self.tokens {
            let next = match token {
                Token::Every => here.as_array_mut().and_then(|values| values.get_mut(*stars.next()?)),
                Token::Key { name, index } => {
                    if here.is_null() {
                        *here = Value::Object(Map::new());
                    }
                    match here {
                        Value::Object(fields) => Some(fields.entry(name.as_str()).or_insert(Value::Null)),
                        Value::Array(values) => index.and_then(|index| values.get_mut(index)),
                        _ => None,
                    }
                }
            };
            let Some(next) = next else { return Err(value) };
            here = next;
        }
        *here = value;
        Ok(())
    }
}

impl Token {
    fn parse(text: &str) -> Result<Self, Rule> {
        match text {
            "*" => return Ok(Self::Every),
            "" => return Err(Rule::BadPointer("no step is empty")),
            "-" => return Err(Rule::BadPointer("`-` stands for no place that is there")),
            _ if text.len() > TOKEN_BYTES_MAX => {
                return Err(Rule::BadPointer("a step has at most 128 bytes"));
            }
            _ => {}
        }
        let mut pieces = text.split('~');
        let mut name = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (escaped, rest) = match piece.as_bytes().first() {
                Some(b'0') => ('~', &piece[1..]),
                Some(b'1') => ('/', &piece[1..]),
                _ => return Err(Rule::BadPointer("`~` is written `~0`, and `/` in a name `~1`")),
            };
            name.push(escaped);
            name.push_str(rest);
        }
        let is_plain =
            name == "0" || (!name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit()));
        let index = if is_plain { name.parse().ok() } else { None };
        Ok(Self::Key { name, index })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.iter().try_for_each(|token| match token {
            Token::Every => f.write_str("/*"),
            Token::Key { name, .. } => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")),
        })
    }
}

fn step_mut<'a>(
    root: &'a mut Value,
    tokens: &[Token],
    stars: &mut std::slice::Iter<'_, usize>,
) -> Option<&'a mut Value> {
    tokens.iter().try_fold(root, |value, token| match token {
        Token::Every => value.as_array_mut()?.get_mut(*stars.next()?),
        Token::Key { name, index } => match value {
            Value::Object(fields) => fields.get_mut(name),
            Value::Array(values) => values.get_mut((*index)?),
            _ => None,
        },
    })
}

fn collect(
    value: &Value,
    tokens: &[Token],
    mut places: Places,
    stars: usize,
    found: &mut Vec<Places>,
    left: &mut Allowance,
) -> Result<(), TooManyMatches> {
    let Some((token, rest)) = tokens.split_first() else {
        left.spend()?;
        found.push(places);
        return Ok(());
    };
    match (token, value) {
        (Token::Every, Value::Array(values)) => {
            for (place, value) in values.iter().enumerate() {
                left.spend()?;
                places[stars] = place;
                collect(value, rest, places, stars + 1, found, left)?;
            }
            Ok(())
        }
        (Token::Key { name, .. }, Value::Object(fields)) => match fields.get(name) {
            Some(value) => collect(value, rest, places, stars, found, left),
            None => Ok(()),
        },
        (Token::Key { index: Some(index), .. }, Value::Array(values)) => match values.get(*index) {
            Some(value) => collect(value, rest, places, stars, found, left),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

const DEPTH_MAX: usize = 16;
const TOKEN_BYTES_MAX: usize = 128;
pub(super) const STARS_MAX: usize = 4;
/// How many places one application may look at.
const MATCHES_MAX: u32 = 10_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    #[test]
    fn stars_find_every_place_of_their_list() {
        let root = json!({"a": [{"b": [1, 2]}, {"c": 0}, {"b": [3]}], "m~/n": 1, "7": 2});
        let mut left = Allowance::new();
        let found = pointer("/a/*/b/*").places(&root, &mut left).unwrap();
        assert_eq!(found, [[0, 0, 0, 0], [0, 1, 0, 0], [2, 0, 0, 0]]);
        assert_eq!(pointer("/a/*/b/*").get(&root, &found[2]), Some(&json!(3)));
        for text in ["/m~0~1n", "/7", "/a/0/b/1", "/a/2/b/0"] {
            assert_eq!(pointer(text).places(&root, &mut left).unwrap().len(), 1, "{text}");
            assert_eq!(pointer(text).to_string(), text);
        }
        assert!(pointer("/a/9/b").places(&root, &mut left).unwrap().is_empty());
    }

    #[test]
    fn putting_makes_objects_and_replaces_nothing_else() {
        let places = [0; STARS_MAX];
        let mut root = json!({"text": "kept", "list": [1], "null": null});
        pointer("/a/b/c").put(&mut root, &places, json!(1)).unwrap();
        pointer("/null/x").put(&mut root, &places, json!(2)).unwrap();
        pointer("/list/0").put(&mut root, &places, json!(3)).unwrap();
        assert_eq!(pointer("/text/x").put(&mut root, &places, json!(4)), Err(json!(4)));
        assert_eq!(pointer("/list/1").put(&mut root, &places, json!(5)), Err(json!(5)));
        let want = json!({"text": "kept", "list": [3], "null": {"x": 2}, "a": {"b": {"c": 1}}});
        assert_eq!(root, want);
        assert_eq!(pointer("/a/b/c").take(&mut root, &places), Some(json!(1)));
        assert_eq!(pointer("/a/b/c").take(&mut root, &places), None);
    }

    #[test]
    fn more_places_than_one_application_may_see_are_an_error() {
        let root = json!({"a": vec![0; 9_000]});
        let mut left = Allowance::new();
        assert_eq!(pointer("/a/*").places(&root, &mut left), Err(TooManyMatches));
    }
}
