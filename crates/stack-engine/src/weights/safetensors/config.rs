//! Typed access to `config.json`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::super::LoadError;
use super::irrelevant;

/// The settings of a text model: those of `text_config`, where there is one, before those at the top.
///
/// Settings have had many names; each method takes those that mean the same and uses the first that is there. Whatever
/// was asked for is remembered, and [`Config::refuse_unasked`] refuses what is left.
pub(super) struct Config<'a> {
    layers: Vec<Layer<'a>>,
    asked: Asked<'a>,
}

/// One object, and where it lies in the file.
type Layer<'a> = (&'static str, &'a Map<String, Json>);

/// The paths of settings that were asked for, with the value that was used for each.
type Asked<'a> = Rc<RefCell<HashMap<String, Option<&'a Json>>>>;

impl<'a> Config<'a> {
    pub(super) fn new(json: &'a Json) -> Result<Self, LoadError> {
        let Some(top) = json.as_object() else {
            return Err(LoadError::new("config.json", "is not an object"));
        };
        let text = top.get("text_config").and_then(Json::as_object).map(|text| ("text_config.", text));
        Ok(Self { layers: text.into_iter().chain([("", top)]).collect(), asked: Asked::default() })
    }

    /// Looks at one object of the file only, such as the settings of `RoPE`, or at none. What is asked for is noted
    /// with the rest.
    pub(super) fn part(&self, path: &'static str, object: Option<&'a Map<String, Json>>) -> Self {
        let layers = object.map(|object| (path, object)).into_iter().collect();
        Self { layers, asked: Rc::clone(&self.asked) }
    }

    /// Returns the first setting that is there and not null.
    pub(super) fn value(&self, names: &[&str]) -> Option<(&'a str, &'a Json)> {
        let found = names.iter().find_map(|name| {
            self.layers
                .iter()
                .find_map(|(_, object)| object.get_key_value(*name).filter(|(_, value)| !value.is_null()))
        });
        let used = found.map(|(_, value)| value);
        for (path, name) in
            self.layers.iter().flat_map(|(path, _)| names.iter().map(move |name| (path, name)))
        {
            // Several names for one thing are welcome while they say the same.
            self.asked.borrow_mut().entry(format!("{path}{name}")).or_insert(used);
        }
        found.map(|(name, value)| (name.as_str(), value))
    }

    /// Notes settings that may differ although one of them was used: they mean nearly the same.
    pub(super) fn excuse(&self, names: &[&str]) {
        for (path, name) in
            self.layers.iter().flat_map(|(path, _)| names.iter().map(move |name| (path, name)))
        {
            self.asked.borrow_mut().insert(format!("{path}{name}"), None);
        }
    }

    /// Whether a setting is there and null, which for some says more than that it is not there.
    pub(super) fn is_null(&self, name: &str) -> bool {
        self.layers.iter().find_map(|(_, object)| object.get(name)).is_some_and(Json::is_null)
    }

    /// Refuses settings that nothing asked for, unless they are known not to matter, and settings that contradict the
    /// other name under which the same was read.
    pub(super) fn refuse_unasked(&self) -> Result<(), LoadError> {
        for (path, object) in &self.layers {
            for (name, value) in *object {
                let asked = self.asked.borrow().get(&format!("{path}{name}")).copied();
                let problem = match asked {
                    Some(Some(used)) if !value.is_null() && !is_same(used, value) => {
                        format!("is {}, but another name of the same setting says {used}", shown(value))
                    }
                    None if irrelevant::setting(name, value).is_none() => format!(
                        "is {}; this program does not know what it does to the model, and will not guess",
                        shown(value)
                    ),
                    _ => continue,
                };
                return Err(LoadError::new(format!("config.json, {path}{}", name.escape_debug()), problem));
            }
        }
        Ok(())
    }

    pub(super) fn integer(&self, names: &[&str]) -> Result<Option<usize>, LoadError> {
        self.with(names, "a whole number", |value| {
            let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
            // A bound that keeps products of two settings countable.
            number.filter(|&number| u32::try_from(number).is_ok())
        })
    }

    pub(super) fn float(&self, names: &[&str]) -> Result<Option<f64>, LoadError> {
        self.with(names, "a number", Json::as_f64)
    }

    pub(super) fn boolean(&self, names: &[&str]) -> Result<Option<bool>, LoadError> {
        self.with(names, "true or false", Json::as_bool)
    }

    pub(super) fn text(&self, names: &[&str]) -> Result<Option<&'a str>, LoadError> {
        self.with(names, "text", Json::as_str)
    }

    pub(super) fn object(&self, names: &[&str]) -> Result<Option<&'a Map<String, Json>>, LoadError> {
        self.with(names, "an object", Json::as_object)
    }

    pub(super) fn floats(&self, names: &[&str]) -> Result<Option<Vec<f32>>, LoadError> {
        self.with(names, "a list of numbers", |value| {
            value.as_array()?.iter().map(|item| item.as_f64().map(|number| number as f32)).collect()
        })
    }

    pub(super) fn texts(&self, names: &[&str]) -> Result<Option<Vec<&'a str>>, LoadError> {
        self.with(names, "a list of texts", |value| value.as_array()?.iter().map(Json::as_str).collect())
    }

    /// Returns a whole number that must be there and not be zero.
    pub(super) fn required(&self, names: &[&str]) -> Result<usize, LoadError> {
        let found = self.integer(names)?;
        found.filter(|&number| number > 0).ok_or_else(|| {
            LoadError::new(format!("config.json, {}", names[0]), "is missing or zero, and the model needs it")
        })
    }

    fn with<T>(
        &self,
        names: &[&str],
        expected: &str,
        read: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, LoadError> {
        let Some((name, value)) = self.value(names) else { return Ok(None) };
        match read(value) {
            Some(found) => Ok(Some(found)),
            None => Err(LoadError::new(format!("config.json, {name}"), format!("is not {expected}"))),
        }
    }
}

/// Whether two values mean the same, as 1 and 1.0 do. Of a list of texts, such as the classes, each may be meant.
fn is_same(a: &Json, b: &Json) -> bool {
    a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
}

/// A value as it stands in the file, where it is short.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    if text.len() <= 80 { text } else { "set".to_owned() }
}
