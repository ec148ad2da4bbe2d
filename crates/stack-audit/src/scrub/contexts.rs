//! Secrets that have no shape of their own, and are known by what stands before them.

/// A rule of this kind. The first group of the expression is the secret.
pub(super) struct Context {
    pub(super) name: &'static str,
    /// One of them is near every match, in any case of letters.
    pub(super) keywords: &'static [&'static str],
    /// How far before its keyword a match may begin, and how far behind it end.
    pub(super) reach: (usize, usize),
    pub(super) expression: &'static str,
}

pub(super) const CONTEXTS: &[Context] = &[
    Context {
        name: "private-key",
        keywords: &["PRIVATE KEY"],
        reach: (32, 20_000),
        expression: r"(-----BEGIN [A-Z0-9 ]{0,20}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,.()-]{40,16384})",
    },
    Context {
        name: "url-password",
        keywords: &["://"],
        reach: (16, 400),
        expression: r"[A-Za-z][A-Za-z0-9+.]{1,15}://[^\s:@/?#]{0,128}:([^\s:@/?#]{3,256})@[A-Za-z0-9\[]",
    },
    Context {
        name: "bearer",
        keywords: &["bearer "],
        reach: (0, 2100),
        expression: r"(?i)bearer +([A-Za-z0-9._~+/=-]{16,2048})",
    },
    Context {
        name: "basic",
        keywords: &["basic "],
        reach: (24, 1100),
        expression: r"(?i)authorization[^A-Za-z0-9]{1,8}basic +([A-Za-z0-9+/]{8,1024}={0,2})",
    },
    Context {
        name: "aws-secret-key",
        keywords: &["secretaccesskey", "secret_access_key", "aws_secret"],
        reach: (16, 120),
        expression: r#"(?i)(?:secret_?access_?key|aws_secret)[A-Za-z_]{0,16}["']?\s{0,4}[:=>]{1,2}\s{0,4}["']?([A-Za-z0-9/+]{40})"#,
    },
    Context {
        name: "assignment",
        keywords: &[
            "password",
            "passwd",
            "passphrase",
            "secret",
            "token",
            "api_key",
            "apikey",
            "api-key",
            "credential",
        ],
        reach: (0, 300),
        expression: r#"(?i)(?:password|passwd|passphrase|secret|token|api[_-]?key|credential)s?[a-z_-]{0,16}["']?\s{0,4}(?::=|=>|[:=])\s{0,4}["']?([A-Za-z0-9!#$%&*+./:?@^_~-]{8,256})"#,
    },
];

/// The rule that knows its secrets least: it asks for more.
pub(super) const ASSIGNMENT: &str = "assignment";
