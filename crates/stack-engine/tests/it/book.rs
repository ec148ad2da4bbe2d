//! The book's table of architectures, against the program's.

use std::fmt::Write;
use std::path::Path;

use stack_engine::spec::{architecture_note, known_architectures};

#[test]
fn the_book_lists_every_architecture_and_what_is_special_about_it() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/reference/architectures.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut table = String::from("| name in the file | what is special |\n| --- | --- |\n");
    for name in known_architectures() {
        writeln!(table, "| `{name}` | {} |", architecture_note(name).unwrap()).unwrap();
    }
    assert!(page.contains(&format!("\n\n{table}\n")), "the table should be:\n{table}");
}
