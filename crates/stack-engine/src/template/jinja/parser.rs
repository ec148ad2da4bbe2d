//! From tokens to the tree: statements. Expressions are in [`super::expressions`].

use std::sync::Arc;

use super::ast::{Arguments, Expr, ExprKind, For, Frame, Macro, Stmt, Target};
use super::fault::{Fault, Outcome};
use super::lexer::{Kind, Token};
use super::stream::unexpected;
use super::symbols;

/// Parses a template.
pub(super) fn parse(tokens: Vec<Token>) -> Outcome<Frame> {
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
        soft: false,
        unknown: Vec::new(),
        loops: 0,
        blocks: Vec::new(),
        macros: Vec::new(),
    };
    let (body, _) = parser.body(&[])?;
    match parser.unknown.into_iter().next() {
        None => Ok(symbols::resolved(body.into())),
        Some(fault) => Err(fault),
    }
}

pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) depth: usize,
    /// Whether an unknown filter or test is an error only if it is reached, as inside of `if`.
    pub(super) soft: bool,
    /// Unknown filters and tests that are errors.
    pub(super) unknown: Vec<Fault>,
    /// How many loops of the current macro are open.
    loops: usize,
    /// The names of all blocks.
    blocks: Vec<Arc<str>>,
    /// What the bodies of the open macros read.
    macros: Vec<Specials>,
}

/// Which special names a macro's body reads, in the order of [`SPECIALS`]; `None` is not known yet.
#[derive(Default)]
struct Specials([Option<bool>; 3]);

impl Parser {
    /// Parses statements up to a block tag that begins with one of the words, and returns that word; the rest of that
    /// tag is left.
    fn body(&mut self, ends: &[&'static str]) -> Outcome<(Vec<Stmt>, &'static str)> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::exhausted("its statements are nested too deep"));
        }
        let mut body = Vec::new();
        let end = loop {
            let line = self.line();
            match self.take() {
                Kind::Data(text) => body.push(Stmt::Text(text.into())),
                Kind::PrintBegin => {
                    body.push(Stmt::Print(self.tuple(true)?));
                    self.expect(&Kind::PrintEnd)?;
                }
                Kind::BlockBegin => {
                    if let Some(end) = ends.iter().find(|end| self.is_name(end)) {
                        self.at += 1;
                        break *end;
                    }
                    body.push(self.statement()?);
                    self.expect(&Kind::BlockEnd)?;
                }
                Kind::End if ends.is_empty() => break "",
                Kind::End => {
                    let expected = ends.join(" or ");
                    return Err(Fault::syntax(
                        format!("the template ends, {expected} is missing"),
                        line as usize,
                    ));
                }
                other => return Err(unexpected(&other, line)),
            }
        };
        self.depth -= 1;
        Ok((body, end))
    }

    /// Parses the end of a tag and the body behind it, up to one of the words.
    fn block(&mut self, ends: &[&'static str]) -> Outcome<(Vec<Stmt>, &'static str)> {
        self.skip_operator(":");
        self.expect(&Kind::BlockEnd)?;
        self.body(ends)
    }

    /// Parses a statement from its first word on.
    fn statement(&mut self) -> Outcome<Stmt> {
        let line = self.line();
        let word = self.name()?;
        Ok(match &*word {
            "for" => self.for_loop()?,
            "if" => self.condition()?,
            "set" => self.set()?,
            "macro" => {
                let name = self.name()?;
                self.stores(&name);
                let parameters = self.signature()?;
                Stmt::Macro(Arc::new(self.macro_body(name, parameters, "endmacro")?))
            }
            "call" => self.call_block()?,
            "filter" => {
                let filter = self.hard(|parser| parser.filters_of_capture(true))?;
                let filter = filter.ok_or_else(|| Fault::syntax("a filter is missing", line as usize))?;
                let (body, _) = self.hard(|parser| parser.block(&["endfilter"]))?;
                Stmt::FilterBlock(filter, body.into())
            }
            "with" => self.with()?,
            "generation" => {
                // Marks text for training. It is a `call` block of its own, with variables of its own.
                let loops = std::mem::take(&mut self.loops);
                let (body, _) = self.hard(|parser| parser.block(&["endgeneration"]))?;
                self.loops = loops;
                Stmt::Scope(body.into())
            }
            "autoescape" => {
                // Nothing is escaped unless a filter does it; a template that wants otherwise is not for chats.
                if !matches!(self.expression()?.kind, ExprKind::Bool(false)) {
                    return Err(Fault::syntax("autoescape can only be false", line as usize));
                }
                let (body, _) = self.hard(|parser| parser.block(&["endautoescape"]))?;
                Stmt::Scope(body.into())
            }
            "block" => {
                let name = self.name()?;
                if self.blocks.contains(&name) {
                    return Err(Fault::syntax(format!("the block {name:?} is duplicated"), line as usize));
                }
                self.blocks.push(name);
                while self.skip_name("scoped") || self.skip_name("required") {}
                let loops = std::mem::take(&mut self.loops);
                let (body, _) = self.hard(|parser| parser.block(&["endblock"]))?;
                self.loops = loops;
                if matches!(self.peek(), Kind::Name(_)) {
                    self.at += 1;
                }
                Stmt::Block(body.into())
            }
            "print" => {
                let mut items = Vec::new();
                while *self.peek() != Kind::BlockEnd {
                    if !items.is_empty() {
                        self.expect_operator(",")?;
                    }
                    items.push(self.expression()?);
                }
                let empty = new_expr(ExprKind::Text("".into()), line)?;
                items.insert(0, empty);
                Stmt::Print(new_expr(ExprKind::Concat(items), line)?)
            }
            "break" | "continue" if self.loops == 0 => {
                return Err(Fault::syntax(format!("{word} is outside of a loop"), line as usize));
            }
            "break" => Stmt::Break,
            "continue" => Stmt::Continue,
            "include" | "extends" | "import" | "from" => {
                while !matches!(self.peek(), Kind::BlockEnd | Kind::End) {
                    self.at += 1;
                }
                let what = ["include", "extends", "import", "from"].into_iter().find(|what| **what == *word);
                Stmt::Elsewhere(what.unwrap_or_default(), line)
            }
            _ => return Err(Fault::syntax(format!("the tag {word:?} is unknown"), line as usize)),
        })
    }

    fn for_loop(&mut self) -> Outcome<Stmt> {
        let target = self.target(false)?;
        self.refuse_loop(&target, true)?;
        self.expect_name("in")?;
        let items = self.tuple(false)?;
        let outer_soft = std::mem::take(&mut self.soft);
        let test = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        self.loops += 1;
        let (body, end) = self.block(&["endfor", "else"])?;
        self.loops -= 1;
        let otherwise = if end == "else" { self.block(&["endfor"])?.0 } else { Vec::new() };
        self.soft = outer_soft;
        let (body, otherwise) = (body.into(), otherwise.into());
        Ok(Stmt::For(Arc::new(For { target, items, test, recursive, body, otherwise })))
    }

    fn condition(&mut self) -> Outcome<Stmt> {
        let soft = std::mem::replace(&mut self.soft, true);
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let test = self.tuple(false)?;
            let (body, end) = self.block(&["elif", "else", "endif"])?;
            branches.push((test, body));
            match end {
                "elif" => {}
                "else" => {
                    otherwise = self.block(&["endif"])?.0;
                    break;
                }
                _ => break,
            }
        }
        self.soft = soft;
        Ok(Stmt::If(branches, otherwise))
    }

    fn set(&mut self) -> Outcome<Stmt> {
        let target = self.target(true)?;
        self.refuse_loop(&target, self.loops > 0)?;
        if self.skip_operator("=") {
            let value = self.tuple(true)?;
            return Ok(Stmt::Set(target, value));
        }
        let filters = self.hard(|parser| parser.filters_of_capture(false))?;
        let (body, _) = self.hard(|parser| parser.block(&["endset"]))?;
        Ok(Stmt::SetBlock(target, filters, body.into()))
    }

    fn call_block(&mut self) -> Outcome<Stmt> {
        let line = self.line();
        let parameters = if self.is_operator("(") { self.signature()? } else { (Vec::new(), Vec::new()) };
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Err(Fault::syntax("a call block needs a call", line as usize));
        }
        let body = self.macro_body("".into(), parameters, "endcall")?;
        Ok(Stmt::Call(call, Arc::new(body)))
    }

    fn with(&mut self) -> Outcome<Stmt> {
        let mut values = Vec::new();
        while *self.peek() != Kind::BlockEnd {
            if !values.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target(false)?;
            self.expect_operator("=")?;
            values.push((target, self.expression()?));
        }
        let (body, _) = self.hard(|parser| parser.block(&["endwith"]))?;
        Ok(Stmt::With(values, body.into()))
    }

    /// Parses the parameters of a macro and their defaults.
    fn signature(&mut self) -> Outcome<(Vec<Arc<str>>, Vec<Expr>)> {
        let (mut names, mut defaults) = (Vec::new(), Vec::new());
        self.expect_operator("(")?;
        while !self.is_operator(")") {
            if !names.is_empty() {
                self.expect_operator(",")?;
            }
            let line = self.line();
            let name = self.name()?;
            if names.contains(&name) {
                return Err(Fault::syntax(format!("the parameter {name:?} is duplicated"), line as usize));
            }
            names.push(name);
            if self.skip_operator("=") {
                defaults.push(self.expression()?);
            } else if !defaults.is_empty() {
                let message = "a parameter without a default follows one with a default";
                return Err(Fault::syntax(message, line as usize));
            }
        }
        self.at += 1;
        Ok((names, defaults))
    }

    fn macro_body(
        &mut self,
        name: Arc<str>,
        (parameters, defaults): (Vec<Arc<str>>, Vec<Expr>),
        end: &'static str,
    ) -> Outcome<Macro> {
        let line = self.line();
        let loops = std::mem::take(&mut self.loops);
        self.macros.push(Specials::default());
        let (body, _) = self.hard(|parser| parser.block(&[end]))?;
        self.loops = loops;
        let [caller, kwargs, varargs] =
            self.macros.pop().unwrap_or_default().0.map(|reads| reads == Some(true));
        let takes = |name: &str| parameters.iter().any(|parameter| **parameter == *name);
        let caller_without_default =
            parameters.iter().take(parameters.len() - defaults.len()).any(|name| **name == *"caller");
        if caller && caller_without_default {
            return Err(Fault::syntax("the parameter caller needs a default", line as usize));
        }
        Ok(Macro {
            name,
            reads_caller: caller && !takes("caller"),
            reads_kwargs: kwargs && !takes("kwargs"),
            reads_varargs: varargs && !takes("varargs"),
            parameters,
            defaults,
            body: body.into(),
        })
    }

    /// Parses filters that are applied to what a block wrote; the first stands without `|` if `inline`.
    fn filters_of_capture(&mut self, inline: bool) -> Outcome<Option<Expr>> {
        if !inline && !self.is_operator("|") {
            return Ok(None);
        }
        let line = self.line();
        let mut value = new_expr(ExprKind::Captured, line)?;
        if inline {
            value = self.filter(value)?;
        }
        while self.skip_operator("|") {
            value = self.filter(value)?;
        }
        Ok(Some(value))
    }

    /// Parses what is assigned to.
    fn target(&mut self, attributes: bool) -> Outcome<Target> {
        let line = self.line();
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            if !targets.is_empty() {
                self.expect_operator(",")?;
            }
            let ended = matches!(self.peek(), Kind::BlockEnd | Kind::PrintEnd) || self.is_operator(")");
            if ended {
                break;
            }
            targets.push(self.one_target(attributes)?);
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
        }
        match targets.pop() {
            Some(target) if !is_tuple => Ok(target),
            None => Err(unexpected(self.peek(), line)),
            Some(last) => {
                targets.push(last);
                Ok(Target::Tuple(targets, line))
            }
        }
    }

    fn one_target(&mut self, attributes: bool) -> Outcome<Target> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::exhausted("its brackets are nested too deep"));
        }
        let line = self.line();
        let target = if self.skip_operator("(") {
            let target = self.target(attributes)?;
            self.expect_operator(")")?;
            target
        } else {
            let name = self.name()?;
            if CONSTANTS.contains(&&*name) {
                return Err(Fault::syntax(format!("{name} cannot be assigned to"), line as usize));
            }
            if attributes && self.skip_operator(".") {
                self.loads(&name);
                Target::Attribute(name, self.name()?, line)
            } else {
                self.stores(&name);
                Target::Name(name)
            }
        };
        self.depth -= 1;
        Ok(target)
    }

    /// Refuses to assign to `loop` where that is the state of a loop.
    fn refuse_loop(&self, target: &Target, inside: bool) -> Outcome<()> {
        let named = match target {
            Target::Name(name) => **name == *"loop",
            Target::Tuple(targets, _) => {
                return targets.iter().try_for_each(|target| self.refuse_loop(target, inside));
            }
            Target::Attribute(..) => false,
        };
        if inside && named {
            return Err(Fault::syntax("loop cannot be assigned to in a loop", self.line() as usize));
        }
        Ok(())
    }

    /// Parses where an unknown filter is an error even if it is not reached.
    fn hard<T>(&mut self, parse: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let soft = std::mem::take(&mut self.soft);
        let result = parse(self);
        self.soft = soft;
        result
    }

    /// Notes that a name is read.
    pub(super) fn loads(&mut self, name: &str) {
        self.note(name, true);
    }

    fn stores(&mut self, name: &str) {
        self.note(name, false);
    }

    fn note(&mut self, name: &str, reads: bool) {
        if let Some(index) = SPECIALS.iter().position(|special| *special == name) {
            for specials in &mut self.macros {
                specials.0[index].get_or_insert(reads);
            }
        }
    }
}

/// Makes an expression, whose height is bounded.
pub(super) fn new_expr(kind: ExprKind, line: u32) -> Outcome<Expr> {
    let expr = Expr::new(kind, line);
    if expr.height > HEIGHT_MAX {
        return Err(Fault::exhausted("an expression is nested too deep").at(line));
    }
    Ok(expr)
}

/// Names that macros find without declaring them.
const SPECIALS: [&str; 3] = ["caller", "kwargs", "varargs"];
/// Names of constants.
const CONSTANTS: [&str; 6] = ["true", "false", "none", "True", "False", "None"];
/// How deep statements and brackets may be nested.
pub(super) const DEPTH_MAX: usize = 100;
/// How many expressions may lie in each other; a chain of operators counts, too.
const HEIGHT_MAX: u16 = 500;

impl Arguments {
    pub(super) fn none() -> Box<Self> {
        Box::default()
    }
}
