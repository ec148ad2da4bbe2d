//! Calls macros, functions and methods.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::arguments::{Args, int, int_or, text};
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::items::Items;
use super::strftime::strftime;
use super::text_methods;
use super::value::{Closure, Cycler, Function, Joiner, Missing, Namespace, Range, Scope, Value, View};

impl Interpreter<'_> {
    /// Calls a value.
    pub(super) fn call(&mut self, callee: &Value, args: Args) -> Outcome<Value> {
        match callee {
            Value::Macro(closure) => self.call_macro(closure, args),
            Value::Function(function) => self.call_function(*function, args),
            Value::Method(method) => self.call_method(&method.0, &method.1, args),
            Value::Joiner(joiner) => {
                let [] = args.unnamed("the joiner", 0)?;
                Ok(if joiner.used.replace(true) { joiner.separator.clone() } else { Value::text("") })
            }
            Value::Loop(state) => {
                let [items] = args.bind("loop", ["iterable"], 1)?;
                self.recurse(state, &items.unwrap_or(Value::None))
            }
            other => Err(other.refuse("cannot be called")),
        }
    }

    fn call_macro(&mut self, closure: &Rc<Closure>, args: Args) -> Outcome<Value> {
        let definition = &closure.definition;
        let name = &definition.name;
        let scope = Scope::inside(&closure.scope);
        let Args { mut positional, mut named } = args;
        let extra = positional.split_off(positional.len().min(definition.parameters.len()));
        let given = positional.len();
        let mut values: Vec<Option<Value>> = positional.into_iter().map(Some).collect();
        for parameter in &definition.parameters[given..] {
            values.push(take(&mut named, parameter));
        }
        if definition.reads_caller {
            let caller = take(&mut named, "caller").filter(|caller| !matches!(caller, Value::None));
            let caller = caller
                .unwrap_or(Value::Undefined(Missing::Reason("the macro was called without a call block")));
            scope.set(&"caller".into(), caller);
        }
        if definition.reads_kwargs {
            let pairs = named.into_iter().map(|(name, value)| (Value::text(name), value));
            scope.set(&"kwargs".into(), Value::dict(pairs)?);
        } else if let Some((argument, _)) = named.first() {
            return Err(Fault::failed(format!("the macro {name:?} has no argument {argument:?}")));
        }
        if definition.reads_varargs {
            scope.set(&"varargs".into(), Value::tuple(extra)?);
        } else if !extra.is_empty() {
            let most = definition.parameters.len();
            return Err(Fault::failed(format!("the macro {name:?} takes at most {most} arguments")));
        }
        let first_default = definition.parameters.len() - definition.defaults.len();
        for (index, (parameter, value)) in definition.parameters.iter().zip(values).enumerate() {
            let value = match (value, index.checked_sub(first_default)) {
                (Some(value), _) => value,
                (None, Some(default)) => self.eval(&definition.defaults[default], &scope)?,
                (None, None) => Value::Undefined(Missing::Name(parameter.clone())),
            };
            scope.set(parameter, value);
        }
        self.run_macro(&definition.body, &scope)
    }

    fn call_function(&mut self, function: Function, args: Args) -> Outcome<Value> {
        match function {
            Function::Range => range(args),
            Function::Dict => {
                let pairs = self.dict_pairs(args)?;
                Value::dict(pairs)
            }
            Function::Namespace => {
                let namespace = Namespace::default();
                for (name, value) in self.dict_pairs(args)? {
                    let name = text(&name)?.text.clone();
                    namespace.set(&name, value);
                }
                Ok(self.keep(namespace))
            }
            Function::Cycler => {
                if args.positional.is_empty() || !args.named.is_empty() {
                    return Err(Fault::failed("cycler needs items, and takes none by name"));
                }
                let Value::Tuple(items) = Value::tuple(args.positional)? else { return Ok(Value::None) };
                Ok(Value::Cycler(Rc::new(Cycler { items, position: Cell::new(0) })))
            }
            Function::Joiner => {
                let [separator] = args.bind("joiner", ["sep"], 0)?;
                let separator = separator.unwrap_or_else(|| Value::text(", "));
                Ok(Value::Joiner(Rc::new(Joiner { separator, used: Cell::new(false) })))
            }
            Function::RaiseException => {
                let [message] = args.bind("raise_exception", ["message"], 1)?;
                let message = self.str_of(&message.unwrap_or(Value::None))?;
                Err(Fault::raised(&*message))
            }
            Function::StrftimeNow => {
                let [format] = args.bind("strftime_now", ["format"], 1)?;
                let format = format.unwrap_or(Value::None);
                let text = strftime(&text(&format)?.text, self.input.now)?;
                self.budget.pay_text(text.len())?;
                Ok(Value::text(text))
            }
        }
    }

    /// Returns the pairs of `dict(…)`: of a dictionary, of pairs, and of names.
    fn dict_pairs(&mut self, args: Args) -> Outcome<Vec<(Value, Value)>> {
        let mut pairs = Vec::new();
        if args.positional.len() > 1 {
            return Err(Fault::failed("dict takes at most one argument without a name"));
        }
        if let Some(first) = args.positional.first() {
            if let Value::Dict(dict) = first {
                self.budget.pay_items(dict.len() * 2)?;
                pairs.extend(dict.pairs.iter().cloned());
            } else {
                for pair in self.collect(first)? {
                    let pair: Result<[Value; 2], _> = self.collect(&pair)?.try_into();
                    let [key, value] = pair.map_err(|_| Fault::failed("dict needs pairs"))?;
                    pairs.push((key, value));
                }
            }
        }
        pairs.extend(args.named.into_iter().map(|(name, value)| (Value::text(name), value)));
        Ok(pairs)
    }

    /// Calls a method of a value.
    pub(super) fn call_method(&mut self, receiver: &Value, name: &Arc<str>, args: Args) -> Outcome<Value> {
        self.budget.step()?;
        match receiver {
            Value::Text(text) => {
                let from_caller = args.is_from_caller();
                Ok(text_methods::call(self, text, name, args)?.with_caller(from_caller))
            }
            Value::Dict(dict) => match &**name {
                "get" => {
                    let [key, default] = args.unnamed("get", 1)?;
                    let found = dict.get(&key.unwrap_or(Value::None))?;
                    Ok(found.cloned().or(default).unwrap_or(Value::None))
                }
                other => {
                    let [] = args.unnamed(other, 0)?;
                    Ok(match other {
                        "keys" => Value::View(View::Keys, dict.clone()),
                        "values" => Value::View(View::Values, dict.clone()),
                        "items" => Value::View(View::Items, dict.clone()),
                        _ => Value::Dict(dict.clone()),
                    })
                }
            },
            Value::List(_) | Value::Tuple(_) | Value::Range(_) => {
                self.call_sequence_method(receiver, name, args)
            }
            Value::Loop(state) if &**name == "cycle" => {
                refuse_names(&args)?;
                state.cycle(&args.positional)
            }
            Value::Loop(state) => {
                refuse_names(&args)?;
                Ok(Value::Bool(state.changed(args.positional, self)?))
            }
            Value::Cycler(cycler) => {
                let [] = args.unnamed(name, 0)?;
                if &**name == "reset" {
                    cycler.position.set(0);
                    return Ok(Value::None);
                }
                let at = cycler.position.get();
                cycler.position.set((at + 1) % cycler.items.items.len());
                Ok(cycler.items.items[at].clone())
            }
            number => {
                let [] = args.unnamed(name, 0)?;
                Ok(match (&**name, number) {
                    ("is_integer", Value::Float(value)) => Value::Bool(value.fract() == 0.0),
                    ("bit_length", number) => {
                        Value::Int(i128::from(128 - int(number)?.unsigned_abs().leading_zeros()))
                    }
                    ("bit_count", number) => Value::Int(i128::from(int(number)?.unsigned_abs().count_ones())),
                    (_, Value::Bool(value)) => Value::Int(i128::from(*value)),
                    (_, number) => number.clone(),
                })
            }
        }
    }

    fn call_sequence_method(&mut self, receiver: &Value, name: &str, args: Args) -> Outcome<Value> {
        if name == "copy" {
            let [] = args.unnamed(name, 0)?;
            return Value::list(self.collect(receiver)?);
        }
        let [wanted, start, stop] = args.unnamed(name, 1)?;
        if name == "count" && start.is_some() {
            return Err(Fault::failed("count takes one argument"));
        }
        let wanted = wanted.unwrap_or(Value::None);
        let length = self.length(receiver)? as i128;
        let clamp = |index: i128| if index < 0 { (index + length).max(0) } else { index };
        let (start, stop) = (clamp(int_or(start.as_ref(), 0)?), clamp(int_or(stop.as_ref(), length)?));
        let mut items = Items::of(self, receiver)?;
        let (mut index, mut count) = (0, 0);
        while let Some(item) = items.next(self)? {
            if (name == "count" || (index >= start && index < stop))
                && (item.is_same(&wanted) || self.equal(&item, &wanted)?)
            {
                if name == "index" {
                    return Ok(Value::Int(index));
                }
                count += 1;
            }
            index += 1;
        }
        if name == "index" {
            return Err(Fault::failed("the value is not in the sequence"));
        }
        Ok(Value::Int(count))
    }
}

impl Function {
    /// Returns the function of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "range" => Self::Range,
            "dict" => Self::Dict,
            "namespace" => Self::Namespace,
            "cycler" => Self::Cycler,
            "joiner" => Self::Joiner,
            "raise_exception" => Self::RaiseException,
            "strftime_now" => Self::StrftimeNow,
            _ => return None,
        })
    }
}

fn take(named: &mut Vec<(Arc<str>, Value)>, name: &str) -> Option<Value> {
    let at = named.iter().position(|(known, _)| **known == *name)?;
    Some(named.remove(at).1)
}

fn refuse_names(args: &Args) -> Outcome<()> {
    match args.named.first() {
        None => Ok(()),
        Some((name, _)) => Err(Fault::failed(format!("there is no argument {name:?}"))),
    }
}

fn range(args: Args) -> Outcome<Value> {
    let [first, second, step] = args.unnamed("range", 1)?;
    let first = int(&first.unwrap_or(Value::None))?;
    let (start, stop) = match second {
        None => (0, first),
        Some(stop) => (first, int(&stop)?),
    };
    let step = int_or(step.as_ref(), 1)?;
    if step == 0 {
        return Err(Fault::failed("the step of a range is zero"));
    }
    if [start, stop, step].iter().any(|bound| bound.unsigned_abs() > RANGE_BOUND_MAX) {
        return Err(Fault::failed("a bound of a range is too large"));
    }
    let range = Range { start, stop, step };
    if range.len() > RANGE_ITEMS_MAX {
        return Err(Fault::exhausted(format!("a range has more than {RANGE_ITEMS_MAX} items")));
    }
    Ok(Value::Range(Rc::new(range)))
}

/// The longest range; the sandbox of Jinja2 has the same limit.
const RANGE_ITEMS_MAX: usize = 100_000;
/// The largest bound, far from where computing with it could overflow.
const RANGE_BOUND_MAX: u128 = 1 << 100;
