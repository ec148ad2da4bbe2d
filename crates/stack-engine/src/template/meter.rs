//! The budget of one rendering.
//!
//! The interpreter counts instructions (its fuel), but one instruction can copy megabytes: `x ~ x` in a loop doubles
//! a text each time. So everything that copies or searches pays for the bytes it touches: output, filters and
//! methods pay here, and [`super::instrument`] makes operators pay by sending their operands through [`operand`].

use std::fmt::{self, Write};

use minijinja::value::{DynObject, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::error::Spent;
use super::text;

/// Pays for work on `bytes` bytes or items.
pub(super) fn charge(state: &mut State, bytes: usize) -> Result<(), Error> {
    let spent = state.get_or_insert_extension_with(Budget::default);
    spent.0 = spent.0.saturating_add(bytes as u64);
    if spent.0 > WORK_MAX {
        return Err(spent_error("it copies and searches more text than a conversation can need"));
    }
    Ok(())
}

/// Pays for reading a text, which may not be longer than a prompt.
fn charge_text(state: &mut State, text: &str) -> Result<(), Error> {
    if text.len() > OUTPUT_BYTES_MAX {
        return Err(too_long());
    }
    charge(state, text.len())
}

/// Pays for writing a value, and writes it as Python's `str` does.
pub(super) fn print(state: &mut State, value: &Value, out: &mut dyn Write) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        charge_written(state, text.len())?;
        return out.write_str(text).map_err(|_| too_long());
    }
    let text = string(state, value)?;
    out.write_str(&text).map_err(|_| too_long())
}

/// Pays for turning a value into text, as Python's `str` does.
pub(super) fn string(state: &mut State, value: &Value) -> Result<String, Error> {
    let mut text = BoundedText::new();
    text::write_str(&mut text, value).map_err(|_| too_long())?;
    charge_written(state, text.0.len())?;
    Ok(text.into_string())
}

/// The filter `…|__operand`: what stands left of a filter, and beside an operator that copies.
///
/// Sequences that are computed as they are read (slices, sums, results of filters) are read here, so that they do not
/// pile up in each other.
pub(super) fn operand(state: &mut State, value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => charge_text(state, value.as_str().unwrap_or_default())?,
        ValueKind::Seq => charge_items(state, value.len().unwrap_or(0))?,
        ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter()?.checked() {
                charge_items(state, 1)?;
                items.push(item?);
            }
            return Ok(Value::from(items));
        }
        ValueKind::Map => charge(state, value.len().unwrap_or(0))?,
        _ => {}
    }
    Ok(value)
}

/// The filter `…|__sliced`: what stands left of a slice. A text is sliced character by character.
pub(super) fn sliced(state: &mut State, value: Value) -> Result<Value, Error> {
    charge_written(state, value.as_str().map_or(0, str::len))?;
    operand(state, value)
}

/// The filter `…|__compared`: a value that will be compared with another one, item by item.
pub(super) fn compared(state: &mut State, value: Value) -> Result<Value, Error> {
    let value = operand(state, value)?;
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        charge_tree(state, &value, 0)?;
    }
    Ok(value)
}

/// The filter `…|__searched`: an operand of `in`. Looking up a key costs nothing.
pub(super) fn searched(state: &mut State, value: Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::Map { Ok(value) } else { compared(state, value) }
}

/// The filter `…|__concatenated`: an operand of `~`, which becomes text as in Python.
pub(super) fn concatenated(state: &mut State, value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => operand(state, value),
        _ => string(state, &value).map(Value::from),
    }
}

/// The filter `…|__factor`: an operand of `*`.
///
/// Neither side knows the other, so a text must be short and a number pays for the longest one.
pub(super) fn factor(state: &mut State, value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String if value.as_str().map_or(0, str::len) > FACTOR_BYTES_MAX => {
            return Err(spent_error("it repeats a long text"));
        }
        ValueKind::Seq | ValueKind::Iterable => return Err(spent_error("it repeats a list")),
        ValueKind::Number => {
            let times = f64::try_from(value.clone()).unwrap_or(f64::INFINITY).abs();
            charge(state, (times.min(1e9) as usize).saturating_mul(FACTOR_BYTES_MAX))?;
        }
        _ => {}
    }
    Ok(value)
}

/// The filter `…|__written`: pays for literal text of the template inside a loop.
pub(super) fn written(state: &mut State, bytes: usize) -> Result<&'static str, Error> {
    charge_written(state, bytes)?;
    Ok("")
}

/// Pays for text that is new, or was made character by character: it takes more than copying.
pub(super) fn charge_written(state: &mut State, bytes: usize) -> Result<(), Error> {
    charge(state, bytes.saturating_mul(WRITTEN_BYTE))
}

fn charge_items(state: &mut State, items: usize) -> Result<(), Error> {
    charge(state, items.saturating_mul(ITEM_BYTES))
}

/// Pays for every node of a tree of containers; shared nodes count each time, as comparing visits them each time.
fn charge_tree(state: &mut State, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(spent_error("it compares values that are nested too deep"));
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            for item in value.try_iter()?.checked() {
                charge(state, NODE)?;
                charge_tree(state, &item?, depth + 1)?;
            }
        }
        ValueKind::Map => {
            let pairs = value.as_object().and_then(DynObject::try_iter_pairs);
            for (_, item) in pairs.into_iter().flatten() {
                charge(state, NODE)?;
                charge_tree(state, &item, depth + 1)?;
            }
        }
        ValueKind::String => charge_text(state, value.as_str().unwrap_or_default())?,
        _ => {}
    }
    Ok(())
}

/// Reports a text that is longer than any prompt.
pub(super) fn too_long() -> Error {
    spent_error("it writes more text than a prompt can hold")
}

pub(super) fn spent_error(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what).with_source(Spent(what))
}

/// A text that refuses to become longer than [`OUTPUT_BYTES_MAX`].
pub(super) struct BoundedText(String);

impl BoundedText {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Write for BoundedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > OUTPUT_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// What has been paid so far.
#[derive(Default)]
struct Budget(u64);

/// The longest text that a template may write.
pub(super) const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// The bytes that one rendering may touch. It also bounds the memory: nothing is kept
/// that was not paid for.
const WORK_MAX: u64 = 512 << 20;
/// What a byte costs that is written by itself.
const WRITTEN_BYTE: usize = 4;
/// What an item of a sequence takes in memory.
const ITEM_BYTES: usize = 32;
/// What it costs to visit a node of a tree.
const NODE: usize = 128;
/// The longest text that may be repeated.
const FACTOR_BYTES_MAX: usize = 256;
/// How deep compared values may be nested.
const DEPTH_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::Map;

    use crate::template::{ChatTemplate, TemplateError};

    fn render(template: &str) -> Result<String, TemplateError> {
        ChatTemplate::compile(template)?.render_json(Map::new(), &jiff::Zoned::default())
    }

    #[test]
    fn hostile_templates_are_stopped_soon() {
        let long = "x".repeat(100_000);
        let raw = format!("{{% set y %}}{{% for i in range(100000) %}}{long}{{% endfor %}}{{% endset %}}");
        let literal = format!(
            "{{% set y = '{long}' %}}{{% for i in range(100000) %}}{{% if 'z' in y %}}{{% endif %}}{{% endfor %}}"
        );
        for template in [
            // Endless loops.
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
            "{% macro m(n) %}{{ m(n) if n }}{% endmacro %}{% for i in range(99999) %}{{ m(0) }}{% endfor %}{{ m(1) }}",
            "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            // Texts that double.
            "{% set ns = namespace(s='xy') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{% set ns = namespace(s='xy') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s | replace('x', 'xx') %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('x', ns.s) ~ 'x' %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] | join %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = '{0}{0}'.format(ns.s) %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = '%s%s' | format(ns.s, ns.s) %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}{% endfor %}",
            "{% set ns = namespace(s=['x']) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
            "{% set ns = namespace(s=['x']) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | tojson }}",
            "{% set ns = namespace(s=['x'], t=['x']) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.s == ns.t }}",
            "{% set ns = namespace(s=['x']) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | list }}",
            "{% macro m(s) %}{{ m(s ~ s) }}{% endmacro %}{{ m('xxxxxxxxxxxx') }}",
            // Texts, lists and widths that are large at once.
            "{% set x = 'x' * 10 ** 9 %}",
            "{% set x = 1000000000 * 'x' %}",
            "{% set ns = namespace(s=[]) %}{% for i in range(9999) %}{% set ns.s = ns.s + ['x' * 99999] %}{% endfor %}",
            "{% set x = [1] * 1000000000 %}{{ x | list }}",
            "{% set x = ([0] * 100000000)[0:] | list %}",
            "{% for i in range(1000000000) %}{% endfor %}",
            "{{ '%999999999d' | format(1) }}",
            "{{ '{:>999999999}'.format(1) }}",
            "{{ '{:>{}}'.format(1, 999999999) }}",
            "{{ 'x'.ljust(999999999) }}",
            "{{ 'x\\nx' | indent(999999999) }}",
            "{{ [1] | batch(999999999, 0) | list }}",
            "{{ [1] | slice(999999999) | list }}",
            "{{ strftime_now('%999999999d') }}",
            // Output, raw text and searching.
            "{% for i in range(99999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 50 }}{% endfor %}",
            &raw,
            &literal,
            "{% set x = 'y' * 999999 %}{% for i in range(99999) %}{% if 'z' in x %}{% endif %}{% endfor %}",
            "{% set ns = namespace(s='y' * 999999) %}{% for i in range(99999) %}{% set ns.s = ns.s[1:] %}{% endfor %}",
        ] {
            let start = Instant::now();
            let result = render(template);
            let head: String = template.chars().take(120).collect();
            assert!(result.is_err(), "{head} gave {} bytes", result.unwrap_or_default().len());
            assert!(start.elapsed() < Duration::from_secs(50), "{head} took {:?}", start.elapsed());
        }
    }

    #[test]
    fn values_nested_as_deep_as_the_fuel_allows_do_not_overflow_the_stack() {
        for step in ["[ns.x]", "{'a': ns.x}", "namespace(x=ns.x)", "(ns.x,)", "ns.x[0:]", "ns.x | batch(1)"] {
            let template = format!(
                "{{% set ns = namespace(x=[1]) %}}{{% for i in range(90000) %}}{{% for i in range(90000) %}}\
                 {{% set ns.x = {step} %}}{{% endfor %}}{{% endfor %}}"
            );
            assert!(matches!(render(&template), Err(TemplateError::Exhausted(_))), "{step}");
        }
    }

    #[test]
    fn long_conversations_are_within_the_budget() {
        let template = "{% set ns = namespace(all='') %}{% for i in range(2000) %}\
            {% set ns.all = ns.all + 'a message of about a hundred bytes, as conversations have them' ~ loop.index %}\
            {% endfor %}{{ ns.all | length }}";
        assert_eq!(render(template).unwrap(), "130893");
    }
}
