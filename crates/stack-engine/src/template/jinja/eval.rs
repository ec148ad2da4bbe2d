//! Evaluates expressions.

use std::rc::Rc;
use std::sync::Arc;

use super::arguments::Args;
use super::ast::{Arguments, Binary, Expr, ExprKind};
use super::budget::TEXT_BYTES_MAX;
use super::fault::{Fault, Outcome};
use super::interpreter::Interpreter;
use super::joined::Joined;
use super::markup::escape;
use super::numbers::{Number, compute};
use super::percent;
use super::value::{Function, Missing, Scope, Str, Value};

impl Interpreter<'_> {
    /// Evaluates an expression.
    pub(super) fn eval(&mut self, expr: &Expr, scope: &Rc<Scope>) -> Outcome<Value> {
        self.budget.enter()?;
        let value = self.eval_kind(&expr.kind, scope).map_err(|fault| fault.at(expr.line))?;
        self.budget.leave();
        Ok(value)
    }

    fn eval_kind(&mut self, kind: &ExprKind, scope: &Rc<Scope>) -> Outcome<Value> {
        Ok(match kind {
            ExprKind::None => Value::None,
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Int(value) => Value::Int(*value),
            ExprKind::Float(value) => Value::Float(*value),
            ExprKind::Text(text) => Value::text(text.clone()),
            ExprKind::Name(name) => self.variable(name, scope),
            ExprKind::Captured => self.last_captured(),
            ExprKind::List(items) => Value::list(self.eval_all(items, scope)?)?,
            ExprKind::Tuple(items) => Value::tuple(self.eval_all(items, scope)?)?,
            ExprKind::Dict(pairs) => {
                let mut values = Vec::with_capacity(pairs.len());
                for (key, value) in pairs {
                    values.push((self.eval(key, scope)?, self.eval(value, scope)?));
                }
                self.budget.pay_items(values.len() * 2)?;
                Value::dict(values)?
            }
            ExprKind::Attribute(value, name) => {
                let value = self.eval(value, scope)?;
                self.attribute(&value, name)?
            }
            ExprKind::Item(value, index) => {
                let value = self.eval(value, scope)?;
                let index = self.eval(index, scope)?;
                self.item(&value, &index)?
            }
            ExprKind::Slice(value, bounds) => {
                let value = self.eval(value, scope)?;
                let mut evaluated = [Value::None, Value::None, Value::None];
                for (value, bound) in evaluated.iter_mut().zip(bounds.iter()) {
                    if let Some(bound) = bound {
                        *value = self.eval(bound, scope)?;
                    }
                }
                self.slice(&value, &evaluated)?
            }
            ExprKind::Call(callee, arguments) => self.call_expr(callee, arguments, None, scope)?,
            ExprKind::Filter(value, name, arguments) => {
                let value = self.eval(value, scope)?;
                let arguments = self.arguments(arguments, scope)?;
                self.filter(name, value, arguments)?
            }
            ExprKind::Test(value, name, arguments) => {
                let value = self.eval(value, scope)?;
                let arguments = self.arguments(arguments, scope)?;
                Value::Bool(self.test(name, &value, arguments)?)
            }
            ExprKind::Not(value) => Value::Bool(!self.eval(value, scope)?.is_true()),
            ExprKind::Negative(value) => match self.eval(value, scope)? {
                Value::Float(value) => Value::Float(-value),
                other => {
                    let value = other.as_int().ok_or_else(|| other.refuse("has no sign"))?;
                    let negated = value.checked_neg();
                    Value::Int(
                        negated.ok_or_else(|| Fault::failed("an integer becomes larger than 128 bits"))?,
                    )
                }
            },
            ExprKind::Positive(value) => match self.eval(value, scope)? {
                Value::Float(value) => Value::Float(value),
                other => Value::Int(other.as_int().ok_or_else(|| other.refuse("has no sign"))?),
            },
            ExprKind::Binary(operator, left, right) => {
                let left = self.eval(left, scope)?;
                let right = self.eval(right, scope)?;
                self.binary(*operator, &left, &right)?
            }
            ExprKind::And(left, right) => {
                let left = self.eval(left, scope)?;
                if left.is_true() { self.eval(right, scope)? } else { left }
            }
            ExprKind::Or(left, right) => {
                let left = self.eval(left, scope)?;
                if left.is_true() { left } else { self.eval(right, scope)? }
            }
            ExprKind::Concat(items) => {
                let mut joined = Joined::default();
                for item in items {
                    let value = self.eval(item, scope)?;
                    let text = self.str_of(&value)?;
                    joined.push(&text, value.is_from_caller(), &mut self.budget)?;
                }
                Value::Text(joined.finish(self.input))
            }
            ExprKind::Compare(first, others) => {
                let mut left = self.eval(first, scope)?;
                for (comparison, right) in others {
                    let right = self.eval(right, scope)?;
                    if !self.compare(*comparison, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            ExprKind::Conditional(test, then, otherwise) => {
                if self.eval(test, scope)?.is_true() {
                    self.eval(then, scope)?
                } else if let Some(otherwise) = otherwise {
                    self.eval(otherwise, scope)?
                } else {
                    Value::Undefined(Missing::Reason("an inline if has no else, and its condition is false"))
                }
            }
        })
    }

    fn eval_all(&mut self, items: &[Expr], scope: &Rc<Scope>) -> Outcome<Vec<Value>> {
        self.budget.pay_items(items.len())?;
        items.iter().map(|item| self.eval(item, scope)).collect()
    }

    /// Evaluates arguments.
    pub(super) fn arguments(&mut self, arguments: &Arguments, scope: &Rc<Scope>) -> Outcome<Args> {
        let mut args = Args { positional: self.eval_all(&arguments.positional, scope)?, named: Vec::new() };
        for (name, value) in &arguments.named {
            args.named.push((name.clone(), self.eval(value, scope)?));
        }
        if let Some(more) = &arguments.more {
            let more = self.eval(more, scope)?;
            args.positional.extend(self.collect(&more)?);
        }
        if let Some(more) = &arguments.more_named {
            let Value::Dict(dict) = self.eval(more, scope)? else {
                return Err(Fault::failed("what stands behind ** is no dictionary"));
            };
            for (name, value) in &dict.pairs {
                let name = name.as_text().ok_or_else(|| Fault::failed("the names of arguments are texts"))?;
                if args.named.iter().any(|(known, _)| *known == name.text) {
                    return Err(Fault::failed(format!("the argument {:?} is given twice", name.text)));
                }
                args.named.push((name.text.clone(), value.clone()));
            }
        }
        Ok(args)
    }

    /// Calls what an expression is.
    pub(super) fn call_expr(
        &mut self,
        callee: &Expr,
        arguments: &Arguments,
        caller: Option<Value>,
        scope: &Rc<Scope>,
    ) -> Outcome<Value> {
        // The method of a value is called without making it a value of its own.
        if let ExprKind::Attribute(receiver, name) = &callee.kind {
            let receiver = self.eval(receiver, scope)?;
            if super::attributes::is_method(&receiver, name) {
                let mut args = self.arguments(arguments, scope)?;
                args.named.extend(caller.map(|caller| ("caller".into(), caller)));
                return self.call_method(&receiver, name, args);
            }
            let callee = self.attribute(&receiver, name)?;
            return self.call_with(&callee, arguments, caller, scope);
        }
        let callee = self.eval(callee, scope)?;
        self.call_with(&callee, arguments, caller, scope)
    }

    fn call_with(
        &mut self,
        callee: &Value,
        arguments: &Arguments,
        caller: Option<Value>,
        scope: &Rc<Scope>,
    ) -> Outcome<Value> {
        let mut args = self.arguments(arguments, scope)?;
        args.named.extend(caller.map(|caller| (Arc::from("caller"), caller)));
        self.call(callee, args)
    }

    /// Returns the variable of a name.
    pub(super) fn variable(&self, name: &Arc<str>, scope: &Rc<Scope>) -> Value {
        if let Some(value) = scope.get(name) {
            return value;
        }
        if let Some(value) = self.input.variables.get(&**name) {
            return value.clone();
        }
        match Function::named(name) {
            Some(function) => Value::Function(function),
            None => Value::Undefined(Missing::Name(name.clone())),
        }
    }

    /// Computes with two values.
    pub(super) fn binary(&mut self, operator: Binary, left: &Value, right: &Value) -> Outcome<Value> {
        if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
            return compute(operator, left, right);
        }
        match (operator, left, right) {
            (Binary::Modulo, Value::Text(format), _) => {
                let result = percent::format(self, format, right)?;
                Ok(result.with_caller(right.is_from_caller()))
            }
            (_, Value::Undefined(missing), _) | (_, _, Value::Undefined(missing)) => {
                Err(Fault::failed(missing.message()))
            }
            (Binary::Add, Value::Text(a), Value::Text(b)) => self.add_texts(a, b),
            (Binary::Add, Value::List(a), Value::List(b)) => {
                self.budget.pay_items(a.items.len() + b.items.len())?;
                Value::list(a.items.iter().chain(&b.items).cloned().collect())
            }
            (Binary::Add, Value::Tuple(a), Value::Tuple(b)) => {
                self.budget.pay_items(a.items.len() + b.items.len())?;
                Value::tuple(a.items.iter().chain(&b.items).cloned().collect())
            }
            (Binary::Multiply, sequence, times) | (Binary::Multiply, times, sequence)
                if times.as_int().is_some() && is_repeatable(sequence) =>
            {
                self.repeat(sequence, times.as_int().unwrap_or(0))
            }
            _ => Err(Fault::failed(format!(
                "values of types {} and {} cannot be computed with ({})",
                left.type_name(),
                right.type_name(),
                sign(operator)
            ))),
        }
    }

    /// Adds two texts; if one of them is safe, the other one is escaped.
    pub(super) fn add_texts(&mut self, a: &Str, b: &Str) -> Outcome<Value> {
        let safe = a.safe || b.safe;
        let mut joined = Joined::default();
        for text in [a, b] {
            let escaped = if safe { escape(text) } else { text.text.clone() };
            joined.push(&escaped, text.from_caller, &mut self.budget)?;
        }
        Ok(Value::Text(Str { safe, ..joined.finish(self.input) }))
    }

    fn repeat(&mut self, value: &Value, times: i128) -> Outcome<Value> {
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        match value {
            Value::Text(text) => {
                self.budget.pay_text(text.text.len().saturating_mul(times))?;
                Ok(text.with(text.text.repeat(times)))
            }
            Value::List(seq) | Value::Tuple(seq) => {
                let count = seq.items.len().saturating_mul(times);
                self.budget.pay_items(count)?;
                let items = seq.items.iter().cycle().take(count).cloned().collect();
                if matches!(value, Value::List(_)) { Value::list(items) } else { Value::tuple(items) }
            }
            other => Err(other.refuse("cannot be repeated")),
        }
    }
}

/// Refuses a text that is longer than a prompt can be.
pub(super) fn within(bytes: usize) -> Outcome<()> {
    if bytes > TEXT_BYTES_MAX {
        return Err(Fault::exhausted("it writes more text than a prompt can hold"));
    }
    Ok(())
}

fn is_repeatable(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::List(_) | Value::Tuple(_))
}

fn sign(operator: Binary) -> &'static str {
    match operator {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::FloorDivide => "//",
        Binary::Modulo => "%",
        Binary::Power => "**",
    }
}
