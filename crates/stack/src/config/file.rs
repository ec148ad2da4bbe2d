//! A TOML file of sections, from which keys are taken one by one; what is left over is unknown.

use std::fmt::Display;
use std::ops::Range;

use stack_registry::name::nearest;
use toml_edit::{Document, Item, Table, TableLike, Value};

use super::error::Problem;
use super::setting::{Origin, Setting};

/// A file that is being read.
pub(super) struct File {
    text: String,
    root: Table,
    sections: Vec<&'static str>,
    problems: Vec<(Range<usize>, String)>,
}

/// A section of it.
pub(super) struct Section<'a> {
    file: &'a mut File,
    /// The names that lead to it: `server`, `tls`.
    path: Vec<String>,
    keys: Vec<&'static str>,
}

impl File {
    /// Parses a file, whose values are not looked at yet.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let first_line = |what: &str| Problem { line: 1, what: what.to_owned() };
        if bytes.len() > BYTES_MAX {
            return Err(first_line("the file is larger than 1 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| first_line("the file is not UTF-8"))?;
        let document: Document<&str> = Document::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            Problem { line, what: error.message().trim().replace('\n', ": ") }
        })?;
        let root = document.as_table().clone();
        Ok(Self { text: text.to_owned(), root, sections: Vec::new(), problems: Vec::new() })
    }

    /// Returns a section, which is empty if the file has none of the name.
    pub(super) fn section(&mut self, name: &'static str) -> Section<'_> {
        self.sections.push(name);
        Section { file: self, path: vec![name.to_owned()], keys: Vec::new() }
    }

    /// Returns the names of the sections beneath one, in their order: `acme` for `[providers.acme]`.
    pub(super) fn names_beneath(&mut self, name: &'static str) -> Vec<String> {
        self.sections.push(name);
        let Some(table) = self.root.get(name).and_then(Item::as_table_like) else { return Vec::new() };
        let (sections, others): (Vec<_>, Vec<_>) = table.iter().partition(|(_, item)| item.is_table_like());
        let problem = |key: &str| {
            let whole = format!("{name}.{key}");
            (place_of(table, key), format!("{whole} is a section: write [{whole}]"))
        };
        self.problems.extend(others.into_iter().map(|(key, _)| problem(key)));
        sections.into_iter().map(|(key, _)| key.to_owned()).collect()
    }

    /// Returns the names beneath a section, in their order, each with whether it is a section itself: `[aliases.fast]`, or
    /// `fast = "…"` below `[aliases]`.
    pub(super) fn entries_beneath(&mut self, name: &'static str) -> Vec<(String, bool)> {
        self.sections.push(name);
        let Some(table) = self.root.get(name).and_then(Item::as_table_like) else { return Vec::new() };
        table.iter().map(|(key, item)| (key.to_owned(), item.is_table_like())).collect()
    }

    /// Takes what stands under a name that the operator chose: a string, or a list of strings, each of which `parse`
    /// understands.
    pub(super) fn one_or_more<T, E: Display>(
        &mut self,
        section: &'static str,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Setting<Vec<T>>> {
        let table = self.root.get(section)?.as_table_like()?;
        let place = place_of(table, key);
        let value = table.get(key)?.as_value();
        let read = match value {
            Some(Value::String(text)) => {
                parse(text.value()).map(|one| vec![one]).map_err(|wrong| format!(": {wrong}"))
            }
            Some(Value::Array(_)) => value.map_or(Ok(Vec::new()), |value| texts(value, &parse)),
            _ => Err(" is neither a string nor a list of strings".to_owned()),
        };
        match read {
            Ok(values) => Some(Setting::new(values, Origin::File(line_of(&self.text, place.start)))),
            Err(wrong) => {
                self.problems.push((place, format!("{section}.{key}{wrong}")));
                None
            }
        }
    }

    /// Says what is wrong with something that was taken beneath a section.
    pub(super) fn refuse(&mut self, section: &'static str, name: &str, key: Option<&str>, wrong: &str) {
        let Some(table) = self.root.get(section).and_then(Item::as_table_like) else { return };
        let beneath = table.get(name).and_then(Item::as_table_like);
        let (place, whole) = match (key, beneath) {
            (Some(key), Some(beneath)) => (place_of(beneath, key), format!("{section}.{name}.{key}")),
            _ => (place_of(table, name), format!("{section}.{name}")),
        };
        self.problems.push((place, format!("{whole}{wrong}")));
    }

    /// Returns a section beneath another one.
    pub(super) fn section_beneath(&mut self, name: &'static str, beneath: &str) -> Section<'_> {
        Section { file: self, path: vec![name.to_owned(), beneath.to_owned()], keys: Vec::new() }
    }

    /// Ends reading: sections that nobody asked for are unknown.
    pub(super) fn finish(mut self) -> Result<(), Vec<Problem>> {
        let mut unknown = Vec::new();
        for (name, item) in &self.root {
            let place = place_of(&self.root, name);
            if !self.sections.contains(&name) {
                let known = unknown_name("section", "sections are", name, name, &self.sections);
                unknown.push((place, known));
            } else if item.as_table_like().is_none() {
                unknown.push((place, format!("{name} is a section: write [{name}]")));
            }
        }
        self.problems.extend(unknown);
        self.problems.sort_by_key(|(place, _)| place.start);
        if self.problems.is_empty() {
            return Ok(());
        }
        let text = &self.text;
        let problem =
            |(place, what): (Range<usize>, String)| Problem { line: line_of(text, place.start), what };
        Err(self.problems.into_iter().map(problem).collect())
    }
}

impl Section<'_> {
    /// Returns a section of this section, which is empty if the file has none of the name.
    pub(super) fn section(&mut self, name: &'static str) -> Section<'_> {
        self.keys.push(name);
        if let Some(table) = self.table()
            && let Some(item) = table.get(name)
            && item.as_table_like().is_none()
        {
            let (place, whole) = (place_of(table, name), self.name_of(name));
            self.file.problems.push((place, format!("{whole} is a section: write [{whole}]")));
        }
        let path = self.path.iter().cloned().chain([name.to_owned()]).collect();
        Section { file: self.file, path, keys: Vec::new() }
    }

    /// The whole name of a key here: `server.tls.key`.
    fn name_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path.join("."))
    }

    /// Takes a string that `parse` understands.
    pub(super) fn text<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Setting<T>> {
        self.take(key, |value| match value.as_str() {
            Some(text) => parse(text).map_err(|wrong| format!(": {wrong}")),
            None => Err(expected(value, "a string")),
        })
    }

    /// Takes a list of strings, each of which `parse` understands.
    pub(super) fn texts<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Setting<Vec<T>>> {
        self.take(key, |value| texts(value, &parse))
    }

    /// Takes a list of numbers, whole or not.
    pub(super) fn numbers(&mut self, key: &'static str) -> Option<Setting<Vec<f64>>> {
        self.take(key, |value| {
            let number =
                |value: &Value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
            let numbers = value.as_array().and_then(|array| array.iter().map(number).collect());
            numbers.ok_or_else(|| " is not a list of numbers".to_owned())
        })
    }

    /// Takes a boolean.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<Setting<bool>> {
        self.take(key, |value| value.as_bool().ok_or_else(|| expected(value, "a boolean")))
    }

    /// Takes an integer of 16 bits.
    pub(super) fn integer(&mut self, key: &'static str) -> Option<Setting<u16>> {
        self.take(key, |value| whole(value, u16::MAX))
    }

    /// Takes an integer of 32 bits.
    pub(super) fn number(&mut self, key: &'static str) -> Option<Setting<u32>> {
        self.take(key, |value| whole(value, u32::MAX))
    }

    /// Notes that a key is not there.
    pub(super) fn missing(&mut self, key: &str) {
        if self.table().is_some_and(|table| table.get(key).is_none()) {
            self.problem(&format!(".{key} is missing"));
        }
    }

    /// Notes what is wrong with the section as a whole; the text goes on where its name ends.
    pub(super) fn problem(&mut self, wrong: &str) {
        let place = self.place();
        self.file.problems.push((place, format!("{}{wrong}", self.path.join("."))));
    }

    fn table(&self) -> Option<&dyn TableLike> {
        let mut table: &dyn TableLike = &self.file.root;
        for name in &self.path {
            table = table.get(name)?.as_table_like()?;
        }
        Some(table)
    }

    /// Where the section is in the file.
    fn place(&self) -> Range<usize> {
        let (Some(last), mut table) = (self.path.last(), &self.file.root as &dyn TableLike) else {
            return 0..0;
        };
        for name in &self.path[..self.path.len() - 1] {
            match table.get(name).and_then(Item::as_table_like) {
                Some(beneath) => table = beneath,
                None => return 0..0,
            }
        }
        place_of(table, last)
    }

    /// Says what is wrong with a key that was taken, beside others.
    pub(super) fn refuse(&mut self, key: &str, wrong: &str) {
        let Some(table) = self.table() else { return };
        let place = place_of(table, key);
        let whole = self.name_of(key);
        self.file.problems.push((place, format!("{whole}{wrong}")));
    }

    /// Takes a key. A value that `read` refuses is a problem, and no setting.
    fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<Setting<T>> {
        self.keys.push(key);
        let table = self.table()?;
        let item = table.get(key)?;
        let place = place_of(table, key);
        let read = item.as_value().ok_or_else(|| " is not a value".to_owned()).and_then(read);
        match read {
            Ok(value) => Some(Setting::new(value, Origin::File(line_of(&self.file.text, place.start)))),
            Err(wrong) => {
                let whole = self.name_of(key);
                self.file.problems.push((place, format!("{whole}{wrong}")));
                None
            }
        }
    }
}

/// Keys that nobody asked for are unknown.
impl Drop for Section<'_> {
    fn drop(&mut self) {
        let Some(table) = self.table() else { return };
        let strangers = table.iter().map(|(key, _)| key).filter(|key| !self.keys.contains(key));
        let problems: Vec<_> = strangers
            .map(|key| {
                (place_of(table, key), unknown_name("key", "keys are", key, &self.name_of(key), &self.keys))
            })
            .collect();
        self.file.problems.extend(problems);
    }
}

fn texts<T, E: Display>(value: &Value, parse: &impl Fn(&str) -> Result<T, E>) -> Result<Vec<T>, String> {
    let texts = value.as_array().and_then(|array| array.iter().map(Value::as_str).collect());
    let texts: Vec<&str> = texts.ok_or_else(|| " is not a list of strings".to_owned())?;
    texts.into_iter().map(parse).collect::<Result<_, _>>().map_err(|wrong| format!(": {wrong}"))
}

fn whole<T: TryFrom<i64> + Display + Copy>(value: &Value, max: T) -> Result<T, String> {
    let number = value.as_integer().ok_or_else(|| expected(value, "an integer"))?;
    number.try_into().map_err(|_| format!(": {number} is not between 0 and {max}"))
}

fn unknown_name(kind: &str, list: &str, name: &str, whole: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {kind} {whole}; did you mean {near}?"),
        None => format!("unknown {kind} {whole}; {list} {}", known.join(", ")),
    }
}

fn expected(value: &Value, what: &str) -> String {
    let article = if value.type_name().starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!(" is {article} {}; {what} is expected", value.type_name())
}

/// Where a key is in the file.
fn place_of(table: &dyn TableLike, key: &str) -> Range<usize> {
    let found = table.get_key_value(key).and_then(|(key, item)| key.span().or_else(|| item.span()));
    found.unwrap_or(0..0)
}

/// The line of a byte, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

/// No configuration is as long.
const BYTES_MAX: usize = 1 << 20;
