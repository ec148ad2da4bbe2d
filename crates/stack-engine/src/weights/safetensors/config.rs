//! Typed access to `config.json`.

use serde_json::{Map, Value as Json};

use super::super::LoadError;

/// The settings of a text model: those of `text_config`, where there is one, before those at the top.
///
/// Settings have had many names; each method takes those that mean the same and uses the first that is there.
pub(super) struct Config<'a> {
    layers: Vec<&'a Map<String, Json>>,
}

impl<'a> Config<'a> {
    pub(super) fn new(json: &'a Json) -> Result<Self, LoadError> {
        let Some(top) = json.as_object() else {
            return Err(LoadError::new("config.json", "is not an object"));
        };
        let text = top.get("text_config").and_then(Json::as_object);
        Ok(Self { layers: text.into_iter().chain([top]).collect() })
    }

    /// Looks at one object only, such as the settings of `RoPE`, or at none.
    pub(super) fn of(object: Option<&'a Map<String, Json>>) -> Self {
        Self { layers: object.into_iter().collect() }
    }

    /// Returns the first setting that is there and not null.
    pub(super) fn value(&self, names: &[&str]) -> Option<(&'a str, &'a Json)> {
        let found =
            names.iter().find_map(|name| self.layers.iter().find_map(|layer| layer.get_key_value(*name)));
        found.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.as_str(), value))
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
