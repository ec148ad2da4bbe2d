//! Filters on sequences and mappings.

use super::super::arguments::{Args, int_or, text};
use super::super::dict::Key;
use super::super::fault::{Fault, Outcome};
use super::super::interpreter::Interpreter;
use super::super::items::Items;
use super::super::joined::Joined;
use super::super::value::{Missing, Seq, Str, Value, View};

pub(super) fn attr(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [name] = args.bind("attr", ["name"], 1)?;
    let name = name.unwrap_or(Value::None);
    let name = &text(&name)?.text;
    if value.is_undefined() {
        return Err(value.refuse("has no attributes"));
    }
    let found = this.own_attribute(value, name)?;
    Ok(found.unwrap_or_else(|| Value::Undefined(Missing::Attribute(value.type_name(), name.clone()))))
}

/// `batch(linecount, fill_with=None)`: lists of so many items.
pub(super) fn batch(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [size, fill] = args.bind("batch", ["linecount", "fill_with"], 1)?;
    let size = size.unwrap_or(Value::None);
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut items = match Items::of(this, value) {
        Ok(items) => items,
        Err(fault) => return Value::stream(Vec::new(), Some(fault)),
    };
    while let Some(item) = items.next(this)? {
        if this.equal(&size, &Value::Int(batch.len() as i128))? {
            batches.push(Value::list(std::mem::take(&mut batch))?);
        }
        batch.push(item);
    }
    if !batch.is_empty() {
        if let Some(fill) = fill {
            let size = usize::try_from(int_or(Some(&size), 0)?.max(0)).unwrap_or(usize::MAX);
            let missing = size.saturating_sub(batch.len());
            this.budget.pay_items(missing)?;
            batch.extend(std::iter::repeat_n(fill, missing));
        }
        batches.push(Value::list(batch)?);
    }
    Value::stream(batches, None)
}

/// `slice(slices, fill_with=None)`: so many lists.
pub(super) fn slice(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [count, fill] = args.bind("slice", ["slices", "fill_with"], 1)?;
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let count = int_or(count.as_ref(), 0);
    let items = this.collect(value);
    let (count, items) = match (count, items) {
        (Ok(count), Ok(items)) => (count, items),
        (Err(fault), _) | (_, Err(fault)) => return Value::stream(Vec::new(), Some(fault)),
    };
    if count == 0 {
        return Value::stream(Vec::new(), Some(Fault::failed("division by zero")));
    }
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    this.budget.pay_items(count.saturating_mul(2))?;
    let mut slices = Vec::new();
    let mut rest = items.as_slice();
    for index in 0..count {
        let extra = index < items.len() % count;
        let (slice, behind) = rest.split_at(items.len() / count + usize::from(extra));
        let mut slice = slice.to_vec();
        slice.extend(fill.clone().filter(|_| !extra));
        slices.push(Value::list(slice)?);
        rest = behind;
    }
    Value::stream(slices, None)
}

/// `dictsort(case_sensitive=False, by='key', reverse=False)`
pub(super) fn dictsort(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [sensitive, by, reverse] = args.bind("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
    let by = by.unwrap_or_else(|| Value::text("key"));
    let by_key = match by.as_text().map(|by| &*by.text) {
        Some("key") => true,
        Some("value") => false,
        _ => return Err(Fault::failed("dictsort sorts by \"key\" or by \"value\"")),
    };
    let Value::Dict(dict) = value else { return Err(value.refuse("is no dictionary")) };
    let sensitive = is_set(sensitive);
    this.budget.pay_items(dict.len() * 2)?;
    let mut keyed = Vec::with_capacity(dict.len());
    for (key, value) in &dict.pairs {
        let by = folded(if by_key { key } else { value }, sensitive);
        keyed.push((by, Value::tuple(vec![key.clone(), value.clone()])?));
    }
    Value::list(this.sort(keyed, is_set(reverse))?)
}

pub(super) fn first(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [] = args.unnamed("first", 0)?;
    let first = Items::of(this, value)?.next(this)?;
    Ok(first.unwrap_or(Value::Undefined(Missing::Reason("there is no first item"))))
}

pub(super) fn last(value: &Value, args: Args) -> Outcome<Value> {
    let [] = args.unnamed("last", 0)?;
    let last = match value {
        Value::Undefined(_) => None,
        Value::List(seq) | Value::Tuple(seq) => seq.items.last().cloned(),
        Value::Dict(dict) | Value::View(View::Keys, dict) => dict.pairs.last().map(|(key, _)| key.clone()),
        Value::View(View::Values, dict) => dict.pairs.last().map(|(_, value)| value.clone()),
        Value::View(View::Items, dict) => match dict.pairs.last() {
            Some((key, value)) => Some(Value::tuple(vec![key.clone(), value.clone()])?),
            None => None,
        },
        Value::Text(text) => text.text.chars().next_back().map(|c| text.with(c.to_string())),
        Value::Range(range) => range.len().checked_sub(1).map(|last| range.item(last)),
        other => return Err(other.refuse("cannot be read from its end")),
    };
    Ok(last.unwrap_or(Value::Undefined(Missing::Reason("there is no last item"))))
}

pub(super) fn reverse(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [] = args.unnamed("reverse", 0)?;
    if matches!(value, Value::Text(_)) {
        return this.slice(value, &[Value::None, Value::None, Value::Int(-1)]);
    }
    let mut items = this.collect(value)?;
    items.reverse();
    // Python has an iterator for what can be read from its end, and a list of all else.
    if matches!(value, Value::Stream(_)) { Value::list(items) } else { Value::stream(items, None) }
}

pub(super) fn items(value: &Value, args: Args) -> Outcome<Value> {
    let [] = args.unnamed("items", 0)?;
    match value {
        Value::Undefined(_) => Value::stream(Vec::new(), None),
        Value::Dict(dict) => {
            let pairs = dict.pairs.iter().map(|(key, value)| Value::tuple(vec![key.clone(), value.clone()]));
            Value::stream(pairs.collect::<Outcome<_>>()?, None)
        }
        other => Value::stream(Vec::new(), Some(other.refuse("is no mapping"))),
    }
}

/// `join(d='', attribute=None)`
pub(super) fn join(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [separator, attribute] = args.bind("join", ["d", "attribute"], 0)?;
    let separator = separator.unwrap_or_else(|| Value::text(""));
    let (separator, separator_from_caller) = (this.str_of(&separator)?, separator.is_from_caller());
    let mut items = Items::of(this, value)?;
    let mut joined = Joined::default();
    let mut first = true;
    while let Some(item) = items.next(this)? {
        let item = match &attribute {
            None | Some(Value::None) => item,
            Some(attribute) => this.path(&item, attribute, None)?,
        };
        if !std::mem::take(&mut first) {
            joined.push(&separator, separator_from_caller, &mut this.budget)?;
        }
        let text = this.str_of(&item)?;
        joined.push(&text, item.is_from_caller(), &mut this.budget)?;
    }
    Ok(Value::Text(joined.finish(this.input)))
}

/// `sort(reverse=False, case_sensitive=False, attribute=None)`
pub(super) fn sort(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [reverse, sensitive, attribute] = args.bind("sort", ["reverse", "case_sensitive", "attribute"], 0)?;
    let sensitive = is_set(sensitive);
    // Several attributes between commas are compared one after the other.
    let paths: Vec<Value> = match attribute {
        Some(Value::Text(paths)) => paths.text.split(',').map(Value::text).collect(),
        Some(path) => vec![path],
        None => vec![Value::None],
    };
    let mut keyed = Vec::new();
    for item in this.collect(value)? {
        let mut keys = Vec::with_capacity(paths.len());
        for path in &paths {
            keys.push(folded(&this.path(&item, path, None)?, sensitive));
        }
        this.budget.pay_items(keys.len())?;
        keyed.push((Value::list(keys)?, item));
    }
    Value::list(this.sort(keyed, is_set(reverse))?)
}

/// `groupby(attribute, default=None, case_sensitive=False)`
pub(super) fn groupby(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [attribute, default, sensitive] =
        args.bind("groupby", ["attribute", "default", "case_sensitive"], 1)?;
    let attribute = attribute.unwrap_or(Value::None);
    let default = default.filter(|default| !matches!(default, Value::None));
    let sensitive = is_set(sensitive);
    let mut keyed = Vec::new();
    for item in this.collect(value)? {
        let key = folded(&this.path(&item, &attribute, default.as_ref())?, sensitive);
        keyed.push((key, item));
    }
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for item in this.sort(keyed, false)? {
        let key = folded(&this.path(&item, &attribute, default.as_ref())?, sensitive);
        match groups.last_mut() {
            Some((known, items)) if this.equal(known, &key)? => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let mut result = Vec::with_capacity(groups.len());
    for (key, items) in groups {
        let key = match items.first() {
            Some(first) if !sensitive => this.path(first, &attribute, default.as_ref())?,
            _ => key,
        };
        result.push(Seq::group(key, Value::list(items)?)?);
    }
    Value::list(result)
}

/// `unique(case_sensitive=False, attribute=None)`
pub(super) fn unique(this: &mut Interpreter<'_>, value: &Value, args: Args) -> Outcome<Value> {
    let [sensitive, attribute] = args.bind("unique", ["case_sensitive", "attribute"], 0)?;
    let (sensitive, attribute) = (is_set(sensitive), attribute.unwrap_or(Value::None));
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::new();
    let mut items = match Items::of(this, value) {
        Ok(items) => items,
        Err(fault) => return Value::stream(Vec::new(), Some(fault)),
    };
    let fault = loop {
        let item = match items.next(this) {
            Ok(Some(item)) => item,
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        };
        let key = this.path(&item, &attribute, None).and_then(|key| Key::of(&folded(&key, sensitive)));
        match key {
            Ok(key) => kept.extend(seen.insert(key).then_some(item)),
            Err(fault) => break Some(fault),
        }
        this.budget.pay_items(2)?;
    };
    Value::stream(kept, fault)
}

/// `min` and `max`: `(case_sensitive=False, attribute=None)`
pub(super) fn extreme(
    this: &mut Interpreter<'_>,
    value: &Value,
    args: Args,
    largest: bool,
) -> Outcome<Value> {
    let [sensitive, attribute] = args.bind("min and max", ["case_sensitive", "attribute"], 0)?;
    let (sensitive, attribute) = (is_set(sensitive), attribute.unwrap_or(Value::None));
    let mut best: Option<(Value, Value)> = None;
    for item in this.collect(value)? {
        let key = folded(&this.path(&item, &attribute, None)?, sensitive);
        let better = match &best {
            None => true,
            Some((known, _)) if largest => this.less(known, &key)?,
            Some((known, _)) => this.less(&key, known)?,
        };
        if better {
            best = Some((key, item));
        }
    }
    let empty = Value::Undefined(Missing::Reason("the sequence is empty"));
    Ok(best.map_or(empty, |(_, item)| item))
}

/// Returns a value to compare by: texts in lower case, unless case matters.
fn folded(value: &Value, sensitive: bool) -> Value {
    match value {
        Value::Text(Str { text, .. }) if !sensitive => Value::text(text.to_lowercase()),
        other => other.clone(),
    }
}

fn is_set(flag: Option<Value>) -> bool {
    flag.is_some_and(|flag| flag.is_true())
}
