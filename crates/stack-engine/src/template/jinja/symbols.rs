//! Finds the names that are assigned to before they are read.
//!
//! Jinja2 decides when it compiles where a name is looked up. A name whose first mention in a frame is an assignment
//! belongs to that frame, and is undefined up to the assignment even if the caller has a variable of that name; unless
//! a frame around it mentions the name, or the assignment stands in an `if` and may be skipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ast::{Expr, ExprKind, Frame, Macro, Stmt, Target};

/// Notes in every frame which names are undefined at its beginning.
pub(super) fn resolved(mut root: Frame) -> Frame {
    resolve(&mut root, Symbols::default(), &[], &[]);
    root
}

type Names = BTreeSet<Arc<str>>;

/// What is known of the names of a frame.
#[derive(Clone, Debug, Default)]
struct Symbols {
    known: Names,
    stored: Names,
    unset: Names,
}

impl Symbols {
    /// Begins a frame whose names have values from the beginning.
    fn with(parameters: impl IntoIterator<Item = Arc<str>>) -> Self {
        let known: Names = parameters.into_iter().collect();
        Self { stored: known.clone(), known, unset: Names::new() }
    }

    fn load(&mut self, name: &Arc<str>, outer: &[Names]) {
        if !outer.iter().any(|names| names.contains(name)) {
            self.known.insert(name.clone());
        }
    }

    fn store(&mut self, name: &Arc<str>, outer: &[Names]) {
        self.stored.insert(name.clone());
        if self.known.insert(name.clone()) && !outer.iter().any(|names| names.contains(name)) {
            self.unset.insert(name.clone());
        }
    }

    fn expr(&mut self, expr: &Expr, outer: &[Names]) {
        if let ExprKind::Name(name) = &expr.kind {
            self.load(name, outer);
        }
        expr.kind.for_each_child(&mut |child| self.expr(child, outer));
    }

    fn target(&mut self, target: &Target, outer: &[Names]) {
        match target {
            Target::Name(name) => self.store(name, outer),
            Target::Attribute(name, _, _) => self.load(name, outer),
            Target::Tuple(targets, _) => targets.iter().for_each(|target| self.target(target, outer)),
        }
    }

    fn body(&mut self, body: &[Stmt], outer: &[Names]) {
        body.iter().for_each(|statement| self.statement(statement, outer));
    }

    /// Visits a statement, but not the frames in it.
    fn statement(&mut self, statement: &Stmt, outer: &[Names]) {
        match statement {
            Stmt::Print(expr) | Stmt::FilterBlock(expr, _) | Stmt::Call(expr, _) => self.expr(expr, outer),
            Stmt::For(definition) => self.expr(&definition.items, outer),
            Stmt::Set(target, value) => {
                self.expr(value, outer);
                self.target(target, outer);
            }
            Stmt::SetBlock(target, _, _) => self.target(target, outer),
            Stmt::Macro(definition) => self.store(&definition.name, outer),
            Stmt::With(values, _) => values.iter().for_each(|(_, value)| self.expr(value, outer)),
            Stmt::If(branches, otherwise) => {
                branches.iter().for_each(|(test, _)| self.expr(test, outer));
                let before = self.stored.clone();
                let bodies = branches.iter().map(|(_, body)| body).chain([otherwise]);
                let visited: Vec<Self> = bodies
                    .map(|body| {
                        let mut branch = self.clone();
                        branch.body(body, outer);
                        branch
                    })
                    .collect();
                for branch in visited {
                    self.known.extend(branch.known);
                    self.unset.extend(branch.unset);
                    self.stored.extend(branch.stored);
                }
                // An assignment that may be skipped leaves what was there.
                self.unset.retain(|name| before.contains(name) || !self.stored.contains(name));
            }
            Stmt::Text(_)
            | Stmt::Scope(_)
            | Stmt::Block(_)
            | Stmt::Break
            | Stmt::Continue
            | Stmt::Elsewhere(..) => {}
        }
    }
}

/// Resolves the names of a frame, and then those of the frames in it.
fn resolve(frame: &mut Frame, mut symbols: Symbols, before: &[&Expr], outer: &[Names]) {
    before.iter().for_each(|expr| symbols.expr(expr, outer));
    symbols.body(&frame.body, outer);
    frame.unset = symbols.unset.into_iter().collect();
    let mut around = outer.to_vec();
    around.push(symbols.known);
    inner_frames(&mut frame.body, &around);
}

fn inner_frames(body: &mut [Stmt], outer: &[Names]) {
    for statement in body {
        match statement {
            Stmt::If(branches, otherwise) => {
                branches.iter_mut().for_each(|(_, body)| inner_frames(body, outer));
                inner_frames(otherwise, outer);
            }
            Stmt::For(definition) => {
                let definition = Arc::get_mut(definition).expect("the tree is not shared while it is built");
                let mut names = vec!["loop".into()];
                target_names(&definition.target, &mut names);
                resolve(&mut definition.body, Symbols::with(names), &[], outer);
                resolve(&mut definition.otherwise, Symbols::default(), &[], outer);
            }
            Stmt::Macro(definition) | Stmt::Call(_, definition) => {
                let definition = Arc::get_mut(definition).expect("the tree is not shared while it is built");
                let Macro { parameters, defaults, body, .. } = definition;
                let special = ["caller", "kwargs", "varargs"].into_iter().zip([
                    definition.reads_caller,
                    definition.reads_kwargs,
                    definition.reads_varargs,
                ]);
                let special = special.filter(|(_, read)| *read).map(|(name, _)| Arc::from(name));
                let symbols = Symbols::with(parameters.iter().cloned().chain(special));
                resolve(body, symbols, &defaults.iter().collect::<Vec<_>>(), outer);
            }
            Stmt::With(values, body) => {
                let mut names = Vec::new();
                values.iter().for_each(|(target, _)| target_names(target, &mut names));
                resolve(body, Symbols::with(names), &[], outer);
            }
            Stmt::FilterBlock(_, body) | Stmt::SetBlock(_, _, body) | Stmt::Scope(body) => {
                resolve(body, Symbols::default(), &[], outer);
            }
            Stmt::Block(body) => resolve(body, Symbols::default(), &[], &[]),
            Stmt::Text(_)
            | Stmt::Print(_)
            | Stmt::Set(..)
            | Stmt::Break
            | Stmt::Continue
            | Stmt::Elsewhere(..) => {}
        }
    }
}

fn target_names(target: &Target, names: &mut Vec<Arc<str>>) {
    match target {
        Target::Name(name) => names.push(name.clone()),
        Target::Tuple(targets, _) => targets.iter().for_each(|target| target_names(target, names)),
        Target::Attribute(..) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::template::jinja::{lexer, parser};

    fn unset(source: &str) -> Vec<String> {
        let frame = parser::parse(lexer::tokens(source).unwrap()).unwrap();
        frame.unset.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_that_are_assigned_to_first_are_undefined_before() {
        assert_eq!(unset("{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}"), ["m", "x"]);
        assert_eq!(unset("{% set x = x + 1 %}"), [""; 0]);
        assert_eq!(unset("{% if a %}{% set x = 1 %}{% endif %}{{ x }}"), [""; 0]);
        assert_eq!(unset("{% set x = 1 %}{% if a %}{% set x = 2 %}{% endif %}"), ["x"]);
    }
}
