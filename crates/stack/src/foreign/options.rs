//! Options of other programs, and what to do here instead.

/// What an option of one dash and several letters comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Ours means the same.
    Ours(&'static str),
    /// What to do instead.
    Hint(&'static str),
}

/// Finds an option that no parser here would read: one dash, and more than one letter.
pub(super) fn of_one_dash(text: &str) -> Option<Way> {
    let several = text.len() > 2 && text.starts_with('-') && !text.starts_with("--");
    if !several {
        return None;
    }
    let ours = SAME.iter().find(|(name, _)| *name == text).map(|&(_, ours)| Way::Ours(ours));
    ours.or_else(|| hint(text).map(Way::Hint))
}

/// Says what to do instead of an option that another program has.
pub(super) fn hint(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(names, _)| names.contains(&name)).map(|&(_, hint)| hint)
}

/// Whether what follows is a text, whatever it looks like.
pub(super) fn takes_text(option: &str) -> bool {
    ["-p", "--prompt", "-s", "--system", "--system-prompt", "-sys", "--stop"].contains(&option)
}

/// Every option that is refused.
#[cfg(test)]
pub(super) fn refused() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().flat_map(|(names, _)| names.iter().copied())
}

/// Options that have another name here.
const SAME: &[(&str, &str)] = &[("-sys", "--system")];

/// Options that are not there, and a sentence about each.
const REFUSED: &[(&[&str], &str)] = &[
    // Devices and memory.
    (
        &[
            "-ngl",
            "--gpu-layers",
            "--n-gpu-layers",
            "--num-gpu",
            "-ncmoe",
            "--n-cpu-moe",
            "-cmoe",
            "--cpu-moe",
            "-ot",
            "--override-tensor",
        ],
        "a model is on one device as a whole: `--device cuda` or `--device metal`, where the program was built for it",
    ),
    (
        &[
            "-sm",
            "--split-mode",
            "-ts",
            "--tensor-split",
            "-mg",
            "--main-gpu",
            "-tp",
            "--tensor-parallel-size",
            "-pp",
            "--pipeline-parallel-size",
            "--gpus",
        ],
        "a model is computed on one device; leave it out",
    ),
    (&["-dev"], "the device is chosen with `--device cpu|cuda|metal`"),
    (
        &["-fa", "--flash-attn", "--no-flash-attn"],
        "there is one attention kernel and nothing to switch; leave it out",
    ),
    (
        &["--mlock", "--no-mmap", "--mmap", "-nkvo", "--no-kv-offload", "-dio", "--direct-io"],
        "weights are read into memory, and no file is mapped while it runs; leave it out",
    ),
    (
        &["-ctk", "--cache-type-k", "-ctv", "--cache-type-v", "--kv-cache-dtype"],
        "keys and values are held alike: `--kv-cache f16` or `--kv-cache q8_0`",
    ),
    (&["-tb", "--threads-batch", "--n-threads"], "prefill and decode use the same threads: `--threads N`"),
    (&["--numa", "-C", "--cpu-mask", "--prio"], "bind the process from outside, with `taskset` or `numactl`"),
    (&["--gpu-memory-utilization", "--memory-fraction"], "memory is bounded by `--ctx` and `--kv-cache`"),
    (
        &["--dtype", "--quantization", "--load-format"],
        "weights are computed as the file holds them; leave it out",
    ),
    // Batching.
    (
        &[
            "-b",
            "--batch-size",
            "-ub",
            "--ubatch-size",
            "-np",
            "--parallel",
            "-cb",
            "--cont-batching",
            "--max-num-seqs",
            "--max-num-batched-tokens",
            "--enable-chunked-prefill",
        ],
        "requests are batched as they come and as they fit; leave it out",
    ),
    (
        &[
            "--prompt-cache",
            "--cache-prompt",
            "--cache-reuse",
            "--enable-prefix-caching",
            "--slot-save-path",
            "--keep",
        ],
        "beginnings of prompts that were computed before are found again by themselves; leave it out",
    ),
    (&["--no-warmup", "--warmup"], "there is no warm-up; leave it out"),
    // Where models come from.
    (
        &["-hf", "-hfr", "--hf", "--hf-repo", "-hff", "--hf-file", "-dr", "--docker-repo"],
        "`stack pull hf://OWNER/REPO:QUANT` fetches it; then the same address, or its name, is a MODEL",
    ),
    (
        &["-mu", "--model-url"],
        "`stack pull https://…` fetches it; then the same address, or its name, is a MODEL",
    ),
    (&["-hft", "--hf-token"], "the token for the hub is in the variable HF_TOKEN"),
    (
        &["--download-dir", "--models-dir", "--models-path"],
        "models are kept in $STACK_HOME, or in `--home DIR`",
    ),
    (
        &["--insecure"],
        "only a registry on this machine may be spoken to without TLS: `stack push --plain-http`",
    ),
    (&["--trust-remote-code"], "no code that comes with a model is ever run; leave it out"),
    (&["--tokenizer", "--vocab-file"], "the vocabulary is part of the model"),
    // Templates and prompts.
    (&["--jinja", "--no-jinja"], "chat templates are always run as Jinja; leave it out"),
    (&["--chat-template"], "a template comes from a file: `--template FILE`"),
    (
        &[
            "--chat-template-kwargs",
            "--reasoning-budget",
            "--reasoning-format",
            "--reasoning-parser",
            "-rea",
            "--reasoning",
        ],
        "`stack run --think HOW` says how much to think; variables of a template are `chat_template_kwargs` of a request to \
         `stack serve`",
    ),
    (&["--hidethinking"], "what a model thinks is shown on stderr, if that is a terminal: 2> /dev/null"),
    (
        &["--enable-auto-tool-choice", "--tool-call-parser"],
        "tools are part of a request to `stack serve`, or of `stack run --tools FILE`; leave it out",
    ),
    (&["-no-cnv", "--no-conversation", "-nocnv"], "`--raw` continues the prompt without a chat template"),
    (
        &["-cnv", "--conversation", "-i", "--interactive", "-it", "-if", "--interactive-first"],
        "a conversation starts by itself on a terminal, when no prompt is given",
    ),
    (&["-st", "--single-turn"], "a prompt is answered once; without one, a conversation starts"),
    (
        &["-f", "--file", "-bf", "--binary-file", "--prompt-file"],
        "give the prompt through a pipe: `stack run MODEL < FILE`",
    ),
    (&["-sysf", "--system-prompt-file"], "give the text itself: `--system \"$(cat FILE)\"`"),
    (&["-r", "--reverse-prompt"], "`--stop TEXT` ends an answer before a text"),
    (
        &["-e", "--escape", "--no-escape"],
        "texts are taken as they are; let the shell write line breaks: $'one\\ntwo'",
    ),
    (
        &["-mli", "--multiline-input", "--multiline"],
        "in a conversation, \"\"\" begins and ends a text of several lines",
    ),
    (
        &["-sp", "--special", "--verbose-prompt"],
        "`stack render` prints the prompt that a template makes, `stack tokenize` its tokens",
    ),
    (
        &["--no-display-prompt", "--display-prompt", "-co", "--color", "--colors", "--simple-io"],
        "only the answer is printed, without colors; leave it out",
    ),
    (
        &["--keepalive", "--keep-alive", "--sleep-idle-seconds"],
        "a model stays in memory as long as the process runs",
    ),
    // What is not there.
    (
        &["--lora", "--lora-scaled", "--enable-lora", "--lora-modules", "--control-vector"],
        "adapters are not supported",
    ),
    (&["--mmproj", "-mm", "--image", "--audio"], "models read text alone"),
    (&["-md", "--model-draft", "--speculative-config"], "`--draft MODEL` lets a smaller model guess ahead"),
    (&["--draft-max", "--draft-min"], "how many tokens are guessed ahead follows from what they are worth"),
    (
        &["-j", "--json-schema", "--json-schema-file"],
        "`stack run --schema FILE` holds an answer to a JSON schema",
    ),
    (&["--grammar", "--grammar-file"], "a grammar is part of a request to `stack serve`"),
    (
        &["--samplers", "--sampling-seq", "--mirostat", "--dynatemp-range", "--top-nsigma"],
        "the samplers and their order are fixed; the book's page on sampling lists them",
    ),
    (
        &["--xtc-probability", "--xtc-threshold", "--dry-multiplier", "--dry-base", "--logit-bias", "-l"],
        "that is a parameter of a request to `stack serve`",
    ),
    (
        &["--ignore-eos"],
        "`ignore_eos` is a parameter of a request to `stack serve`; `stack bench` measures without ends",
    ),
    (
        &[
            "--rope-scaling",
            "--rope-scale",
            "--rope-freq-base",
            "--rope-freq-scale",
            "--yarn-orig-ctx",
            "--yarn-ext-factor",
            "--override-kv",
        ],
        "what the file says is used; leave it out",
    ),
    (
        &["--context-shift", "--no-context-shift", "-gan", "--grp-attn-n"],
        "a full context ends an answer; `--ctx` gives more room",
    ),
    // Servers.
    (
        &["--api-key", "--api-key-file"],
        "keys are not given on the command line, where others see them: `stack auth token create` makes one",
    ),
    (
        &["--embedding", "--embeddings", "--pooling", "--task", "--runner"],
        "a model that makes embeddings is served at /v1/embeddings by itself; leave it out",
    ),
    (&["--rerank", "--reranking"], "reranking is not supported"),
    (&["--metrics", "--slots", "--props"], "/metrics is always there; leave it out"),
    (&["-to", "--timeout", "--threads-http"], "connections have fixed limits of time; leave it out"),
    (
        &["--path", "--api-prefix", "--no-webui", "--webui", "--root-path"],
        "the server has an API and no pages of its own; a proxy adds a prefix",
    ),
    (&["--allowed-origins"], "`stack serve --help` says which pages may ask"),
    (
        &[
            "--log-disable",
            "--log-file",
            "-lv",
            "--log-verbosity",
            "--uvicorn-log-level",
            "--disable-log-requests",
            "--verbosity",
        ],
        "logs go to stderr; STACK_LOG=debug shows more, and prompts are never logged",
    ),
    // Ollama's show and create.
    (
        &["--modelfile", "--parameters", "--license"],
        "`stack show MODEL` prints what the file says, `--template` its chat template",
    ),
    (&["--quantize"], "models are not converted here: pull one in the quantization that you want"),
];
