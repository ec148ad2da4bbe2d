//! Filters that apply other filters and tests to items, and attributes by their path.
//!
//! They are lazy in Python: an error waits until the item is read. So the results up to the error are kept, and the
//! error behind them.

use super::super::arguments::{Args, text};
use super::super::fault::{Fault, Outcome};
use super::super::interpreter::Interpreter;
use super::super::items::Items;
use super::super::value::Value;

/// `map('filter', …)` or `map(attribute='path', default=None)`
pub(super) fn map(this: &mut Interpreter<'_>, value: &Value, mut args: Args) -> Outcome<Value> {
    let attribute = args.named.iter().position(|(name, _)| &**name == "attribute");
    let Some(attribute) = attribute.filter(|_| args.positional.is_empty()) else {
        let mut rest = args.positional.into_iter();
        let Some(name) = rest.next() else {
            return lazy(this, value, |_, _| Err(Fault::failed("map needs a filter")));
        };
        let (positional, named) = (rest.collect::<Vec<_>>(), args.named);
        return lazy(this, value, |this, item| {
            let args = Args { positional: positional.clone(), named: named.clone() };
            this.filter(&text(&name)?.text.clone(), item, args).map(Some)
        });
    };
    let (_, attribute) = args.named.remove(attribute);
    let default = args.named.iter().position(|(name, _)| &**name == "default");
    let default = default.map(|at| args.named.remove(at).1).filter(|default| !matches!(default, Value::None));
    let other = args.named.first().map(|(name, _)| name.clone());
    lazy(this, value, |this, item| match &other {
        Some(other) => Err(Fault::failed(format!("map has no argument {other:?}"))),
        None => this.path(&item, &attribute, default.as_ref()).map(Some),
    })
}

/// `select`, `reject`, `selectattr` and `rejectattr`
pub(super) fn select(
    this: &mut Interpreter<'_>,
    value: &Value,
    args: Args,
    keeps: bool,
    by_attribute: bool,
) -> Outcome<Value> {
    let mut rest = args.positional.into_iter();
    let attribute = if by_attribute { rest.next() } else { None };
    let test = rest.next();
    let (positional, named) = (rest.collect::<Vec<_>>(), args.named);
    lazy(this, value, |this, item| {
        let tested = match &attribute {
            Some(attribute) => this.path(&item, attribute, None)?,
            None if by_attribute => return Err(Fault::failed("the name of the attribute is missing")),
            None => item.clone(),
        };
        let holds = match &test {
            None => tested.is_true(),
            Some(test) => {
                let args = Args { positional: positional.clone(), named: named.clone() };
                this.test(&text(test)?.text.clone(), &tested, args)?
            }
        };
        Ok((holds == keeps).then_some(item))
    })
}

/// Makes a stream of what a function makes of the items, as far as it makes something of them.
fn lazy(
    this: &mut Interpreter<'_>,
    value: &Value,
    mut function: impl FnMut(&mut Interpreter<'_>, Value) -> Outcome<Option<Value>>,
) -> Outcome<Value> {
    if !value.is_true() {
        return Value::stream(Vec::new(), None);
    }
    let mut results = Vec::new();
    let fault = match Items::of(this, value) {
        Err(fault) => Some(fault),
        Ok(mut items) => loop {
            let result = match items.next(this) {
                Ok(Some(item)) => function(this, item),
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            };
            match result {
                Ok(result) => results.extend(result),
                Err(fault) => break Some(fault),
            }
            this.budget.pay_items(1)?;
        },
    };
    Value::stream(results, fault)
}

impl Interpreter<'_> {
    /// Follows the path of an attribute: `'a.b.0'`. What is undefined on the way becomes the default.
    pub(super) fn path(&mut self, item: &Value, path: &Value, default: Option<&Value>) -> Outcome<Value> {
        let mut value = item.clone();
        let mut step = |this: &mut Self, index: &Value| -> Outcome<()> {
            value = this.item(&value, index)?;
            if let Some(default) = default.filter(|_| value.is_undefined()) {
                value = default.clone();
            }
            Ok(())
        };
        match path {
            Value::None => {}
            Value::Text(path) => {
                for part in path.text.split('.') {
                    let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                    match part.parse::<i128>() {
                        Ok(index) if is_number => step(self, &Value::Int(index))?,
                        _ => step(self, &Value::text(part))?,
                    }
                }
            }
            index => step(self, index)?,
        }
        Ok(value)
    }
}
