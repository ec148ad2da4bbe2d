//! Runs the statements of a template.

use std::rc::Rc;
use std::sync::Arc;

use jiff::Zoned;

use super::ast::{Expr, ExprKind, For, Frame, Macro, Stmt, Target};
use super::budget::Budget;
use super::fault::{Fault, Outcome};
use super::items::Items;
use super::joined::Joined;
use super::loops::LoopState;
use super::show;
use super::value::{Closure, Missing, Namespace, Scope, Value, Variables};
use crate::template::guard::ControlTexts;

/// What a template is rendered with.
pub(in crate::template) struct Input<'a> {
    /// The variables.
    pub(in crate::template) variables: Variables,
    /// The moment that `strftime_now` shows.
    pub(in crate::template) now: &'a Zoned,
    /// The control texts that callers must not write, and the marker that parts their text from the template's.
    pub(in crate::template) guard: Option<(&'a ControlTexts, char)>,
}

/// One rendering.
pub(super) struct Interpreter<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) budget: Budget,
    /// What the template wrote, up to the innermost block that captures it.
    out: Joined,
    /// What blocks wrote whose filters are being applied.
    captured: Vec<Value>,
    /// What can contain itself. It is kept to the end and emptied then, so that nothing is left behind.
    namespaces: Vec<Rc<Namespace>>,
    scopes: Vec<Rc<Scope>>,
}

/// How a statement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// Renders a template.
pub(super) fn render(body: &Frame, input: &Input<'_>) -> Outcome<String> {
    let mut interpreter = Interpreter {
        input,
        budget: Budget::default(),
        out: Joined::default(),
        captured: Vec::new(),
        namespaces: Vec::new(),
        scopes: Vec::new(),
    };
    let root = Rc::new(Scope::default());
    interpreter.scopes.push(root.clone());
    interpreter.frame(body, &root)?;
    Ok(std::mem::take(&mut interpreter.out).finish(input).text.as_ref().to_owned())
}

impl Drop for Interpreter<'_> {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            drop(namespace.attributes.take());
        }
        for scope in &self.scopes {
            drop(scope.variables.take());
        }
    }
}

impl Interpreter<'_> {
    /// Runs statements with variables of their own.
    fn frame(&mut self, frame: &Frame, scope: &Rc<Scope>) -> Outcome<Flow> {
        for name in &frame.unset {
            scope.set(name, Value::Undefined(Missing::Unset(name.clone())));
        }
        self.body(&frame.body, scope)
    }

    fn body(&mut self, body: &[Stmt], scope: &Rc<Scope>) -> Outcome<Flow> {
        self.budget.enter()?;
        for statement in body {
            let flow = self.statement(statement, scope)?;
            if flow != Flow::Next {
                self.budget.leave();
                return Ok(flow);
            }
        }
        self.budget.leave();
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Stmt, scope: &Rc<Scope>) -> Outcome<Flow> {
        self.budget.step()?;
        match statement {
            Stmt::Text(text) => self.out.push(text, false, &mut self.budget)?,
            Stmt::Print(expr) => {
                let value = self.eval(expr, scope)?;
                self.print(&value).map_err(|fault| fault.at(expr.line))?;
            }
            Stmt::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.eval(test, scope)?.is_true() {
                        return self.body(body, scope);
                    }
                }
                return self.body(otherwise, scope);
            }
            Stmt::For(definition) => {
                let items = self.eval(&definition.items, scope)?;
                self.run_loop(definition, &items, scope, 0)
                    .map_err(|fault| fault.at(definition.items.line))?;
            }
            Stmt::Set(target, value) => {
                self.check_namespaces(target, scope)?;
                let value = self.eval(value, scope)?;
                self.assign(target, value, scope)?;
            }
            Stmt::SetBlock(target, filters, body) => {
                let inner = Scope::inside(scope);
                let (text, flow) = self.capture(|this| this.frame(body, &inner))?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
                let value = self.filter_captured(text, filters.as_ref(), &inner)?;
                self.assign(target, value, scope)?;
            }
            Stmt::Macro(definition) => {
                let closure = self.closure(definition, scope);
                scope.set(&definition.name, closure);
            }
            Stmt::Call(call, body) => {
                let caller = self.closure(body, scope);
                let ExprKind::Call(callee, arguments) = &call.kind else {
                    return Err(Fault::failed("a call block needs a call").at(call.line));
                };
                let value = self
                    .call_expr(callee, arguments, Some(caller), scope)
                    .map_err(|fault| fault.at(call.line))?;
                self.print_text(&value).map_err(|fault| fault.at(call.line))?;
            }
            Stmt::FilterBlock(filters, body) => {
                let inner = Scope::inside(scope);
                let (text, flow) = self.capture(|this| this.frame(body, &inner))?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
                let value = self.filter_captured(text, Some(filters), &inner)?;
                self.print_text(&value).map_err(|fault| fault.at(filters.line))?;
            }
            Stmt::With(values, body) => {
                let inner = Scope::inside(scope);
                for (target, value) in values {
                    let value = self.eval(value, scope)?;
                    self.assign(target, value, &inner)?;
                }
                return self.frame(body, &inner);
            }
            Stmt::Scope(body) => {
                self.frame(body, &Scope::inside(scope))?;
            }
            Stmt::Block(body) => {
                let mut root = scope;
                while let Some(parent) = &root.parent {
                    root = parent;
                }
                self.frame(body, &root.without_unset())?;
            }
            Stmt::Break => return Ok(Flow::Break),
            Stmt::Continue => return Ok(Flow::Continue),
            Stmt::Elsewhere(what, line) => {
                let message = format!("{what} needs another template, and a chat template stands alone");
                return Err(Fault::failed(message).at(*line));
            }
        }
        Ok(Flow::Next)
    }

    /// Runs a loop over the items of a value.
    fn run_loop(
        &mut self,
        definition: &Arc<For>,
        value: &Value,
        scope: &Rc<Scope>,
        depth: usize,
    ) -> Outcome<()> {
        let mut items = Items::of(self, value)?;
        if let Some(test) = &definition.test {
            items = self.select(definition, test, items, scope)?;
        }
        let recursion = definition.recursive.then(|| (definition.clone(), scope.clone()));
        let state = Rc::new(LoopState::new(items, depth, recursion));
        let result = self.iterate(definition, &state, scope);
        state.finish();
        if !result? {
            self.frame(&definition.otherwise, &Scope::inside(scope))?;
        }
        Ok(())
    }

    /// Runs the body for each item; returns whether there was one.
    fn iterate(&mut self, definition: &For, state: &Rc<LoopState>, scope: &Rc<Scope>) -> Outcome<bool> {
        let loop_name: Arc<str> = "loop".into();
        let mut any = false;
        while let Some(item) = state.advance(self)? {
            let inner = Scope::inside(scope);
            inner.set(&loop_name, Value::Loop(state.clone()));
            self.assign(&definition.target, item, &inner)?;
            let flow = self.frame(&definition.body, &inner)?;
            if flow == Flow::Break {
                // Jinja2 runs `else` if no iteration came to its end.
                return Ok(any);
            }
            if flow == Flow::Next {
                any = true;
            }
        }
        Ok(any)
    }

    /// Keeps the items for which the test of a loop holds. An error waits until its item is reached.
    fn select(
        &mut self,
        definition: &For,
        test: &Expr,
        mut items: Items,
        scope: &Rc<Scope>,
    ) -> Outcome<Items> {
        let mut kept = Vec::new();
        let fault = loop {
            let item = match items.next(self) {
                Ok(Some(item)) => item,
                Ok(None) => break None,
                Err(fault) => break Some(fault),
            };
            let inner = Scope::inside(scope);
            // Jinja2 packs the assigned values again: a list that was taken apart becomes a tuple.
            let holds = self.assign(&definition.target, item, &inner).and_then(|()| {
                let holds = self.eval(test, &inner)?.is_true();
                holds.then(|| packed(&definition.target, &inner)).transpose()
            });
            match holds {
                Ok(item) => kept.extend(item),
                Err(fault) => break Some(fault),
            }
        };
        let stream = Value::stream(kept, fault)?;
        Items::of(self, &stream)
    }

    /// `loop(items)` in a recursive loop.
    pub(super) fn recurse(&mut self, state: &LoopState, items: &Value) -> Outcome<Value> {
        let Some((definition, scope)) = &state.recursion else {
            return Err(Fault::failed("only a loop that is marked recursive can be called"));
        };
        let depth = state.depth();
        let (text, ()) = self.capture(|this| this.run_loop(definition, items, scope, depth))?;
        Ok(text)
    }

    /// Runs the body of a macro with its variables; returns what it wrote.
    pub(super) fn run_macro(&mut self, body: &Frame, scope: &Rc<Scope>) -> Outcome<Value> {
        let (text, _) = self.capture(|this| this.frame(body, scope))?;
        Ok(text)
    }

    /// Makes a macro; the variables that it sees are kept as long as the rendering takes.
    fn closure(&mut self, definition: &Arc<Macro>, scope: &Rc<Scope>) -> Value {
        if !self.scopes.last().is_some_and(|last| Rc::ptr_eq(last, scope)) {
            let mut scope = Some(scope);
            while let Some(kept) = scope {
                self.scopes.push(kept.clone());
                scope = kept.parent.as_ref();
            }
        }
        Value::Macro(Rc::new(Closure { definition: definition.clone(), scope: scope.clone() }))
    }

    /// Keeps a namespace up to the end of the rendering.
    pub(super) fn keep(&mut self, namespace: Namespace) -> Value {
        let namespace = Rc::new(namespace);
        self.namespaces.push(namespace.clone());
        Value::Namespace(namespace)
    }

    fn filter_captured(&mut self, text: Value, filters: Option<&Expr>, scope: &Rc<Scope>) -> Outcome<Value> {
        let Some(filters) = filters else { return Ok(text) };
        self.captured.push(text);
        let value = self.eval(filters, scope);
        self.captured.pop();
        value
    }

    pub(super) fn last_captured(&self) -> Value {
        self.captured.last().cloned().unwrap_or(Value::None)
    }

    /// Runs something, and returns what it wrote.
    fn capture<T>(&mut self, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<(Value, T)> {
        let outer = std::mem::take(&mut self.out);
        let result = run(self);
        let text = std::mem::replace(&mut self.out, outer);
        Ok((Value::Text(text.finish(self.input)), result?))
    }

    fn check_namespaces(&mut self, target: &Target, scope: &Rc<Scope>) -> Outcome<()> {
        match target {
            Target::Name(_) => Ok(()),
            Target::Tuple(targets, _) => {
                targets.iter().try_for_each(|target| self.check_namespaces(target, scope))
            }
            Target::Attribute(name, _, line) => match self.variable(name, scope) {
                Value::Namespace(_) => Ok(()),
                _ => Err(Fault::failed(format!("{name:?} is no namespace, its attributes cannot be set"))
                    .at(*line)),
            },
        }
    }

    fn assign(&mut self, target: &Target, value: Value, scope: &Rc<Scope>) -> Outcome<()> {
        match target {
            Target::Name(name) => scope.set(name, value),
            Target::Attribute(name, attribute, line) => {
                let Value::Namespace(namespace) = self.variable(name, scope) else {
                    return Err(Fault::failed(format!("{name:?} is no namespace")).at(*line));
                };
                namespace.set(attribute, value);
            }
            Target::Tuple(targets, line) => {
                let values = self.collect(&value).map_err(|fault| fault.at(*line))?;
                if values.len() != targets.len() {
                    let message = format!("{} values are assigned to {} names", values.len(), targets.len());
                    return Err(Fault::failed(message).at(*line));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, scope)?;
                }
            }
        }
        Ok(())
    }

    /// Writes a value as Python's `str` shows it.
    fn print(&mut self, value: &Value) -> Outcome<()> {
        let text = self.str_of(value)?;
        self.out.push(&text, value.is_from_caller(), &mut self.budget)
    }

    /// Writes what a block became, which must be a text.
    fn print_text(&mut self, value: &Value) -> Outcome<()> {
        match value {
            Value::Text(_) => self.print(value),
            other => Err(other.refuse("is not written by a block, which writes texts")),
        }
    }

    /// Returns `str(value)`.
    pub(super) fn str_of(&mut self, value: &Value) -> Outcome<Arc<str>> {
        if let Value::Text(text) = value {
            return Ok(text.text.clone());
        }
        if let Value::Loop(state) = value {
            state.length(self)?;
        }
        let text = show::str_of(value)?;
        self.budget.pay_text(text.len().saturating_mul(PRINTED_BYTE))?;
        Ok(text.into())
    }

    /// Returns `repr(value)`.
    pub(super) fn repr_of(&mut self, value: &Value) -> Outcome<String> {
        let text = show::repr_of(value)?;
        self.budget.pay_text(text.len().saturating_mul(PRINTED_BYTE))?;
        Ok(text)
    }
}

/// Returns the value of what was assigned to.
fn packed(target: &Target, scope: &Scope) -> Outcome<Value> {
    match target {
        Target::Name(name) | Target::Attribute(name, _, _) => Ok(scope.get(name).unwrap_or(Value::None)),
        Target::Tuple(targets, _) => {
            Value::tuple(targets.iter().map(|target| packed(target, scope)).collect::<Outcome<_>>()?)
        }
    }
}

/// What a byte costs that is written by itself, compared to one that is copied.
const PRINTED_BYTE: usize = 1;
