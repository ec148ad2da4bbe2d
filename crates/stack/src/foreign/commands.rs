//! Commands of other programs, and what to do here instead.

/// Says what to do instead of a command that another program has.
pub(super) fn hint(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(words, _)| words.contains(&word)).map(|&(_, hint)| hint)
}

/// Words, and a sentence about each.
pub(super) const WORDS: &[(&[&str], &str)] = &[
    (
        &["create", "build", "make"],
        "there are no Modelfiles: `stack adopt FILE --as NAME` names a model, `--system` and `--template FILE` are \
         options of `stack run`",
    ),
    (&["top", "stats"], "`stack ps` lists the models that a running server has in memory"),
    (
        &["kill", "unload", "restart"],
        "`stack stop MODEL` unloads a model from a running server; `stack serve` itself ends with Ctrl-C or `kill PID`",
    ),
    (&["start", "server", "api", "up", "daemon", "api_server"], "`stack serve MODEL` starts a server"),
    (
        &["chat", "ask", "prompt", "generate", "complete", "cli", "completion", "simple"],
        "`stack run MODEL` answers and converses",
    ),
    (&["embed", "embedding", "embeddings"], "`stack serve MODEL` makes embeddings at /v1/embeddings"),
    (&["download", "get", "fetch", "install"], "`stack pull hf://OWNER/REPO` fetches a model"),
    (&["upload", "publish"], "`stack push NAME oci://HOST/REPO` sends a model to a registry"),
    (&["delete", "remove", "uninstall", "rmi", "del"], "`stack rm NAME` removes a model"),
    (&["models", "images", "dir", "inventory"], "`stack list` lists the models of the store"),
    (&["info", "inspect", "describe", "metadata"], "`stack show MODEL` says what is in a model"),
    (
        &["tag", "rename", "mv", "alias", "copy"],
        "`stack cp SRC DST` gives a model a second name; `stack rm SRC` drops the first",
    ),
    (&["add", "link"], "`stack adopt FILE` puts a file into the store under a name"),
    (&["save"], "`stack export NAME… -o FILE` writes models into one file"),
    (&["load"], "`stack import FILE` reads such a file; `stack run FILE.gguf` needs no store"),
    (&["prune", "clean", "cleanup", "df"], "`stack gc` frees what no model needs"),
    (&["benchmark", "perf"], "`stack bench MODEL` measures the speed of a model"),
    (&["detokenize", "tokens"], "`stack tokenize MODEL TEXT` prints the tokens of a text, with their pieces"),
    (&["perplexity"], "`stack logits MODEL --tokens …` prints what a model computes"),
    (&["logs", "log"], "`stack serve` logs to stderr; STACK_LOG=debug shows more"),
    (
        &["env", "settings", "status", "check"],
        "`stack doctor` says what this machine has and what would be used",
    ),
    (
        &["signin", "signout"],
        "there is no account: HF_TOKEN is the token for the hub, registries use the credentials of Docker, and `stack login` \
         keeps the key for a server",
    ),
    (
        &["quantize", "convert", "finetune", "train"],
        "models are not converted here: pull one in the quantization that you want",
    ),
    (&["search", "find"], "models are looked for on the hub's pages: huggingface.co/models"),
    (&["update", "upgrade"], "`stack pull REF --update` takes what upstream has now"),
    (&["genkey", "key"], "`stack keygen` creates an identity"),
    (&["seal", "lock"], "`stack encrypt` seals a file or a model"),
    (&["unseal", "unlock", "open"], "`stack decrypt` writes the plain form of what is sealed"),
    (&["launch"], "there is nothing to set up: point the program at the address that `stack serve` prints"),
];
