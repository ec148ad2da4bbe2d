//! Whether a fenced code block ends where its author thought.
//!
//! To a Markdown parser, a block without an end lasts to the end of its container, and a fence with a language inside a block
//! is code. Both are mistakes.

/// Looks at a block, its fences included.
pub(super) fn is_closed(block: &str) -> bool {
    let mut lines = block.trim_end().lines();
    let Some(opening) = lines.next().and_then(Fence::parse) else { return false };
    let mut is_closed = false;
    for line in lines {
        is_closed = false;
        match Fence::parse(line) {
            Some(fence) if fence.mark == opening.mark && fence.length >= opening.length => {
                if !fence.info.is_empty() {
                    return false;
                }
                is_closed = true;
            }
            _ => {}
        }
    }
    is_closed
}

/// A line such as `` ```rust ``.
struct Fence<'a> {
    mark: char,
    length: usize,
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        // Quotations repeat their mark on each line.
        let line = line.trim_start_matches([' ', '\t', '>']);
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = line.trim_start_matches(mark);
        let length = line.len() - info.len();
        let is_fence = length >= 3 && !(mark == '`' && info.contains('`'));
        is_fence.then_some(Self { mark, length, info: info.trim() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_with_its_own_fence() {
        for block in [
            "```rust\nx\n```",
            "```\n```\n",
            "~~~\n```rust\n~~~",
            "````md\n```rust\n```\n````",
            "> ```sh\n> x\n> ```",
        ] {
            assert!(is_closed(block), "{block}");
        }
        for block in ["```rust\nx\n", "```", "```rust\nx\n\ntext\n\n```rust\ny\n```", "~~~\nx\n```"] {
            assert!(!is_closed(block), "{block}");
        }
    }
}
