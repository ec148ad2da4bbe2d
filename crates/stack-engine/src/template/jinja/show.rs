//! Values as Python prints them: `str` on its own, `repr` inside of containers.

use super::fault::{Fault, Outcome};
use super::numbers::float_text;
use super::text::pick_quote;
use super::value::{Range, Value, View};
use crate::template::guard::is_marker;

/// Returns `str(value)`.
pub(super) fn str_of(value: &Value) -> Outcome<String> {
    let mut printer = Printer { out: String::new() };
    match value {
        Value::Text(text) => printer.write(&text.text)?,
        Value::Undefined(_) => {}
        other => printer.repr(other, 0)?,
    }
    Ok(printer.out)
}

/// Returns `repr(value)`.
pub(super) fn repr_of(value: &Value) -> Outcome<String> {
    let mut printer = Printer { out: String::new() };
    printer.repr(value, 0)?;
    Ok(printer.out)
}

struct Printer {
    out: String,
}

impl Printer {
    fn write(&mut self, text: &str) -> Outcome<()> {
        if self.out.len() + text.len() > super::budget::TEXT_BYTES_MAX {
            return Err(Fault::exhausted("it writes more text than a prompt can hold"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn repr(&mut self, value: &Value, depth: usize) -> Outcome<()> {
        if depth > DEPTH_MAX {
            return Err(Fault::exhausted("it prints values that are nested too deep"));
        }
        match value {
            Value::Undefined(_) => self.write("Undefined"),
            Value::None => self.write("None"),
            Value::Bool(value) => self.write(if *value { "True" } else { "False" }),
            Value::Int(value) => self.write(&value.to_string()),
            Value::Float(value) => self.write(&float_text(*value)),
            Value::Text(text) if text.safe => {
                self.write("Markup(")?;
                self.quoted(&text.text)?;
                self.write(")")
            }
            Value::Text(text) => self.quoted(&text.text),
            Value::List(seq) => self.items("[", &seq.items, "]", depth),
            Value::Tuple(seq) => {
                self.items("(", &seq.items, if seq.items.len() == 1 { ",)" } else { ")" }, depth)
            }
            Value::Dict(dict) => {
                self.write("{")?;
                self.pairs(dict.pairs.iter().map(|(key, value)| (key, value)), depth)?;
                self.write("}")
            }
            Value::View(view, dict) => {
                self.write(value.type_name())?;
                self.write("([")?;
                for (index, (key, value)) in dict.pairs.iter().enumerate() {
                    self.write(if index > 0 { ", " } else { "" })?;
                    match view {
                        View::Keys => self.repr(key, depth + 1)?,
                        View::Values => self.repr(value, depth + 1)?,
                        View::Items => {
                            self.write("(")?;
                            self.repr(key, depth + 1)?;
                            self.write(", ")?;
                            self.repr(value, depth + 1)?;
                            self.write(")")?;
                        }
                    }
                }
                self.write("])")
            }
            Value::Range(range) => {
                let Range { start, stop, step } = **range;
                let step = if step == 1 { String::new() } else { format!(", {step}") };
                self.write(&format!("range({start}, {stop}{step})"))
            }
            Value::Namespace(namespace) => {
                self.write("<Namespace {")?;
                let attributes: Vec<(Value, Value)> = namespace
                    .attributes
                    .borrow()
                    .iter()
                    .map(|(name, value)| (Value::text(name.clone()), value.clone()))
                    .collect();
                self.pairs(attributes.iter().map(|(name, value)| (name, value)), depth)?;
                self.write("}>")
            }
            Value::Loop(state) => {
                let shown = state.shown()?;
                self.write(&shown)
            }
            Value::Macro(closure) if closure.definition.name.is_empty() => self.write("<Macro anonymous>"),
            Value::Macro(closure) => {
                self.write("<Macro ")?;
                self.quoted(&closure.definition.name)?;
                self.write(">")
            }
            Value::Stream(_)
            | Value::Cycler(_)
            | Value::Joiner(_)
            | Value::Function(_)
            | Value::Method(_) => self.write(&format!("<{} object>", value.type_name())),
        }
    }

    fn items(&mut self, open: &str, items: &[Value], close: &str, depth: usize) -> Outcome<()> {
        self.write(open)?;
        for (index, item) in items.iter().enumerate() {
            self.write(if index > 0 { ", " } else { "" })?;
            self.repr(item, depth + 1)?;
        }
        self.write(close)
    }

    fn pairs<'a>(
        &mut self,
        pairs: impl Iterator<Item = (&'a Value, &'a Value)>,
        depth: usize,
    ) -> Outcome<()> {
        for (index, (key, value)) in pairs.enumerate() {
            self.write(if index > 0 { ", " } else { "" })?;
            self.repr(key, depth + 1)?;
            self.write(": ")?;
            self.repr(value, depth + 1)?;
        }
        Ok(())
    }

    /// Writes a text in quotes; a character that Python holds for unprintable is escaped.
    fn quoted(&mut self, text: &str) -> Outcome<()> {
        let quote = pick_quote(text);
        let mut out = String::with_capacity(text.len() + 2);
        out.push(quote);
        for c in text.chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\\' => out.push_str("\\\\"),
                c if c == quote => out.extend(['\\', c]),
                c if is_marker(c) || super::text::is_printable(c) => out.push(c),
                c => super::text::push_code(&mut out, c),
            }
        }
        out.push(quote);
        self.write(&out)
    }
}

/// How deep containers may lie in each other to be printed; namespaces can contain themselves.
const DEPTH_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_show_the_repr_of_their_items() {
        let list = Value::list(vec![
            Value::Int(1),
            Value::Float(2.5),
            Value::Bool(true),
            Value::None,
            Value::text("x'y"),
        ]);
        let value = Value::dict([
            (Value::text("a"), list.unwrap()),
            (Value::text("b"), Value::text("q\"\n\u{7f}\u{200b}\u{e000}")),
        ]);
        assert_eq!(
            str_of(&value.unwrap()).unwrap(),
            "{'a': [1, 2.5, True, None, \"x'y\"], 'b': 'q\"\\n\\x7f\\u200b\\ue000'}"
        );
    }

    #[test]
    fn text_is_itself_and_the_undefined_is_nothing() {
        assert_eq!(str_of(&Value::text("a\nb")).unwrap(), "a\nb");
        assert_eq!(str_of(&Value::Undefined(super::super::value::Missing::Reason(""))).unwrap(), "");
        assert_eq!(str_of(&Value::None).unwrap(), "None");
    }
}
