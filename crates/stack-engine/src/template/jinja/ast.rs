//! The tree of a compiled template. It is shared between threads and never changes.

use std::sync::Arc;

/// An expression, and the line it stands in.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) line: u32,
    /// How many expressions lie in each other.
    pub(super) height: u16,
}

/// What an expression is.
#[derive(Debug)]
pub(super) enum ExprKind {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Arc<str>),
    Name(Arc<str>),
    /// What a block wrote that a filter is applied to.
    Captured,
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    Call(Box<Expr>, Box<Arguments>),
    Filter(Box<Expr>, Arc<str>, Box<Arguments>),
    Test(Box<Expr>, Arc<str>, Box<Arguments>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    /// The test, the value if it holds, and the value if it does not.
    Conditional(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
}

/// An operator of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

/// An operator of comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

/// The arguments of a call, a filter or a test.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(Arc<str>, Expr)>,
    /// `*items`
    pub(super) more: Option<Expr>,
    /// `**dict`
    pub(super) more_named: Option<Expr>,
}

/// Statements with variables of their own.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) body: Vec<Stmt>,
    /// Names that are assigned to before they are read: until then they are undefined, whatever the caller says.
    pub(super) unset: Vec<Arc<str>>,
}

/// A statement.
#[derive(Debug)]
pub(super) enum Stmt {
    Text(Box<str>),
    Print(Expr),
    For(Arc<For>),
    /// Tests and their bodies, and the body of `else`.
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    Set(Target, Expr),
    /// The filters are applied to [`ExprKind::Captured`].
    SetBlock(Target, Option<Expr>, Frame),
    Macro(Arc<Macro>),
    /// A call, and what it finds as `caller`.
    Call(Expr, Arc<Macro>),
    FilterBlock(Expr, Frame),
    With(Vec<(Target, Expr)>, Frame),
    /// `generation`
    Scope(Frame),
    /// `block`: it sees the variables of the whole template only.
    Block(Frame),
    Break,
    Continue,
    /// A statement that needs other templates, which there are none of.
    Elsewhere(&'static str, u32),
}

/// What is assigned to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Arc<str>),
    /// `namespace.attribute`, and the line.
    Attribute(Arc<str>, Arc<str>, u32),
    Tuple(Vec<Target>, u32),
}

/// A `for` loop.
#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expr,
    pub(super) test: Option<Expr>,
    pub(super) recursive: bool,
    pub(super) body: Frame,
    pub(super) otherwise: Frame,
}

/// A macro, or the body of a `call` block.
#[derive(Debug)]
pub(super) struct Macro {
    /// Empty for the body of a `call` block.
    pub(super) name: Arc<str>,
    pub(super) parameters: Vec<Arc<str>>,
    /// The defaults of the last parameters.
    pub(super) defaults: Vec<Expr>,
    pub(super) body: Frame,
    /// Which of `caller`, `kwargs` and `varargs` the body reads.
    pub(super) reads_caller: bool,
    pub(super) reads_kwargs: bool,
    pub(super) reads_varargs: bool,
}

impl From<Vec<Stmt>> for Frame {
    fn from(body: Vec<Stmt>) -> Self {
        Self { body, unset: Vec::new() }
    }
}

impl Expr {
    /// Makes an expression above others.
    pub(super) fn new(kind: ExprKind, line: u32) -> Self {
        let mut below = 0;
        kind.for_each_child(&mut |child| below = child.height.max(below));
        Self { kind, line, height: below + 1 }
    }
}

impl ExprKind {
    /// Visits the expressions that this one consists of.
    pub(super) fn for_each_child(&self, visit: &mut dyn FnMut(&Expr)) {
        match self {
            Self::None
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Name(_)
            | Self::Captured => {}
            Self::List(items) | Self::Tuple(items) | Self::Concat(items) => items.iter().for_each(visit),
            Self::Dict(pairs) => {
                for (key, value) in pairs {
                    visit(key);
                    visit(value);
                }
            }
            Self::Attribute(value, _) | Self::Not(value) | Self::Negative(value) | Self::Positive(value) => {
                visit(value);
            }
            Self::Slice(value, bounds) => {
                visit(value);
                bounds.iter().flatten().for_each(visit);
            }
            Self::Call(value, arguments)
            | Self::Filter(value, _, arguments)
            | Self::Test(value, _, arguments) => {
                visit(value);
                arguments.positional.iter().for_each(&mut *visit);
                arguments.named.iter().for_each(|(_, value)| visit(value));
                arguments.more.iter().chain(&arguments.more_named).for_each(visit);
            }
            Self::Item(a, b) | Self::Binary(_, a, b) | Self::And(a, b) | Self::Or(a, b) => {
                visit(a);
                visit(b);
            }
            Self::Compare(first, others) => {
                visit(first);
                others.iter().for_each(|(_, other)| visit(other));
            }
            Self::Conditional(test, then, otherwise) => {
                visit(test);
                visit(then);
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
        }
    }
}
