//! The table of languages: one row each, found by extension, file name or interpreter.

use super::language::{Content, Language, Syntax};

/// All languages that are counted.
pub(crate) const LANGUAGES: &[Language] = &[
    code("Rust", &["rs"], RUST),
    Language { interpreters: &["python", "pypy"], ..code("Python", &["py", "pyx", "pyi", "pyw"], PYTHON) },
    code("C", &["c", "h"], C),
    code("C++", &["cpp", "cc", "cxx", "hpp", "hxx", "hh", "c++", "h++"], C),
    Language {
        file_names: &[".bashrc", ".zshrc", ".profile"],
        interpreters: &["sh", "bash", "zsh", "dash", "ksh"],
        ..code("Shell", &["sh", "bash", "zsh", "ksh"], SHELL)
    },
    Language { interpreters: &["node"], ..code("JavaScript", &["js", "jsx", "mjs", "cjs"], SCRIPT) },
    code("TypeScript", &["ts", "tsx", "mts", "cts"], SCRIPT),
    code("Go", &["go"], GO),
    code("Java", &["java"], C),
    code("Kotlin", &["kt", "kts"], NESTED),
    code("Scala", &["scala", "sc"], NESTED),
    code("Groovy", &["groovy", "gradle"], C),
    code("C#", &["cs", "csx"], C),
    code("F#", &["fs", "fsi", "fsx"], Syntax { block: &[("(*", "*)")], quotes: &["\""], ..C }),
    code("Swift", &["swift"], NESTED),
    code("Objective-C", &["m", "mm"], C),
    code("CUDA", &["cu", "cuh"], C),
    code("Metal", &["metal"], C),
    code("GLSL", &["glsl", "vert", "frag", "comp", "geom"], C),
    code("HLSL", &["hlsl"], C),
    code("WGSL", &["wgsl"], Syntax { nested: true, ..C }),
    code("Zig", &["zig"], Syntax { block: &[], ..C }),
    code("D", &["d"], Syntax { block: &[("/*", "*/"), ("/+", "+/")], ..C }),
    code("Dart", &["dart"], Syntax { long_quotes: &[("'''", "'''"), ("\"\"\"", "\"\"\"")], ..C }),
    code("PHP", &["php"], Syntax { line: &["//", "#"], ..C }),
    Language {
        file_names: &["Rakefile", "Gemfile"],
        interpreters: &["ruby"],
        ..code("Ruby", &["rb", "rake", "gemspec"], Syntax { block: &[("=begin", "=end")], ..SHELL })
    },
    Language {
        interpreters: &["perl"],
        ..code("Perl", &["pl", "pm"], Syntax { block: &[("=pod", "=cut")], ..SHELL })
    },
    code("R", &["r"], SHELL),
    code("Julia", &["jl"], Syntax { block: &[("#=", "=#")], nested: true, quotes: &["\""], ..PYTHON }),
    code("Elixir", &["ex", "exs"], PYTHON),
    code("Erlang", &["erl", "hrl"], Syntax { line: &["%"], ..TEXTS }),
    code("Haskell", &["hs"], Syntax { line: &["--"], block: &[("{-", "-}")], nested: true, ..TEXTS }),
    code("OCaml", &["ml", "mli"], Syntax { block: &[("(*", "*)")], nested: true, ..TEXTS }),
    code("Clojure", &["clj", "cljs", "cljc"], Syntax { line: &[";"], ..LONG_TEXTS }),
    code(
        "Lisp",
        &["lisp", "lsp", "el"],
        Syntax { line: &[";"], block: &[("#|", "|#")], nested: true, ..LONG_TEXTS },
    ),
    code(
        "Scheme",
        &["scm", "ss"],
        Syntax { line: &[";"], block: &[("#|", "|#")], nested: true, ..LONG_TEXTS },
    ),
    Language {
        interpreters: &["lua", "luajit"],
        ..code("Lua", &["lua"], Syntax { line: &["--"], block: &[("--[[", "]]")], ..TEXTS })
    },
    code("SQL", &["sql"], Syntax { line: &["--"], block: &[("/*", "*/")], quotes: &["'"], ..PLAIN }),
    code("Fortran", &["f90", "f95", "f03", "f08"], Syntax { line: &["!"], quotes: &["\"", "'"], ..PLAIN }),
    code("Assembly", &["asm"], Syntax { line: &[";"], quotes: &["\"", "'"], ..PLAIN }),
    code("GNU assembly", &["s"], Syntax { line: &["//"], block: &[("/*", "*/")], ..PLAIN }),
    code("LLVM", &["ll"], Syntax { line: &[";"], quotes: &["\""], ..PLAIN }),
    code("PowerShell", &["ps1", "psm1", "psd1"], Syntax { block: &[("<#", "#>")], ..SHELL }),
    code("Batch", &["bat", "cmd"], Syntax { line: &["REM", "rem", "::"], ..PLAIN }),
    code("Nix", &["nix"], Syntax { line: &["#"], block: &[("/*", "*/")], ..LONG_TEXTS }),
    code("Solidity", &["sol"], C),
    code("Vue", &["vue"], MARKUP),
    code("Svelte", &["svelte"], MARKUP),
    Language {
        file_names: &["Makefile", "makefile", "GNUmakefile"],
        ..code("Makefile", &["mk", "mak"], Syntax { line: &["#"], ..PLAIN })
    },
    Language {
        file_names: &["CMakeLists.txt"],
        ..code("CMake", &["cmake"], Syntax { line: &["#"], ..LONG_TEXTS })
    },
    Language { file_names: &["Dockerfile", "Containerfile"], ..code("Dockerfile", &["dockerfile"], SHELL) },
    Language {
        file_names: &["justfile", "Justfile"],
        ..code("Just", &["just"], Syntax { line: &["#"], ..TEXTS })
    },
    Language {
        file_names: &["BUILD", "WORKSPACE", "BUILD.bazel"],
        ..code("Starlark", &["bzl", "bazel", "star"], PYTHON)
    },
    code("Terraform", &["tf", "tfvars"], Syntax { line: &["#", "//"], block: &[("/*", "*/")], ..TEXTS }),
    code("Protocol Buffers", &["proto"], Syntax { block: &[("/*", "*/")], ..C }),
    code("GraphQL", &["graphql", "gql"], PYTHON),
    data("CSS", &["css"], Syntax { line: &[], ..C }),
    data("Sass", &["scss", "sass", "less"], C),
    data("HTML", &["html", "htm", "xhtml"], MARKUP),
    data("XML", &["xml", "xsd", "xsl", "csproj", "plist"], MARKUP),
    data("SVG", &["svg"], MARKUP),
    data("JSON", &["json", "webmanifest"], PLAIN),
    data("Jupyter notebook", &["ipynb"], PLAIN),
    Language { file_names: &["Cargo.lock", "poetry.lock", "Pipfile"], ..data("TOML", &["toml"], TOML) },
    data("YAML", &["yaml", "yml"], Syntax { line: &["#"], quotes: &["\"", "'"], ..PLAIN }),
    data("INI", &["ini"], Syntax { line: &[";", "#"], ..PLAIN }),
    prose("Markdown", &["md", "markdown"]),
    prose("Text", &["txt", "text"]),
    prose("reStructuredText", &["rst"]),
    prose("AsciiDoc", &["adoc", "asciidoc"]),
    prose("TeX", &["tex", "sty"]),
];

const PLAIN: Syntax =
    Syntax { line: &[], block: &[], nested: false, quotes: &[], long_quotes: &[], raw_quotes: &[] };
const TEXTS: Syntax = Syntax { quotes: &["\""], ..PLAIN };
const LONG_TEXTS: Syntax = Syntax { long_quotes: &[("\"", "\"")], ..PLAIN };
const C: Syntax = Syntax { line: &["//"], block: &[("/*", "*/")], quotes: &["\"", "'"], ..PLAIN };
/// A `'` is a lifetime more often than a character.
const RUST: Syntax = Syntax {
    nested: true,
    quotes: &[],
    long_quotes: &[("\"", "\"")],
    raw_quotes: &[("r##\"", "\"##"), ("r#\"", "\"#"), ("r\"", "\"")],
    ..C
};
const NESTED: Syntax = Syntax { nested: true, long_quotes: &[("\"\"\"", "\"\"\"")], ..C };
const GO: Syntax = Syntax { raw_quotes: &[("`", "`")], ..C };
const SCRIPT: Syntax = Syntax { long_quotes: &[("`", "`")], ..C };
const PYTHON: Syntax = Syntax {
    line: &["#"],
    quotes: &["\"", "'"],
    long_quotes: &[("\"\"\"", "\"\"\""), ("'''", "'''")],
    ..PLAIN
};
const SHELL: Syntax =
    Syntax { line: &["#"], long_quotes: &[("\"", "\"")], raw_quotes: &[("'", "'")], ..PLAIN };
const TOML: Syntax = PYTHON;
const MARKUP: Syntax = Syntax { block: &[("<!--", "-->")], ..PLAIN };

const fn code(name: &'static str, extensions: &'static [&'static str], syntax: Syntax) -> Language {
    Language { name, content: Content::Code, extensions, file_names: &[], interpreters: &[], syntax }
}

const fn data(name: &'static str, extensions: &'static [&'static str], syntax: Syntax) -> Language {
    Language { content: Content::Data, ..code(name, extensions, syntax) }
}

const fn prose(name: &'static str, extensions: &'static [&'static str]) -> Language {
    Language { content: Content::Prose, ..code(name, extensions, PLAIN) }
}
