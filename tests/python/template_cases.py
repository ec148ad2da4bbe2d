#!/usr/bin/env python3
"""Generates expressions and statements of Jinja2's language, and renders them as Hugging Face transformers would.

usage: template_cases.py SEED COUNT

Prints one JSON object: the variables, and for each case the template and the text, or null where Jinja2 refuses.
Left out is what has no one result (addresses, random choices) and what the book's page on templates lists.
"""

import datetime
import json
import random
import re
import sys
import warnings

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2025, 7, 6, 23, 30, 5, 1234)

VARIABLES = {
    "s": "Hello World",
    "t": "  a,b,,c \n",
    "u": "Zürich 你好 🙂 ß",
    "html": "<b class=\"x\">Tom & 'Jerry'</b>",
    "lines": "one\ntwo three\n\n  four-five six\r\nseven",
    "num": "42",
    "fnum": "-3.75",
    "empty": "",
    "n": 7,
    "neg": -3,
    "zero": 0,
    "big": 123456789012345678,
    "f": 2.5,
    "g": -0.125,
    "h": 1e16,
    "yes": True,
    "no": False,
    "nothing": None,
    "xs": [3, 1, 2, 10],
    "ws": ["b", "A", "c", "B", "a"],
    "mixed": [1, "a", None, 2.5, True, [1], {"k": "v"}],
    "pairs": [["a", 1], ["b", 2]],
    "nested": [[1, [2, 3]], [4], []],
    "bools": [True, False, None, 0, "", "x"],
    "none_list": [],
    "d": {"b": 1, "a": "x", "items": "own", "C": None},
    "ages": {"bob": 30, "Al": 25, "cy": 41},
    "none_dict": {},
    "people": [
        {"name": "Bob", "age": 30, "tags": ["x", "y"], "home": {"city": "Bern"}},
        {"name": "al", "age": 25, "tags": [], "home": {"city": "Rom"}},
        {"name": "Cy", "age": 30, "home": {"city": "Bern"}},
    ],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}, {"v": 5, "c": []}],
    "chat": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": " Hi <there> "},
        {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": {"q": "é", "n": [1, 2.0]}}]},
        {"role": "user", "content": [{"type": "text", "text": "part"}]},
    ],
}


class Generation(Extension):
    """The tag that marks what an assistant says, as transformers has it."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return CallBlock(self.call_method("_body"), [], [], body).set_lineno(lineno)

    def _body(self, caller):
        return caller()


def _getitem_const(self, eval_ctx=None, fold=jinja2.nodes.Getitem.as_const):
    """Leaves slices to run time: folding them forgets that most constants have none."""
    if isinstance(self.arg, jinja2.nodes.Slice):
        raise jinja2.nodes.Impossible()
    return fold(self, eval_ctx)


def _dict_const(self, eval_ctx=None, fold=jinja2.nodes.Dict.as_const):
    """Leaves keys that are none to run time: folding them fails even where they are not reached."""
    try:
        return fold(self, eval_ctx)
    except TypeError:
        raise jinja2.nodes.Impossible() from None


jinja2.nodes.Getitem.as_const = _getitem_const
jinja2.nodes.Dict.as_const = _dict_const


def _soft_str(value, soft_str=jinja2.filters.soft_str):
    """Refuses what would show its address."""
    text = soft_str(value)
    if " at 0x" in text:
        raise Beyond
    return text


jinja2.filters.soft_str = _soft_str


class Beyond(BaseException):
    """What has no one result, or is a number that the interpreter refuses as the book says."""


class Environment(ImmutableSandboxedEnvironment):
    """Notices integers beyond 128 bits and complex numbers on their way."""

    intercepted_binops = frozenset(["+", "-", "*", "**"])

    def call_binop(self, context, operator, left, right):
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, complex) or (isinstance(result, int) and not -(2**127) <= result < 2**127):
            raise Beyond
        return result


def environment():
    """The environment in which transformers renders chat templates."""
    env = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return env


class Expressions:
    """Random expressions of a kind; now and then of another one, for the errors."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.names = []

    def pick(self, *options):
        return self.r.choice(options)

    def chance(self, p):
        return self.r.random() < p

    def expr(self, kind, depth=3):
        if self.chance(0.04):
            kind = self.pick("int", "str", "list", "dict", "any", "undefined")
        if kind == "any":
            kind = self.pick("int", "float", "str", "str", "bool", "list", "list", "dict", "none", "undefined")
        value = getattr(self, kind)(depth - 1)
        if self.chance(0.1):
            value = f"({value})"
        if depth > 1 and self.chance(0.06):
            other = self.expr(kind, depth - 2)
            value = f"({value} if {self.expr('bool', 1)} else {other})"
        if depth > 1 and self.chance(0.05):
            value = f"({value} {self.pick('or', 'and')} {self.expr('any', 1)})"
        return value

    def none(self, depth):
        return self.pick("none", "None", "nothing", "d.C", "chat[2].content")

    def undefined(self, depth):
        return self.pick("nope", "d.nope", "xs[99]", "people[2].tags", "s.nope", "('x' if false)", "none_list|first")

    def int(self, depth):
        if depth <= 0:
            return self.pick("n", "neg", "zero", "0", "1", "2", "-5", "12", "big", "xs[1]", "ages.bob", "1_000", "0xFF", "true")
        e = self.expr
        return self.pick(
            lambda: f"{e('int', depth)} {self.pick('+', '-', '*', '//', '%')} {e('int', depth)}",
            lambda: f"{e('int', depth)} {self.pick('+', '-', '*')} {e('int', depth)} {self.pick('//', '%', '*')} {e('int', depth)}",
            lambda: f"{e('int', 1)} ** {self.pick('0', '1', '2', '3', '-1')}",
            lambda: f"-{e('int', depth)}",
            lambda: f"{e(self.pick('str', 'list', 'dict', 'list'), depth)}|{self.pick('length', 'count')}",
            lambda: f"{e(self.pick('str', 'float', 'any'), depth)}|int{self.pick('', '(5)', '(default=9)', '(0, 16)', '(base=8)')}",
            lambda: f"{e('int', depth)}|abs",
            lambda: f"{e('ints', depth)}|{self.pick('sum', 'min', 'max', 'first', 'last', 'sum(start=5)')}",
            lambda: f"people|sum({self.pick('attribute=', '')}'age')",
            lambda: f"{e('str', depth)}.{self.pick('find', 'rfind', 'index', 'rindex', 'count')}({e('str', 1)}{self.pick('', ', 1', ', -4', ', 1, 5')})",
            lambda: f"{e('list', depth)}.{self.pick('index', 'count')}({e('any', 1)})",
            lambda: f"{e('str', depth)}|wordcount",
            lambda: f"{e('int', depth)}|round({self.pick('', '-1', '1', '0')})",
            lambda: f"range({e('int', 1)})|length",
            lambda: f"{e('int', 1)}.{self.pick('real', 'bit_length()')}",
        )()

    def float(self, depth):
        if depth <= 0:
            return self.pick("f", "g", "h", "0.5", "1.0", "-2.25", "1e3", "1.5e-7", "100.0")
        e = self.expr
        return self.pick(
            lambda: f"{e('int', depth)} / {e('int', depth)}",
            lambda: f"{e('float', depth)} {self.pick('+', '-', '*', '/', '//', '%')} {e(self.pick('int', 'float'), depth)}",
            lambda: f"{e('int', depth)} {self.pick('+', '-', '*', '/', '//', '%')} {e('float', depth)}",
            lambda: f"{e('float', depth)}|round({self.pick('', '1', '2', '-1', '0, ' + repr('floor'), '1, ' + repr('ceil'), 'method=' + repr('common'))})",
            lambda: f"{e(self.pick('str', 'int', 'any'), depth)}|float{self.pick('', '(1.5)', '(default=2)')}",
            lambda: f"{e('float', 1)} ** {self.pick('2', '-1', '3')}",
            lambda: f"-{e('float', depth)}",
            lambda: f"{e('float', depth)}|abs",
        )()

    def bool(self, depth):
        if depth <= 0:
            return self.pick("true", "false", "yes", "no", "True", "False")
        e = self.expr
        test = self.pick(
            "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence",
            "iterable", "callable", "true", "false", "escaped", "lower", "upper", "not defined", "not none", "not string",
        )
        kind = self.pick("int", "str", "float", "list")
        compare = self.pick("==", "!=", "<", "<=", ">", ">=")
        return self.pick(
            lambda: f"{e('any', depth)} is {test}",
            lambda: f"{e('any', depth)} is {test}",
            lambda: f"{e('int', depth)} is {self.pick('odd', 'even', 'divisibleby 3', 'divisibleby(2)', 'not even')}",
            lambda: f"{e(kind, depth)} {compare} {e(kind, depth)}",
            lambda: f"{e(self.pick('int', 'float'), depth)} {compare} {e(self.pick('int', 'float', 'bool'), depth)}",
            lambda: f"{e('int', 1)} {compare} {e('int', 1)} {self.pick('<', '<=', '==', '!=')} {e('int', 1)}",
            lambda: f"{e('any', depth)} {self.pick('==', '!=')} {e('any', depth)}",
            lambda: f"{e('any', 1)} {self.pick('in', 'not in')} {e(self.pick('list', 'list', 'dict', 'undefined'), depth)}",
            lambda: f"{e('str', 1)} {self.pick('in', 'not in')} {e('str', depth)}",
            lambda: f"not {e('any', depth)}",
            lambda: f"{e('any', depth)} {self.pick('and', 'or')} {e('any', depth)}",
            lambda: f"{e('str', depth)}.{self.pick('startswith', 'endswith')}({e('str', 1)}{self.pick('', '', ', 1')})",
            lambda: f"{e('str', depth)}.startswith(({e('str', 1)}, {e('str', 1)}))",
            lambda: f"{e('str', depth)}.{self.pick('isdigit', 'isalpha', 'isalnum', 'isspace', 'isupper', 'islower', 'istitle', 'isdecimal', 'isnumeric', 'isascii', 'isidentifier', 'isprintable')}()",
            lambda: f"{e('any', depth)} is {self.pick('eq', 'ne', 'equalto', 'sameas')} {self.pick('none', 'true', 'false', '1')}",
            lambda: f"{e(kind, 1)} is {self.pick('lt', 'gt', 'le', 'ge', 'eq', 'ne', 'lessthan', 'greaterthan')}({e(kind, 1)})",
            lambda: f"{e('any', 1)} is in {e('list', 1)}" if self.chance(0.5) else f"{e('str', 1)} is in({e('list', 1)})",
            lambda: f"{self.pick(repr('upper'), repr('nofilter'), repr('lower'))} is {self.pick('filter', 'test')}",
        )()

    def str(self, depth):
        if depth <= 0:
            return self.pick(
                "s", "t", "u", "html", "num", "fnum", "empty", "lines", "'a'", "'b'", "'l'", "'o W'", "'x y z'", "\"it's\"",
                "'\\n'", "'tab\\there'", "'\\u00e9\\x41'", "'a' 'b'", "', '", "ws[0]", "people[0].name", "chat[0].role", "'%'",
            )
        e = self.expr
        return self.pick(
            lambda: f"{e('str', depth)} + {e('str', depth)}",
            lambda: f"{e('any', depth)} ~ {e('any', depth)}",
            lambda: f"{e('str', depth)} ~ {e('int', depth)} ~ {e('str', 1)}",
            lambda: f"{e('str', depth)} * {self.pick('0', '1', '2', '3', '-1', 'n')}",
            lambda: f"{e('str', depth)}[{self.index()}]",
            lambda: f"{e('str', depth)}{self.slice()}",
            lambda: f"{e('str', depth)}{self.slice()}",
            lambda: f"{e('str', depth)}|{self.pick('upper', 'lower', 'title', 'capitalize', 'trim', 'string', 'reverse', 'first', 'last', 'striptags', 'e', 'escape', 'urlencode', 'safe', 'forceescape', 'indent', 'wordwrap(9)', 'center(20)', 'truncate(9)')}",
            lambda: f"{e('str', depth)}|{self.pick('upper', 'lower', 'title', 'capitalize', 'trim', 'string', 'e', 'urlencode')}",
            lambda: f"{e('any', depth)}|{self.pick('string', 'upper', 'lower', 'title', 'capitalize', 'trim', 'e', 'urlencode', 'tojson', 'center(9)', 'replace(1, 2)')}",
            lambda: f"{e('str', depth)}|replace({e('str', 1)}, {e('str', 1)}{self.pick('', '', ', 1', ', count=2')})",
            lambda: f"{e('str', depth)}|trim({e('str', 1)})",
            lambda: f"{e('str', depth)}|indent({self.pick('2', '2, true', 'width=3, blank=true', repr('> '), repr('> ') + ', first=true', '0')})",
            lambda: f"{e('str', depth)}|truncate({self.pick('5', '8, true', '9, end=' + repr('.'), '6, false, ' + repr('') + ', 0', 'length=7, leeway=1', '2')})",
            lambda: f"{e('str', depth)}|wordwrap({self.pick('5', '8, false', '10, wrapstring=' + repr('|'), '12, break_on_hyphens=false', '20', '1')})",
            lambda: f"{e('str', depth)}|center({self.pick('5', '16', '21', 'width=12')})",
            lambda: f"{e(self.pick('list', 'list', 'any'), depth)}|join({self.pick('', repr(', '), repr('-'), 'd=' + repr('/'), repr('+') + ', ' + repr('name'), '1')})",
            lambda: f"people|join({self.pick(repr(','), repr(''))}, {self.pick('', 'attribute=')}{self.pick(repr('name'), repr('home.city'), repr('tags.0'))})",
            lambda: f"{e('str', 1)}.join({e(self.pick('words', 'words', 'list', 'str'), depth)})",
            lambda: f"{e('str', depth)}.{self.pick('upper', 'lower', 'title', 'capitalize', 'strip', 'lstrip', 'rstrip', 'swapcase', 'casefold', 'expandtabs')}()",
            lambda: f"{e('str', depth)}.{self.pick('strip', 'lstrip', 'rstrip', 'removeprefix', 'removesuffix')}({e('str', 1)})",
            lambda: f"{e('str', depth)}.{self.pick('ljust', 'rjust', 'center')}({self.pick('3', '12', '13')}{self.pick('', ', ' + repr('*'))})",
            lambda: f"{e('str', depth)}.zfill({self.pick('3', '8')})",
            lambda: f"{e('str', depth)}.replace({e('str', 1)}, {e('str', 1)}{self.pick('', ', 1', ', 0')})",
            lambda: self.percent(depth),
            lambda: self.percent(depth),
            lambda: self.format(depth),
            lambda: self.format(depth),
            lambda: f"{e('any', depth)}|tojson{self.pick('', '', '(indent=2)', '(ensure_ascii=true)', '(sort_keys=true)', '(separators=(' + repr(',') + ', ' + repr(':') + '))', '(indent=0)')}",
            lambda: f"{e(self.pick('int', 'float', 'str'), depth)}|filesizeformat{self.pick('', '(true)')}",
            lambda: f"{e('dict', depth)}|xmlattr",
            lambda: f"{e(self.pick('dict', 'pairs'), depth)}|urlencode",
            lambda: f"{self.pick('people', 'tree', 'chat', 'lines * 3', 'html * 4', e('any', depth), e('list', depth))}|pprint",
            lambda: f"{e('any', depth)}|{self.pick('default', 'd')}({e('str', 1)}{self.pick('', ', true')})",
            lambda: f"strftime_now({self.pick(*map(repr, ['%Y-%m-%d', '%d %b %Y', '%A %B %-d', '%c', '%x %X', '%H:%M:%S.%f', '%j %U %W %w %u %V %G', '%I %p %y', '%e|%k|%l', '%%', '%D %T %R %F', '%s' if False else '%h']))})",
        )()

    def percent(self, depth):
        e = self.expr
        return self.pick(
            lambda: f"'%s' % {e(self.pick('str', 'int', 'any'), depth)}",
            lambda: f"'%s and %s' % ({e('any', depth)}, {e('any', depth)})",
            lambda: f"'{self.pick('%d', '%5d', '%-5d|', '%05d', '%+d', '%x', '%X', '%o', '%#x', '% d', '%.3d', '%i', '%c')}' % {e(self.pick('int', 'int', 'float'), depth)}",
            lambda: f"'{self.pick('%f', '%.2f', '%8.3f', '%-9.1f|', '%e', '%.3e', '%g', '%G', '%+.1f', '%09.2f', '%#.0f')}' % {e(self.pick('float', 'int'), depth)}",
            lambda: f"'{self.pick('%r', '%a', '%10s', '%-10s|', '%.3s', '%%')}' % {e('any', depth)}",
            lambda: f"'%(a)s %(b)s' % {{'a': {e('any', 1)}, 'b': {e('any', 1)}}}",
            lambda: f"'%(name)s is %(age)d' % people[0]",
            lambda: f"{e('str', 1)} % {e('any', 1)}",
            lambda: f"'%*d|%.*f' % (5, {e('int', 1)}, 2, {e('float', 1)})",
            lambda: f"'%s-%s'|format({e('any', 1)}, {e('any', 1)})",
            lambda: f"'%(x)s'|format(x={e('any', 1)})",
        )()

    def format(self, depth):
        e = self.expr
        spec = self.pick("", ":5", ":>8", ":<8", ":^8", ":*^9", ":05", ":+", ":,", ":_", ":x", ":#b", ":.2f", ":e", ":g", ":%", ":.3", ":s", ":10.2f", ":<+9.1f", ":08,.1f", ":c", ":n", ":o")
        return self.pick(
            lambda: f"'{{}} {{}}'.format({e('any', depth)}, {e('any', depth)})",
            lambda: f"'{{{spec}}}'.format({e(self.pick('int', 'float', 'str', 'bool'), depth)})",
            lambda: f"'{{{spec}}}'.format({e(self.pick('int', 'float'), 1)})",
            lambda: f"'{{0}}{{1}}{{0}}'.format({e('any', 1)}, {e('any', 1)})",
            lambda: f"'{{a}}-{{b!r}}'.format(a={e('any', 1)}, b={e('any', 1)})",
            lambda: "'{0[name]} {0[home][city]} {1.real}'.format(people[0], 5)",
            lambda: f"'{{{{}}}} {{:>{{}}}}'.format({e('str', 1)}, {e('int', 1)})",
            lambda: f"{e('str', 1)}.format({e('any', 1)})",
        )()

    def index(self):
        return self.pick("0", "1", "-1", "2", "-2", "99", "n", "neg")

    def slice(self):
        bound = lambda: self.pick("", "", "0", "1", "2", "-1", "-3", "99", "-99", "n", "none", "zero")
        return self.pick(f"[{bound()}:{bound()}]", f"[{bound()}:{bound()}:{self.pick('', '1', '2', '-1', '-2', '3', '-99', '0')}]")

    def ints(self, depth):
        e = self.expr
        return self.pick(lambda: "xs", lambda: f"[{e('int', 1)}, {e('int', 1)}, {e('int', 1)}]", lambda: f"range({e('int', 1)})", lambda: f"range({self.pick('1, 9', '9, 1, -2', '0, 10, 3', '5, 5')})", lambda: "people|map(attribute='age')")()

    def words(self, depth):
        e = self.expr
        return self.pick(lambda: "ws", lambda: f"[{e('str', 1)}, {e('str', 1)}]", lambda: f"{e('str', 1)}.split()", lambda: "people|map(attribute='name')", lambda: f"{e('words', depth)}|map('{self.pick('upper', 'lower', 'trim', 'title', 'e')}')" if depth > 0 else "ws")()

    def pairs(self, depth):
        return self.pick("pairs", "ages.items()", "d|items", "ages|dictsort", "[]", "[('a b', 1), ('c/d', none)]")

    def list(self, depth):
        if depth <= 0:
            return self.pick("xs", "ws", "mixed", "pairs", "nested", "bools", "none_list", "people", "[]", "[1, 2]", "(1,)", "('a', 2)", "()", "['x', none]", "chat[3].content")
        e = self.expr
        attribute = self.pick("'age'", "'name'", "'home.city'", "'tags'", "'nope'", "'tags.0'")
        test = self.pick("", "", "'odd'", "'string'", "'defined'", "'none'", "'eq', 1", "'equalto', 'a'", "'in', [1, 2]", "'gt', 2", "'mapping'", "'nope'")
        value = self.pick(
            lambda: f"[{e('any', depth)}, {e('any', depth)}]",
            lambda: f"({e('any', depth)}, {e('any', 1)})",
            lambda: f"{e('list', depth)} + {e('list', depth)}",
            lambda: f"{e('list', depth)} * {self.pick('0', '2', '-1')}",
            lambda: f"{e('list', depth)}{self.slice()}",
            lambda: f"{e('list', depth)}{self.slice()}",
            lambda: f"{e(self.pick('list', 'str', 'dict', 'ints', 'pairs', 'undefined'), depth)}|list",
            lambda: f"{e(self.pick('ints', 'words'), depth)}|sort{self.pick('', '(reverse=true)', '(true)', '(case_sensitive=true)')}",
            lambda: f"{e('list', depth)}|sort",
            lambda: f"people|sort(attribute={self.pick(repr('name'), repr('age'), repr('age,name'), repr('home.city'))}{self.pick('', ', reverse=true', ', case_sensitive=true')})",
            lambda: f"{e(self.pick('list', 'ints', 'words'), depth)}|unique{self.pick('', '(true)')}|list",
            lambda: f"people|unique(attribute={attribute})|list",
            lambda: f"{e(self.pick('list', 'ints', 'words'), depth)}|map('{self.pick('upper', 'string', 'length', 'int', 'abs', 'first', 'tojson', 'nope')}')|list",
            lambda: f"people|map(attribute={attribute}{self.pick('', ', default=' + repr('?'))})|list",
            lambda: f"{e(self.pick('list', 'ints', 'words'), depth)}|{self.pick('select', 'reject')}({test})|list",
            lambda: f"people|{self.pick('selectattr', 'rejectattr')}({attribute}{', ' + test if test else ''})|map(attribute='name')|list",
            lambda: f"{e('list', depth)}|reverse|list",
            lambda: f"{e(self.pick('list', 'ints'), depth)}|batch({self.pick('2', '3', '3, 0', '2, ' + repr('x'), 'linecount=4, fill_with=none', '0')})|list",
            lambda: f"{e(self.pick('list', 'ints'), depth)}|slice({self.pick('2', '3', '3, 0', 'slices=2, fill_with=' + repr('x'), '0')})|list",
            lambda: f"people|groupby({self.pick(repr('age'), repr('home.city'), repr('name'), repr('tags') + ', default=[]', repr('name') + ', case_sensitive=true')})",
            lambda: f"{e('dict', depth)}|dictsort{self.pick('', '(true)', '(by=' + repr('value') + ')', '(false, ' + repr('key') + ', true)', '(reverse=true)')}",
            lambda: f"{e('dict', depth)}.{self.pick('items', 'keys', 'values')}(){self.pick('', '|list', '|list')}",
            lambda: f"{e('dict', depth)}|{self.pick('items', 'list')}|list",
            lambda: f"{e('str', depth)}.{self.pick('split', 'rsplit')}({self.pick('', e('str', 1), repr(','), repr(',') + ', 1', 'none, 1', 'maxsplit=1', 'sep=' + repr(' '))})",
            lambda: f"{e('str', depth)}.splitlines({self.pick('', 'true')})",
            lambda: f"{e('str', depth)}.{self.pick('partition', 'rpartition')}({e('str', 1)})",
            lambda: f"{e('list', depth)}|{self.pick('first', 'last', 'min', 'max')}",
            lambda: f"people|{self.pick('min', 'max')}(attribute={attribute})",
            lambda: f"{e('list', depth)}[{self.index()}]",
            lambda: f"{e('ints', depth)}{self.pick('', '|list')}",
            lambda: f"range(10)[{self.index()}]" if self.chance(0.5) else f"range(10){self.slice()}|list",
        )()
        return value

    def dict(self, depth):
        if depth <= 0:
            return self.pick("d", "ages", "none_dict", "{}", "{'k': 1}", "people[0]", "chat[2].tool_calls[0].arguments", "{1: 'a', 'b': 2.0, none: true}")
        e = self.expr
        return self.pick(
            lambda: f"{{'x': {e('any', depth)}, {e(self.pick('str', 'int', 'any'), 1)}: {e('any', depth)}}}",
            lambda: f"dict({self.pick('', 'ages', 'pairs', 'd')}{''})",
            lambda: f"dict(a={e('any', 1)}, b={e('any', 1)})",
            lambda: f"dict(ages, bob={e('any', 1)})",
            lambda: f"{e('dict', depth)}.{self.pick('b', 'a', 'home', 'items()', 'nope', 'get(' + repr('a') + ')', 'get(' + repr('q') + ', 5)', 'copy()')}",
            lambda: f"{e('dict', depth)}[{e('str', 1)}]",
            lambda: f"{e('list', depth)}|first",
        )()


class Statements(Expressions):
    """Random statements."""

    def template(self):
        return "".join(self.statement(3) for _ in range(self.r.randint(1, 3)))

    def text(self):
        return self.pick("a", " b ", "\n", "\n  ", "  \n", "c\n", "", " ", "\r\n", "\t", "# x", "{ }", "é\n", "%}", "d\n\n")

    def tag(self, inside):
        left = self.pick("", "", "", "-", "+")
        right = self.pick("", "", "", "-", "+")
        return f"{{%{left} {inside} {right}%}}"

    def show(self, kind="any", depth=2):
        left, right = self.pick("", "", "-"), self.pick("", "", "-")
        return f"{{{{{left} {self.expr(kind, depth)} {right}}}}}"

    def body(self, depth):
        return "".join(self.pick(self.text(), self.text(), self.statement(depth - 1)) for _ in range(self.r.randint(1, 3)))

    def statement(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.pick(self.text(), self.show())
        return self.text() + getattr(self, self.pick(
            "s_if", "s_for", "s_for", "s_for", "s_set", "s_set", "s_block_set", "s_macro", "s_macro", "s_call", "s_filter",
            "s_with", "s_namespace", "s_raw", "s_comment", "s_generation", "s_recursive", "s_cycler", "s_break", "s_loop_test",
            "s_scope", "s_print",
        ))(depth) + self.text()

    def s_if(self, depth):
        out = self.tag(f"if {self.expr(self.pick('bool', 'any'), 2)}") + self.body(depth)
        if self.chance(0.4):
            out += self.tag(f"elif {self.expr('any', 2)}") + self.body(depth)
        if self.chance(0.5):
            out += self.tag("else") + self.body(depth)
        return out + self.tag("endif")

    def loop_use(self):
        return self.pick(
            "{{ loop.index }}", "{{ loop.index0 }}", "{{ loop.revindex }}/{{ loop.revindex0 }}", "{{ loop.first }}{{ loop.last }}",
            "{{ loop.length }}", "{{ loop.cycle('o', 'e') }}", "{{ loop.changed(x) }}", "{{ loop.previtem }}<{{ loop.nextitem }}",
            "{{ loop.depth }}{{ loop.depth0 }}", "{{ ', ' if not loop.last }}", "{% if loop.first %}F{% endif %}", "{{ x }}", "{{ x }}",
            "{{ x is defined }}", "{{ loop }}", "{{ loop.previtem is defined and loop.previtem == x }}", "{{ loop.changed(x, 1) }}",
        )

    def s_for(self, depth):
        kind = self.pick("list", "list", "ints", "words", "dict", "str", "undefined", "pairs", "any")
        target = self.pick("x", "x", "x", "x, y", "(x, y)") if kind in ("pairs",) else self.pick("x", "x", "x", "x, y") if self.chance(0.1) else "x"
        test = f" if {self.pick('x', 'x is defined', 'x is string', 'x != 1', 'not x', self.expr('bool', 1))}" if self.chance(0.25) else ""
        out = self.tag(f"for {target} in {self.expr(kind, 2)}{test}")
        out += self.loop_use() + self.body(depth) + self.loop_use()
        if self.chance(0.2):
            out += self.tag(self.pick("if loop.index == 2", "if x == 1", "if loop.last")) + self.tag(self.pick("break", "continue")) + self.tag("endif") + "."
        if self.chance(0.25):
            out += self.tag("else") + self.body(depth)
        return out + self.tag("endfor")

    def s_loop_test(self, depth):
        return self.pick(
            "{% for k, v in ages.items() %}{{ k }}={{ v }}{{ '; ' if not loop.last }}{% endfor %}",
            "{% for k, v in ages|dictsort(by='value') %}{{ loop.index }}{{ k }}{{ v }}\n{% endfor %}",
            "{% for p in people if p.age == 30 %}{{ loop.index }}/{{ loop.length }} {{ p.name }}{% else %}none{% endfor %}",
            "{% for g in people|groupby('age') %}{{ g.grouper }}:{{ g.list|length }} {{ g[0] }} {% endfor %}",
            "{% for k, vs in people|groupby('home.city') %}{{ k }}-{{ vs|map(attribute='name')|join('+') }};{% endfor %}",
            "{% for row in range(7)|batch(3, '-') %}{{ row|join(',') }}\n{% endfor %}",
            "{% for m in chat[1:] %}{{ m['role'] }}{% if m.content is string %}{{ m.content|trim }}{% elif m.content is sequence %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endif %}{% endfor %}",
            "{% for m in chat|rejectattr('role', 'equalto', 'system') %}{{ loop.index }}{{ loop.last }}{{ m.role }}{% endfor %}",
            "{% for x in xs %}{% for y in ws[:2] %}{{ x }}{{ y }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
            "{% for x in xs|map('string') %}{{ loop.revindex }}{{ loop.length }}{{ x }}{% endfor %}",
            "{% for x in [1, 1, 2, 2, 1] %}{{ 'c' if loop.changed(x) }}{{ x }}{% endfor %}",
            "{% for a, (b, c) in [(1, (2, 3)), (4, (5, 6))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
            "{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}",
            "{% for x in 5 %}{{ x }}{% else %}e{% endfor %}",
            "{% for x in range(3) %}{% set y = x %}{% endfor %}{{ y }}{{ x }}",
        )

    def s_set(self, depth):
        name = self.pick("v", "w", "n", "x")
        out = self.tag(f"set {name} = {self.expr('any', 3)}") + f"{{{{ {name} }}}}"
        if self.chance(0.2):
            out = self.tag(f"set v, w = {self.expr('any', 1)}, {self.expr('any', 1)}") + "{{ v }}{{ w }}"
        return out

    def s_block_set(self, depth):
        filters = self.pick("", "", " | upper", " | trim | length", " | replace('a', 'b')")
        return self.tag(f"set v{filters}") + self.body(depth) + self.tag("endset") + "[{{ v }}]"

    def s_macro(self, depth):
        name = self.pick("m", "mac")
        signature = self.pick("", "a", "a, b", "a, b='z'", "a=1, b=n", "a, b=a", "a, b=none, c=[]")
        shows = "".join(self.pick("{{ a }}", "{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ a is defined }}", "{{ caller is defined }}", "{{ x }}", "{{ n }}", "-") for _ in range(3))
        call = self.pick("", "1", "1, 2", "1, 2, 3", "'q', b=2", "b=5", "a=1, z=2", "*xs", "**{'a': 1, 'b': 2}", "1, *[2, 3]", self.expr("any", 1))
        use = self.pick(f"{{{{ {name}({call}) }}}}", f"{{{{ {name}({call})|upper }}}}", f"{{{{ {name}.name }}}}{{{{ {name}.arguments }}}}{{{{ {name}({call}) }}}}", f"{{% for x in [1, 2] %}}{{{{ {name}({call}) }}}}{{% endfor %}}")
        return self.tag(f"macro {name}({signature})") + shows + self.body(depth) + self.tag("endmacro") + use

    def s_call(self, depth):
        return self.pick(
            "{% macro w(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call w('b') %}" + self.body(depth) + "{% endcall %}",
            "{% macro w() %}{% for x in xs %}{{ caller(x, y=2) }}{% endfor %}{% endmacro %}{% call(a, y=1) w() %}{{ a }}{{ y }};{% endcall %}",
            "{% macro w() %}{{ caller(1) if caller else 'no' }}{% endmacro %}{{ w() }}{% call(a) w() %}{{ a }}{% endcall %}",
            "{% macro w() %}x{% endmacro %}{% call w() %}y{% endcall %}",
            "{% macro w(a) %}{{ a }}{{ caller() }}{% endmacro %}{% call w(" + self.expr("any", 1) + ") %}" + self.show() + "{% endcall %}",
        )

    def s_filter(self, depth):
        return self.tag(f"filter {self.pick('upper', 'lower', 'trim', 'e', 'title', 'replace(' + repr('a') + ', ' + repr('b') + ')', 'indent(2)', 'upper|trim', 'length', 'nope')}") + self.body(depth) + self.tag("endfilter")

    def s_with(self, depth):
        return self.tag(f"with {self.pick('v = 1', 'v = n, w = v', 'v = ' + self.expr('any', 2), '')}") + "{{ v }}{{ w }}" + self.body(depth) + self.tag("endwith") + "{{ v }}"

    def s_namespace(self, depth):
        return self.pick(
            "{% set ns = namespace(c=0) %}{% for x in xs %}{% set ns.c = ns.c + x %}{% endfor %}{{ ns.c }}",
            "{% set ns = namespace(a=" + self.expr("any", 2) + ") %}{% set ns.b = " + self.expr("any", 1) + " %}{{ ns.a }}{{ ns.b }}{{ ns.q is defined }}",
            "{% set ns = namespace() %}{{ ns }}{% set ns.x, ns.y = 1, 2 %}{{ ns }}{{ ns.x }}",
            "{% set ns = namespace({'a': 1}, b='x') %}{{ ns }}{{ ns['a'] }}{{ ns.nope }}",
            "{% set ns.x = 1 %}",
            "{% set ns = d %}{% set ns.x = 1 %}{{ ns }}",
        )

    def s_raw(self, depth):
        return self.tag("raw") + self.pick("{{ x }}", " {% if %} ", "\n  {# c #}\n", "a\n") + self.tag("endraw")

    def s_comment(self, depth):
        return "{#" + self.pick("", "-", "+") + self.pick(" c ", " {{ x }} ", "\n") + self.pick("", "-", "+") + "#}"

    def s_generation(self, depth):
        return self.tag("generation") + self.body(depth) + "{% set v = 'inner' %}" + self.tag("endgeneration") + "{{ v }}"

    def s_recursive(self, depth):
        return self.pick(
            "{% for i in tree recursive %}{{ i.v }}{% if i.c %}({{ loop(i.c) }}){% endif %}{% endfor %}",
            "{% for i in tree recursive %}{{ loop.depth }}{{ loop.index }}{{ i.v }}{{ loop(i.c) }}{% else %}.{% endfor %}",
            "{% for i in nested recursive %}{% if i is iterable %}[{{ loop(i) }}]{% else %}{{ i }},{% endif %}{% endfor %}",
            "{% for i in xs %}{{ loop(i) }}{% endfor %}",
        )

    def s_cycler(self, depth):
        return self.pick(
            "{% set c = cycler('a', 'b', 3) %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}",
            "{% set j = joiner() %}{% for x in xs %}{{ j() }}{{ x }}{% endfor %}",
            "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j.sep }}{{ j is callable }}{{ c is callable }}",
            "{{ cycler() }}",
        )

    def s_break(self, depth):
        return self.pick(
            "{% for x in range(9) %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% else %}e{% endfor %}",
            "{% for x in range(5) %}{% if x is odd %}{% continue %}{% endif %}{{ x }}{{ loop.index }}{% endfor %}",
            "{% for x in range(2) %}{% continue %}{% else %}e{% endfor %}",
            "{% break %}",
            "{% for x in xs %}{% set v %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endset %}{{ v }}{% endfor %}",
            "{% for x in xs %}{% for y in xs %}{% if y == 2 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}",
        )

    def s_scope(self, depth):
        return self.pick(
            "{% set v = 1 %}{% if true %}{% set v = 2 %}{% endif %}{{ v }}",
            "{% set v = 1 %}{% for x in xs %}{{ v }}{% set v = x %}{{ v }}{% endfor %}{{ v }}",
            "{% macro m() %}{{ v }}{% endmacro %}{% set v = 5 %}{{ m() }}",
            "{% macro m(v) %}{% set v = v + 1 %}{{ v }}{% endmacro %}{{ m(1) }}{{ v }}",
            "{% block b %}{{ n }}{% endblock %}{% set n = 8 %}{{ n }}",
            "{% set v = 1 %}{% with %}{% set v = 2 %}{{ v }}{% endwith %}{{ v }}",
            "{% set n %}{{ n }}{% endset %}{{ n }}",
            "{% for n in [1] %}{% endfor %}{{ n }}",
            "{% for loop in xs %}{% endfor %}",
            "{% if n is defined %}{% set n = n + 1 %}{% endif %}{{ n }}",
            "{% set xs = xs + [n] %}{{ xs }}",
        )

    def s_print(self, depth):
        return self.pick("{% print 'a', 1 %}", "{% do 1 %}", "{% if %}", "{{ }}", "{{ 1 2 }}", "{{ 'a' 'b' }}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{{ a.b.c }}", "{% include 'x' %}", "{{ raise_exception('no') }}", "{{ [].append(1) }}", "{{ d.update({}) }}", "{{ s.__class__ }}|", "{{ [].append is defined }}", "{{ xs.__len__() }}", "{{ x is nope }}", "{{ x|nope }}", "{% if false %}{{ x|nope }}{% endif %}", "{{ 'y' if true else x|nope }}", "{% unknown %}", "{% for x in %}", "{{ (1, 2 }}", "{% endif %}", "{% if true %}", "{{ n.0 }}{{ xs.1 }}{{ 'a'.0 }}", "{{ 1.e }}", "{{ 0b11 }}{{ 0o17 }}{{ 1_0 }}", "{{ 007 }}", "{{ xs[1, 2] }}{{ d['a', 'b'] }}", "{{ not not 1 }}{{ -1 ** 2 }}{{ 2 ** 3 ** 2 }}{{ -n|abs }}", "{{ 1 + -1 }}{{ - -1 }}{{ +1 }}", "{{ 'a' if none }}|{{ ('a' if none) is defined }}", "{{ 1 < 2 < 3 }}{{ 3 > 2 == 2 }}", "{{ {'a': 1}.a }}{{ [1, 2][0] }}{{ (1, 2)[1] }}{{ 'ab'[0] }}", "{{ xs | first | string ~ 'x' }}", "{{ d.items is callable }}{{ d['items'] }}{{ d.get is callable }}")


def shown(env, template):
    """Renders a template; returns its text, or None where Python raises anything."""
    try:
        return env.from_string(template).render(**json.loads(json.dumps(VARIABLES)))
    except RecursionError:
        raise
    except Exception:
        return None


# What has no one result: addresses.
LEFT_OUT = re.compile(r" at 0x|%20at%200x|_iterator object")


def cases(seed, count):
    env = environment()
    made = Statements(seed)
    seen = set()
    while len(seen) < count:
        if made.chance(0.6):
            template = f"{{{{ {made.expr('any', 4)} }}}}"
        else:
            template = made.template()
        # A method behind a filter reads as a filter with a dot in its name, which Jinja2 may fold away unseen.
        if template in seen or len(template) > 600 or re.search(r"\|[a-z]+\.", template):
            continue
        try:
            text = shown(env, template)
        except Beyond:
            continue
        if text is not None and LEFT_OUT.search(text):
            continue
        if text is not None:
            try:
                text.encode()
            except UnicodeEncodeError:
                continue
        seen.add(template)
        yield [template, text]


def main():
    warnings.simplefilter("ignore")
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    # A line for each case, so that a change of the stored ones can be read.
    print(f'{{"note": "template_cases.py {seed} {count}", "variables": {json.dumps(VARIABLES)}, "cases": [')
    print(",\n".join(json.dumps(case) for case in cases(seed, count)))
    print("]}")


if __name__ == "__main__":
    main()
