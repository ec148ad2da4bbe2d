//! From tokens to the tree: expressions, by Jinja2's grammar.
//!
//! ```text
//! expression  = or [ "if" or [ "else" expression ] ]…
//! or          = and ( "or" and )…            and = not ( "and" not )…         not = "not"… compare
//! compare     = sum ( ("==" | … | "in" | "not in") sum )…
//! sum         = concat ( ("+" | "-") concat )…   concat = product ( "~" product )…
//! product     = power ( ("*" | "/" | "//" | "%") power )…   power = unary ( "**" unary )…
//! unary       = ("-" | "+") unary | primary, then .name [item] (arguments), then |filter, is test, (arguments)
//! ```

use std::sync::Arc;

use super::ast::{Arguments, Binary, Comparison, Expr, ExprKind};
use super::fault::{Fault, Outcome};
use super::lexer::Kind;
use super::parser::{DEPTH_MAX, Parser, new_expr};
use super::stream::unexpected;
use super::{filters, predicates};

impl Parser {
    /// Parses an expression.
    pub(super) fn expression(&mut self) -> Outcome<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::exhausted("its brackets are nested too deep").at(self.line()));
        }
        let expr = self.conditional();
        self.depth -= 1;
        expr
    }

    /// Parses expressions between commas; one without a comma stands for itself.
    pub(super) fn tuple(&mut self, conditional: bool) -> Outcome<Expr> {
        let line = self.line();
        let (items, is_tuple) = self.tuple_items(conditional)?;
        Self::tuple_of(items, is_tuple, line)?.ok_or_else(|| unexpected(self.peek(), line))
    }

    fn tuple_items(&mut self, conditional: bool) -> Outcome<(Vec<Expr>, bool)> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            let ended = matches!(self.peek(), Kind::BlockEnd | Kind::PrintEnd) || self.is_operator(")");
            if ended {
                return Ok((items, is_tuple));
            }
            items.push(if conditional { self.expression()? } else { self.or()? });
            if !self.is_operator(",") {
                return Ok((items, is_tuple));
            }
            is_tuple = true;
        }
    }

    fn tuple_of(mut items: Vec<Expr>, is_tuple: bool, line: u32) -> Outcome<Option<Expr>> {
        if is_tuple {
            return new_expr(ExprKind::Tuple(items), line).map(Some);
        }
        Ok(items.pop())
    }

    fn conditional(&mut self) -> Outcome<Expr> {
        // What may not be reached is checked less strictly, and that is known only behind it.
        let unknown = self.unknown.len();
        let mut line = self.line();
        let mut value = self.or()?;
        while self.skip_name("if") {
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(Box::new(self.expression()?)) } else { None };
            value = new_expr(ExprKind::Conditional(Box::new(test), Box::new(value), otherwise), line)?;
            line = self.line();
            self.unknown.truncate(unknown);
        }
        Ok(value)
    }

    fn or(&mut self) -> Outcome<Expr> {
        let mut line = self.line();
        let mut left = self.and()?;
        while self.skip_name("or") {
            let right = self.and()?;
            left = new_expr(ExprKind::Or(Box::new(left), Box::new(right)), line)?;
            line = self.line();
        }
        Ok(left)
    }

    fn and(&mut self) -> Outcome<Expr> {
        let mut line = self.line();
        let mut left = self.not()?;
        while self.skip_name("and") {
            let right = self.not()?;
            left = new_expr(ExprKind::And(Box::new(left), Box::new(right)), line)?;
            line = self.line();
        }
        Ok(left)
    }

    fn not(&mut self) -> Outcome<Expr> {
        let line = self.line();
        let mut count = 0;
        while self.skip_name("not") {
            count += 1;
        }
        let mut value = self.compare()?;
        for _ in 0..count {
            value = new_expr(ExprKind::Not(Box::new(value)), line)?;
        }
        Ok(value)
    }

    fn compare(&mut self) -> Outcome<Expr> {
        let line = self.line();
        let first = self.sum()?;
        let mut others = Vec::new();
        loop {
            let comparison = match self.peek() {
                Kind::Operator(operator) => match *operator {
                    "==" => Comparison::Equal,
                    "!=" => Comparison::NotEqual,
                    "<" => Comparison::Less,
                    "<=" => Comparison::LessEqual,
                    ">" => Comparison::Greater,
                    ">=" => Comparison::GreaterEqual,
                    _ => break,
                },
                Kind::Name(name) if **name == *"in" => Comparison::In,
                Kind::Name(name) if **name == *"not" => {
                    if !matches!(self.peek_second(), Kind::Name(name) if **name == *"in") {
                        break;
                    }
                    self.advance();
                    Comparison::NotIn
                }
                _ => break,
            };
            self.advance();
            others.push((comparison, self.sum()?));
        }
        if others.is_empty() {
            return Ok(first);
        }
        new_expr(ExprKind::Compare(Box::new(first), others), line)
    }

    fn sum(&mut self) -> Outcome<Expr> {
        self.binary(&[("+", Binary::Add), ("-", Binary::Subtract)], Self::concat)
    }

    fn concat(&mut self) -> Outcome<Expr> {
        let line = self.line();
        let first = self.product()?;
        if !self.is_operator("~") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.skip_operator("~") {
            items.push(self.product()?);
        }
        new_expr(ExprKind::Concat(items), line)
    }

    fn product(&mut self) -> Outcome<Expr> {
        let operators = [
            ("*", Binary::Multiply),
            ("/", Binary::Divide),
            ("//", Binary::FloorDivide),
            ("%", Binary::Modulo),
        ];
        self.binary(&operators, |parser| parser.binary(&[("**", Binary::Power)], |parser| parser.unary(true)))
    }

    fn binary(
        &mut self,
        operators: &[(&str, Binary)],
        operand: impl Fn(&mut Self) -> Outcome<Expr>,
    ) -> Outcome<Expr> {
        let mut line = self.line();
        let mut left = operand(self)?;
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.is_operator(text)) {
            self.advance();
            let right = operand(self)?;
            left = new_expr(ExprKind::Binary(*operator, Box::new(left), Box::new(right)), line)?;
            line = self.line();
        }
        Ok(left)
    }

    fn unary(&mut self, filtered: bool) -> Outcome<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::exhausted("its signs are nested too deep").at(self.line()));
        }
        let line = self.line();
        let value = if self.skip_operator("-") {
            let value = Box::new(self.unary(false)?);
            new_expr(ExprKind::Negative(value), line)?
        } else if self.skip_operator("+") {
            let value = Box::new(self.unary(false)?);
            new_expr(ExprKind::Positive(value), line)?
        } else {
            self.primary()?
        };
        let value = self.postfix(value)?;
        let value = if filtered { self.filtered(value)? } else { value };
        self.depth -= 1;
        Ok(value)
    }

    fn primary(&mut self) -> Outcome<Expr> {
        let line = self.line();
        let kind = match self.take() {
            Kind::Name(name) => match &*name {
                "true" | "True" => ExprKind::Bool(true),
                "false" | "False" => ExprKind::Bool(false),
                "none" | "None" => ExprKind::None,
                _ => {
                    self.loads(&name);
                    ExprKind::Name(name)
                }
            },
            Kind::Text(text) => {
                if !matches!(self.peek(), Kind::Text(_)) {
                    return new_expr(ExprKind::Text(text), line);
                }
                let mut all = text.to_string();
                while let Kind::Text(text) = self.peek() {
                    all.push_str(text);
                    self.advance();
                }
                ExprKind::Text(all.into())
            }
            Kind::Int(value) => ExprKind::Int(value),
            Kind::Float(value) => ExprKind::Float(value),
            Kind::Operator("(") => {
                let (items, is_tuple) = self.tuple_items(true)?;
                self.expect_operator(")")?;
                let is_tuple = is_tuple || items.is_empty();
                return Self::tuple_of(items, is_tuple, line)?.ok_or_else(|| unexpected(self.peek(), line));
            }
            Kind::Operator("[") => ExprKind::List(self.items_up_to("]", Self::expression)?),
            Kind::Operator("{") => ExprKind::Dict(self.items_up_to("}", |parser| {
                let key = parser.expression()?;
                parser.expect_operator(":")?;
                Ok((key, parser.expression()?))
            })?),
            other => return Err(unexpected(&other, line)),
        };
        new_expr(kind, line)
    }

    /// Parses items between commas up to a closing bracket; a comma may stand behind the last one.
    fn items_up_to<T>(
        &mut self,
        close: &'static str,
        item: impl Fn(&mut Self) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let mut items = Vec::new();
        while !self.is_operator(close) {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator(close) {
                    break;
                }
            }
            items.push(item(self)?);
        }
        self.advance();
        Ok(items)
    }

    fn postfix(&mut self, mut value: Expr) -> Outcome<Expr> {
        loop {
            if self.is_operator(".") || self.is_operator("[") {
                value = self.subscript(value)?;
            } else if self.is_operator("(") {
                value = self.call(value)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn filtered(&mut self, mut value: Expr) -> Outcome<Expr> {
        loop {
            if self.skip_operator("|") {
                value = self.filter(value)?;
            } else if self.skip_name("is") {
                value = self.test(value)?;
            } else if self.is_operator("(") {
                value = self.call(value)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn subscript(&mut self, value: Expr) -> Outcome<Expr> {
        let line = self.line();
        if self.skip_operator(".") {
            let at = self.line();
            return match self.take() {
                Kind::Name(name) => new_expr(ExprKind::Attribute(Box::new(value), name), line),
                Kind::Int(index) => {
                    let index = new_expr(ExprKind::Int(index), at)?;
                    new_expr(ExprKind::Item(Box::new(value), Box::new(index)), line)
                }
                other => Err(unexpected(&other, at)),
            };
        }
        self.advance();
        let mut items = Vec::new();
        while !self.is_operator("]") {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            let first = if self.is_operator(":") { None } else { Some(self.expression()?) };
            if !self.skip_operator(":") {
                items.extend(first);
                continue;
            }
            let stop = self.slice_bound()?;
            let step = if self.skip_operator(":") { self.slice_bound()? } else { None };
            if !items.is_empty() || !self.is_operator("]") {
                return Err(Fault::syntax("a slice stands alone in its brackets", line as usize));
            }
            self.advance();
            return new_expr(ExprKind::Slice(Box::new(value), Box::new([first, stop, step])), line);
        }
        self.advance();
        let index = if items.len() == 1 { items.pop() } else { None };
        let index = match index {
            Some(index) => index,
            None => new_expr(ExprKind::Tuple(items), line)?,
        };
        new_expr(ExprKind::Item(Box::new(value), Box::new(index)), line)
    }

    fn slice_bound(&mut self) -> Outcome<Option<Expr>> {
        if [":", "]", ","].iter().any(|end| self.is_operator(end)) {
            return Ok(None);
        }
        self.expression().map(Some)
    }

    fn call(&mut self, value: Expr) -> Outcome<Expr> {
        let line = self.line();
        let arguments = self.arguments()?;
        new_expr(ExprKind::Call(Box::new(value), arguments), line)
    }

    fn arguments(&mut self) -> Outcome<Box<Arguments>> {
        let line = self.line();
        let mut arguments = Arguments::none();
        let mut first = true;
        let check = |valid: bool| {
            if valid { Ok(()) } else { Err(Fault::syntax("the arguments are out of order", line as usize)) }
        };
        self.expect_operator("(")?;
        while !self.is_operator(")") {
            if !first {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            first = false;
            if self.skip_operator("*") {
                check(arguments.more.is_none() && arguments.more_named.is_none())?;
                arguments.more = Some(self.expression()?);
            } else if self.skip_operator("**") {
                check(arguments.more_named.is_none())?;
                arguments.more_named = Some(self.expression()?);
            } else if let (Kind::Name(name), Kind::Operator("=")) = (self.peek(), self.peek_second()) {
                check(arguments.more_named.is_none())?;
                let name = name.clone();
                check(!arguments.named.iter().any(|(other, _)| *other == name))?;
                self.advance();
                self.advance();
                arguments.named.push((name, self.expression()?));
            } else {
                let last = arguments.more.is_none() && arguments.more_named.is_none();
                check(last && arguments.named.is_empty())?;
                arguments.positional.push(self.expression()?);
            }
        }
        self.advance();
        Ok(arguments)
    }

    /// Parses a filter behind its `|`.
    pub(super) fn filter(&mut self, value: Expr) -> Outcome<Expr> {
        let line = self.line();
        let name = self.dotted_name()?;
        if !self.soft && !filters::exists(&name) {
            self.unknown.push(Fault::syntax(format!("there is no filter named {name:?}"), line as usize));
        }
        let arguments = if self.is_operator("(") { self.arguments()? } else { Arguments::none() };
        new_expr(ExprKind::Filter(Box::new(value), name, arguments), line)
    }

    /// Parses a test behind its `is`.
    fn test(&mut self, value: Expr) -> Outcome<Expr> {
        let line = self.line();
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        if !self.soft && !predicates::exists(&name) {
            self.unknown.push(Fault::syntax(format!("there is no test named {name:?}"), line as usize));
        }
        let arguments = if self.is_operator("(") {
            self.arguments()?
        } else if self.begins_argument()? {
            let argument = self.primary()?;
            let argument = self.postfix(argument)?;
            Box::new(Arguments { positional: vec![argument], ..Arguments::default() })
        } else {
            Arguments::none()
        };
        let test = new_expr(ExprKind::Test(Box::new(value), name, arguments), line)?;
        if negated { new_expr(ExprKind::Not(Box::new(test)), line) } else { Ok(test) }
    }

    /// Returns whether a test has an argument without brackets.
    fn begins_argument(&self) -> Outcome<bool> {
        Ok(match self.peek() {
            Kind::Text(_) | Kind::Int(_) | Kind::Float(_) => true,
            Kind::Operator(operator) => matches!(*operator, "[" | "{"),
            Kind::Name(name) if **name == *"is" => {
                return Err(Fault::syntax("tests cannot be chained", self.line() as usize));
            }
            Kind::Name(name) => !matches!(&**name, "else" | "or" | "and"),
            _ => false,
        })
    }

    fn dotted_name(&mut self) -> Outcome<Arc<str>> {
        let mut name = self.name()?;
        while self.skip_operator(".") {
            name = format!("{name}.{}", self.name()?).into();
        }
        Ok(name)
    }
}
