use std::sync::atomic::{AtomicUsize, Ordering};

use stack_chat::{EventStream, ModelCard};
use stack_testkit::ScriptedModel;

use super::*;

/// A model that says something else each time.
struct Turns(Vec<ScriptedModel>, AtomicUsize);

impl Turns {
    fn new(texts: &[&str]) -> Self {
        Self(texts.iter().map(|text| ScriptedModel::new("m", &[text])).collect(), AtomicUsize::new(0))
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

impl ChatModel for Turns {
    fn card(&self) -> &ModelCard {
        self.0[0].card()
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        let turn = self.1.fetch_add(1, Ordering::Relaxed);
        self.0[turn.min(self.0.len() - 1)].chat(request)
    }
}

fn ran(model: &Turns, sources: Option<&Sources>) -> Manuscript {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let options = (Sampling::default(), None);
    runtime.block_on(run(model, Kind::BookChapter, "Write.", sources, options)).unwrap()
}

const SOUND: &str = "# A\n\nText.\n";
const OPEN: &str = "# A\n\n```rust\nx\n";

#[test]
fn a_sound_text_needs_no_repair() {
    let model = Turns::new(&[SOUND]);
    let draft = ran(&model, None);
    assert_eq!((draft.text.as_str(), draft.report.score, draft.repairs, model.asked()), (SOUND, 100, 0, 1));
}

#[test]
fn faults_are_told_and_repaired() {
    let model = Turns::new(&[OPEN, SOUND]);
    let draft = ran(&model, None);
    assert_eq!((draft.report.score, draft.repairs, model.asked()), (100, 1, 2));
    let Prompt::Messages(messages) = &model.0[1].requests()[0].prompt else { panic!("a conversation") };
    let told = format!("{messages:?}");
    assert!(told.contains("line 3: the code block does not end"), "{told}");
}

#[test]
fn there_are_two_repairs_at_most_and_the_best_text_stays() {
    let model = Turns::new(&["# A\n\nI think so.\n", OPEN, OPEN, SOUND]);
    let draft = ran(&model, None);
    assert_eq!((draft.report.score, draft.repairs, model.asked()), (98, 0, 3));
}

#[test]
fn sources_that_are_not_cited_are_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.md");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    let sources = Sources::read(std::slice::from_ref(&file), &str::to_owned).unwrap();
    let cite = |line: u32| format!("# A\n\nText [{}:{line}].\n", file.display());
    let model = Turns::new(&[SOUND, &cite(3), &cite(2)]);
    let draft = ran(&model, Some(&sources));
    assert_eq!((draft.repairs, draft.bad_citations.len(), model.asked()), (2, 0, 3));
}
