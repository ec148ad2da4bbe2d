use std::time::Instant;

use clap::CommandFactory;

use super::*;
use crate::cli::Cli;

fn seer() -> Seer {
    Seer::new(&Cli::command()).unwrap()
}

/// The names of what was found, the best first.
fn found(seer: &Seer, question: &str) -> Vec<String> {
    let advice = seer.oracle.ask(question, &seer.machine);
    let all = advice.iter().flat_map(|advice| [&advice.primary].into_iter().chain(&advice.alternatives));
    all.map(|found| found.name.clone()).collect()
}

/// Asserts that the right command is first for nine of ten questions, and among three for 97 of a hundred.
#[track_caller]
fn assert_found(questions: &str, count_min: usize) {
    let seer = seer();
    let (mut first, mut among, mut missed) = (0, 0, Vec::new());
    for line in questions.lines() {
        let (wanted, question) = line.split_once(" | ").expect("command, bar, question");
        let found = found(&seer, question);
        let at = found.iter().position(|name| *name == format!("stack {wanted}"));
        first += usize::from(at == Some(0));
        among += usize::from(at.is_some());
        if at != Some(0) {
            missed.push(format!("{line} -> {found:?}"));
        }
    }
    let count = questions.lines().count();
    println!("{first} first and {among} among three of {count}");
    let is_good = count >= count_min && first * 100 >= count * 90 && among * 100 >= count * 97;
    assert!(is_good, "{first} first and {among} among three of {count}:\n{}", missed.join("\n"));
}

#[test]
fn the_right_command_is_first_for_questions_that_the_index_was_not_made_from() {
    assert_found(include_str!("questions/asked.txt"), 200);
}

#[test]
fn questions_about_something_else_have_no_answer() {
    let seer = seer();
    let questions = include_str!("questions/off_topic.txt");
    let answered =
        questions.lines().filter_map(|question| Some((question, found(&seer, question).into_iter().next()?)));
    let answered: Vec<_> = answered.collect();
    let count = questions.lines().count();
    assert!(count >= 50 && answered.len() * 100 <= count * 5, "{answered:#?}");
}

#[test]
fn every_command_that_the_data_knows_is_one() {
    let root = Cli::command();
    for (_, members) in oracle::layers() {
        for member in members.iter().filter(|member| member.is_command()) {
            assert!(tree::find(&root, &member.name).is_some(), "{}", member.name);
        }
    }
}

#[test]
fn every_example_is_a_command_line() {
    for (_, members) in oracle::layers() {
        for member in members.iter().filter(|member| member.example.starts_with("stack ")) {
            let words = words(&member.example);
            if let Err(error) = Cli::command().try_get_matches_from(&words) {
                panic!("{}: {error}", member.example);
            }
        }
    }
}

/// Cuts a command line as a shell does, which has quotes and no backslashes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in line.chars() {
        match (letter, quote) {
            (' ', None) => words.push(String::new()),
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(mark)) if letter == mark => quote = None,
            (letter, _) => words.last_mut().expect("there is one").push(letter),
        }
    }
    words
}

#[test]
fn questions_take_less_than_fifty_milliseconds() {
    let seer = seer();
    let started = Instant::now();
    for line in include_str!("questions/asked.txt").lines() {
        found(&seer, line);
    }
    let each = started.elapsed() / 200;
    assert!(each.as_millis() <= 50, "{each:?}");
}
