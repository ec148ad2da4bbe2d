//! Commands for common jobs. Each is run by a test as it stands here.

/// How a job is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its short name.
    pub id: &'static str,
    /// What it is for.
    pub title: &'static str,
    /// What has to be there, beside the program.
    pub needs: &'static str,
    /// What is typed, line by line, in a shell.
    pub commands: &'static [&'static str],
}

/// All recipes.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        id: "ask",
        title: "Ask the built-in model, and the same as JSON",
        needs: "nothing",
        commands: &[
            "stack run default \"Tell me a story about a dog.\" --seed 1 --max-tokens 20",
            "stack run default \"Tell me a story about a cat.\" --seed 1 --max-tokens 20 --json",
        ],
    },
    Recipe {
        id: "count-tokens",
        title: "Count the tokens of a text",
        needs: "nothing",
        commands: &[
            "stack tokenize default \"Once upon a time\"",
            "stack tokenize default \"Once upon a time\" --json",
        ],
    },
    Recipe {
        id: "inspect",
        title: "Look into a model before it runs",
        needs: "model.gguf",
        commands: &["stack show model.gguf", "stack show model.gguf --json"],
    },
    Recipe {
        id: "sign",
        title: "Sign a model, trust the signer, and verify",
        needs: "model.gguf",
        commands: &[
            "stack keygen --identity alice@example.com",
            "stack sign model.gguf --identity alice@example.com --name registry.lan/med/model:q4_k_m",
            "stack trust add alice@example.com --key alice@example.com.pub --for 'registry.lan/med/**'",
            "stack verify model.gguf",
        ],
    },
    Recipe {
        id: "audit",
        title: "See what was done, and verify the log",
        needs: "nothing",
        commands: &[
            "stack run default \"Tell me a story about a dog.\" --seed 1 --max-tokens 5",
            "stack audit list",
            "stack audit verify",
        ],
    },
    Recipe {
        id: "health",
        title: "See what this machine has and which settings are in effect",
        needs: "nothing",
        commands: &["stack doctor", "stack config show", "stack config check"],
    },
    Recipe {
        id: "look-before",
        title: "See what a repository is and what it sends to whom",
        needs: "a folder",
        commands: &["stack analyze .", "stack analyze . --egress --json"],
    },
    Recipe {
        id: "chapter",
        title: "Write a prompt for a chapter, and see that it fits",
        needs: "nothing",
        commands: &[
            "stack content emit --type bch --title \"Error Handling\" --audience developers -o prompt.md",
            "stack content emit --type bch --title \"Error Handling\" --show-budget",
        ],
    },
];

impl Recipe {
    /// Finds the recipe of this name.
    pub fn find(id: &str) -> Option<&'static Self> {
        RECIPES.iter().find(|recipe| recipe.id.eq_ignore_ascii_case(id))
    }
}
