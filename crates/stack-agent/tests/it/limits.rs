//! What ends a session that would go on.

use serde_json::json;
use stack_agent::approval::Answer;
use stack_agent::state::State;
use stack_chat::{Failure, FailureKind};

use crate::support::{Person, Place, Say, Sequence, call, results, start};

fn read(name: &str) -> Say {
    call("read_file", json!({"path": name}))
}

#[test]
fn exactly_so_many_steps_and_calls_happen() {
    let place = Place::new();
    for name in ["a", "b", "c", "d"] {
        place.write(name, name);
    }
    let many = || Sequence::new(vec![read("a"), read("b"), read("c"), read("d")]);
    let mut three = start("read");
    three.limits.steps = 3;
    let model = many();
    let session = place.run(&three, &model, &mut Person::default());
    let end = session.end().unwrap();
    assert_eq!((end.state, end.reason.as_str()), (State::Failed, "step_limit"));
    assert_eq!((model.asked(), session.spent().tool_calls), (3, 3));

    let mut two = start("read");
    two.limits.tool_calls = 2;
    let session = place.run(&two, &many(), &mut Person::default());
    assert_eq!(session.end().unwrap().reason, "tool_call_limit");
    assert_eq!(session.spent().tool_calls, 2);

    let mut few = start("read");
    few.limits.tokens = 1;
    let session = place.run(&few, &many(), &mut Person::default());
    assert_eq!((session.end().unwrap().reason.as_str(), session.spent().steps), ("token_limit", 1));
}

#[test]
fn the_same_call_runs_twice_is_refused_twice_and_ends_it() {
    let place = Place::new();
    place.write("a", "same");
    let session = place.run(&start("read"), &Sequence::new(vec![read("a")]), &mut Person::default());
    assert_eq!(session.end().unwrap().reason, "loop_detected");
    assert_eq!((session.spent().steps, session.spent().tool_calls), (5, 2));
}

#[test]
fn five_failures_in_a_row_end_it_and_strict_ends_at_the_first() {
    let place = Place::new();
    let names = ["a", "b", "c", "d", "e", "f"];
    let missing = || Sequence::new(names.iter().map(|name| read(name)).collect());
    let session = place.run(&start("read"), &missing(), &mut Person::default());
    assert_eq!((session.end().unwrap().reason.as_str(), session.spent().steps), ("tool_failed", 5));
    let mut strict = start("read");
    strict.strict = true;
    let session = place.run(&strict, &missing(), &mut Person::default());
    assert_eq!((session.end().unwrap().reason.as_str(), session.spent().steps), ("tool_failed", 1));
}

#[test]
fn garbage_is_told_and_does_not_go_on_for_ever() {
    let place = Place::new();
    let session = place.run(
        &start("read"),
        &Sequence::new(vec![Say::Raw("read_file", "{\"path\": ")]),
        &mut Person::default(),
    );
    assert_eq!((session.end().unwrap().reason.as_str(), session.spent().tool_calls), ("tool_failed", 0));
    place.verify();
}

#[test]
fn thirty_two_calls_run_and_one_more_is_no_reply() {
    let place = Place::new();
    let names: Vec<String> = (0..33).map(|n| format!("f{n}")).collect();
    names.iter().for_each(|name| place.write(name, name));
    let calls = |count: usize| {
        Say::Calls(names[..count].iter().map(|name| ("read_file", json!({"path": name}))).collect())
    };
    let model = Sequence::new(vec![calls(32), Say::Text("ok")]);
    let session = place.run(&start("read"), &model, &mut Person::default());
    assert_eq!((session.state(), session.spent().tool_calls), (State::Done, 32));
    let model = Sequence::new(vec![calls(33), Say::Text("ok")]);
    let session = place.run(&start("read"), &model, &mut Person::default());
    assert_eq!(session.spent().tool_calls, 0);
    assert!(session.state() == State::Failed || results(&model.shown()).len() == 33);
}

#[test]
fn a_model_that_fails_is_tried_again_only_where_that_makes_sense() {
    let place = Place::new();
    let never = Failure::new(FailureKind::InvalidRequest, "no");
    let model = Sequence::new(vec![Say::Fails(never)]);
    let session = place.run(&start("x"), &model, &mut Person::default());
    let end = session.end().unwrap();
    assert_eq!((end.reason.as_str(), model.asked()), ("model_failed", 1));
    assert!(end.detail.as_deref().unwrap().contains("caller_invalid_request"));

    let soon = || {
        let failure = Failure::new(FailureKind::QueueFull, "busy");
        Say::Fails(failure.after(std::time::Duration::from_millis(1)))
    };
    let model = Sequence::new(vec![soon(), soon(), Say::Text("third")]);
    let session = place.run(&start("x"), &model, &mut Person::default());
    assert_eq!((session.state(), model.asked(), session.spent().steps), (State::Done, 3, 1));
}

#[test]
fn time_with_people_is_free() {
    let place = Place::new();
    let model = Sequence::new(vec![call("write_file", json!({"path": "a", "content": ""})), Say::Text("ok")]);
    let session = place.run(&start("x"), &model, &mut Person::saying(&[Answer::AllowOnce]));
    // The clock of these logs goes on by 3 ms with each look at it: 12 entries, one of them after a person.
    assert!(session.spent().active_ms > 0);
    assert_eq!(session.state(), State::Done);
}
