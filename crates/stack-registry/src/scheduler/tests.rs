//! The scheduler driven by hand: no network, no sleep.

use super::*;
use crate::fetch::Refusal;

const KIB: u64 = 1 << 10;

fn limits() -> Limits {
    Limits { part_bytes: 64 * KIB, ..Limits::default() }
}

fn scheduler(total: u64) -> Scheduler {
    Scheduler::new(total, Ranges::default(), None, limits(), 1)
}

fn ranges(ranges: impl IntoIterator<Item = Range<u64>>) -> Ranges {
    let mut set = Ranges::default();
    ranges.into_iter().for_each(|range| set.insert(range));
    set
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn partial(range: Range<u64>, total: u64) -> Head {
    let content_range = Some(ContentRange { range, total: Some(total) });
    Head { status: 206, etag: Some("\"a\"".into()), content_range, ..Head::default() }
}

fn status(status: u16) -> Head {
    Head { status, ..Head::default() }
}

/// Lists what is opened.
fn opened(actions: &[Action]) -> Vec<(Id, Range<u64>)> {
    let open = |action: &Action| match action {
        Action::Open { id, range, .. } => Some((*id, range.clone())),
        _ => None,
    };
    actions.iter().filter_map(open).collect()
}

/// Brings one part in, whole.
fn complete(scheduler: &mut Scheduler, id: Id, range: &Range<u64>, total: u64) -> Vec<Action> {
    let streamed = scheduler.handle(Event::Answered(id, partial(range.clone(), total)), seconds(0));
    assert_eq!(streamed[0], Action::Stream { id, range: range.clone() });
    scheduler.handle(Event::Received(id, range.end - range.start), seconds(0));
    scheduler.handle(Event::Ended(id), seconds(0))
}

#[test]
fn a_file_comes_in_parts_over_four_connections() {
    let total = 300 * KIB;
    let mut scheduler = scheduler(total);
    let mut queue = VecDeque::from(opened(&scheduler.handle(Event::Tick, seconds(0))));
    assert_eq!(queue.len(), 4);
    let mut asked = Vec::new();
    loop {
        let (id, range) = queue.pop_front().unwrap();
        let actions = complete(&mut scheduler, id, &range, total);
        asked.push(range);
        if actions.contains(&Action::Finish) {
            break;
        }
        queue.extend(opened(&actions));
    }
    assert_eq!(ranges(asked.clone()), ranges(std::iter::once(0..total)));
    assert_eq!(asked.iter().map(|range| range.end - range.start).sum::<u64>(), total);
}

#[test]
fn a_resume_asks_only_for_what_lacks() {
    let have = ranges([0..100 * KIB, 120 * KIB..130 * KIB]);
    let mut scheduler = Scheduler::new(200 * KIB, have, Some("\"a\"".into()), limits(), 1);
    let actions = scheduler.handle(Event::Tick, seconds(0));
    let ranges: Vec<_> = opened(&actions).into_iter().map(|(_, range)| range).collect();
    assert_eq!(ranges, [100 * KIB..120 * KIB, 130 * KIB..192 * KIB, 192 * KIB..200 * KIB]);
    assert!(matches!(&actions[0], Action::Open { if_range: Some(etag), .. } if etag == "\"a\""));
}

#[test]
fn nothing_lacks_and_nothing_is_asked() {
    assert_eq!(scheduler(0).handle(Event::Tick, seconds(0)), [Action::Finish]);
    let have = ranges(std::iter::once(0..9));
    let mut scheduler = Scheduler::new(9, have, None, limits(), 1);
    assert_eq!(scheduler.handle(Event::Tick, seconds(0)), [Action::Finish]);
}

#[test]
fn a_server_without_ranges_sends_one_stream() {
    let total = 300 * KIB;
    let mut scheduler = scheduler(total);
    scheduler.handle(Event::Tick, seconds(0));
    let whole = Head { status: 200, length: Some(total), ..Head::default() };
    let actions = scheduler.handle(Event::Answered(2, whole.clone()), seconds(0));
    assert_eq!(
        actions,
        [Action::Drop(0), Action::Drop(1), Action::Drop(3), Action::Stream { id: 2, range: 0..total }]
    );
    assert_eq!(scheduler.handle(Event::Received(0, 5), seconds(0)), [], "dropped connections do not count");
    scheduler.handle(Event::Received(2, 100 * KIB), seconds(0));
    scheduler.handle(Event::Failed(2, FetchErrorKind::Broken), seconds(1));
    let again = opened(&scheduler.handle(Event::Tick, seconds(60)));
    assert_eq!(again, [(4, 100 * KIB..128 * KIB)], "one connection, which asks for what lacks all the same");
    let actions = scheduler.handle(Event::Answered(4, whole), seconds(60));
    assert_eq!(actions, [Action::Stream { id: 4, range: 0..total }]);
    assert_eq!(scheduler.handle(Event::Received(4, total), seconds(60)), [Action::Finish]);
}

#[test]
fn a_part_that_is_called_a_whole_is_taken_for_a_part() {
    let mut scheduler = scheduler(300 * KIB);
    let range = opened(&scheduler.handle(Event::Tick, seconds(0)))[1].1.clone();
    let head = Head { status: 200, length: Some(64 * KIB), ..partial(range.clone(), 300 * KIB) };
    let actions = scheduler.handle(Event::Answered(1, head), seconds(0));
    assert_eq!(actions, [Action::Stream { id: 1, range }]);
}

#[test]
fn wrong_lengths_are_final() {
    for head in [
        Head { status: 200, length: Some(99), ..Head::default() },
        Head { content_range: ContentRange::parse("bytes 0-98/99"), ..partial(0..9, 99) },
    ] {
        let mut scheduler = scheduler(100);
        scheduler.handle(Event::Tick, seconds(0));
        let actions = scheduler.handle(Event::Answered(0, head), seconds(0));
        assert_eq!(actions, [Action::Fail(DownloadFailure::Length { expected: 100, found: 99 })]);
    }
}

#[test]
fn other_bytes_than_asked_for_are_not_written() {
    let mut scheduler = scheduler(100);
    scheduler.handle(Event::Tick, seconds(0));
    for id in 0..limits().tries {
        let actions =
            scheduler.handle(Event::Answered(id, partial(1..100, 100)), seconds(u64::from(id) * 60));
        assert!(!actions.iter().any(|action| matches!(action, Action::Stream { .. })));
        let expected = id + 1 == limits().tries;
        assert_eq!(actions.contains(&Action::Fail(DownloadFailure::Exhausted(Failure::Astray))), expected);
        scheduler.handle(Event::Tick, seconds(u64::from(id) * 60 + 59));
    }
}

#[test]
fn a_shorter_range_is_taken_and_the_rest_asked_for() {
    let mut scheduler = scheduler(100);
    scheduler.handle(Event::Tick, seconds(0));
    let actions = scheduler.handle(Event::Answered(0, partial(0..40, 100)), seconds(0));
    assert_eq!(actions[0], Action::Stream { id: 0, range: 0..40 });
    assert_eq!(opened(&actions), [(1, 40..100)]);
}

#[test]
fn a_changed_file_starts_over_twice_and_then_gives_up() {
    let total = 300 * KIB;
    let mut scheduler = scheduler(total);
    scheduler.handle(Event::Tick, seconds(0));
    complete(&mut scheduler, 0, &(0..64 * KIB), total);
    for (id, etag) in [(1, "\"b\""), (5, "\"c\"")] {
        let head = Head { etag: Some(etag.into()), ..partial(64 * KIB..128 * KIB, total) };
        let actions = scheduler.handle(Event::Answered(id, head), seconds(0));
        assert!(actions.contains(&Action::Forget), "{actions:?}");
        assert_eq!((scheduler.have().bytes(), scheduler.etag()), (0, Some(etag)));
        assert_eq!(opened(&actions)[0].1, 0..64 * KIB);
    }
    let last = scheduler.handle(Event::Answered(9, status(416)), seconds(0));
    assert_eq!(last, [Action::Fail(DownloadFailure::Changing)]);
}

#[test]
fn an_expired_address_is_found_again_once() {
    let mut scheduler = scheduler(100);
    scheduler.handle(Event::Tick, seconds(0));
    let actions = scheduler.handle(Event::Answered(0, status(403)), seconds(0));
    assert_eq!(actions, [Action::Drop(0), Action::Renew]);
    assert_eq!(scheduler.handle(Event::Tick, seconds(1)), [], "nothing is asked meanwhile");
    assert_eq!(opened(&scheduler.handle(Event::Renewed, seconds(2))), [(1, 0..100)]);
    let actions = scheduler.handle(Event::Answered(1, status(403)), seconds(2));
    assert_eq!(actions, [Action::Fail(DownloadFailure::Status(403))]);
}

#[test]
fn an_address_that_worked_may_expire_again() {
    let mut scheduler = scheduler(100);
    let mut id = opened(&scheduler.handle(Event::Tick, seconds(0)))[0].0;
    for now in [0, 100, 200].map(seconds) {
        let actions = scheduler.handle(Event::Answered(id, status(401)), now);
        assert!(actions.contains(&Action::Renew));
        let (renewed, range) = opened(&scheduler.handle(Event::Renewed, now))[0].clone();
        scheduler.handle(Event::Answered(renewed, partial(range, 100)), now);
        scheduler.handle(Event::Received(renewed, 10), now);
        scheduler.handle(Event::Failed(renewed, FetchErrorKind::Broken), now);
        id = opened(&scheduler.handle(Event::Tick, now + seconds(60)))[0].0;
    }
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_wishes() {
    let mut scheduler = scheduler(100);
    scheduler.handle(Event::Tick, seconds(0));
    let busy = Head { retry_after: Some(seconds(45)), ..status(429) };
    scheduler.handle(Event::Answered(0, busy.clone()), seconds(0));
    assert_eq!(scheduler.handle(Event::Tick, seconds(44)), []);
    assert_eq!(opened(&scheduler.handle(Event::Tick, seconds(45))), [(1, 0..100)]);
    let tomorrow = Head { retry_after: Some(seconds(86400)), ..busy };
    let actions = scheduler.handle(Event::Answered(1, tomorrow), seconds(45));
    assert_eq!(actions, [Action::Fail(DownloadFailure::Status(429))]);
}

#[test]
fn stalled_and_trickling_connections_go_on_from_their_offset() {
    let mut scheduler = scheduler(100 * KIB);
    scheduler.limits.part_bytes = 100 * KIB;
    scheduler.handle(Event::Tick, seconds(0));
    scheduler.handle(Event::Answered(0, partial(0..100 * KIB, 100 * KIB)), seconds(0));
    for second in 1..30 {
        assert_eq!(scheduler.handle(Event::Received(0, 1), seconds(second)), []);
    }
    let actions = scheduler.handle(Event::Tick, seconds(30));
    assert_eq!(actions[0], Action::Drop(0));
    let again = opened(&scheduler.handle(Event::Tick, seconds(60)));
    assert_eq!(again, [(1, 29..100 * KIB)]);
}

#[test]
fn failures_in_a_row_end_it_and_progress_forgives() {
    let total = 64 << 20;
    let mut scheduler = Scheduler::new(total, Ranges::default(), None, Limits::default(), 1);
    let mut now = 0;
    let mut id = opened(&scheduler.handle(Event::Tick, seconds(now)))[0].0;
    for _ in 0..20 {
        let at = scheduler.have().front();
        scheduler.handle(Event::Answered(id, partial(at..total, total)), seconds(now));
        scheduler.handle(Event::Received(id, PROGRESS), seconds(now));
        scheduler.handle(Event::Failed(id, FetchErrorKind::Broken), seconds(now));
        now += 60;
        id = opened(&scheduler.handle(Event::Tick, seconds(now)))[0].0;
    }
    for failure in 2..=Limits::default().tries {
        let actions = scheduler.handle(Event::Failed(id, FetchErrorKind::Unreachable), seconds(now));
        if failure == Limits::default().tries {
            let last = Failure::Fetch(FetchErrorKind::Unreachable);
            assert_eq!(actions, [Action::Fail(DownloadFailure::Exhausted(last))]);
            return;
        }
        now += 60;
        id = opened(&scheduler.handle(Event::Tick, seconds(now)))[0].0;
    }
}

#[test]
fn what_retrying_cannot_help_is_not_retried() {
    for (event, reason) in [
        (Event::Answered(0, status(404)), DownloadFailure::Status(404)),
        (Event::Answered(0, status(304)), DownloadFailure::Status(304)),
        (
            Event::Failed(0, FetchErrorKind::Refused(Refusal::TierForbids)),
            DownloadFailure::Fetch(FetchErrorKind::Refused(Refusal::TierForbids)),
        ),
    ] {
        let mut scheduler = scheduler(100);
        scheduler.handle(Event::Tick, seconds(0));
        assert_eq!(scheduler.handle(event, seconds(0)), [Action::Fail(reason)]);
    }
}

#[test]
fn a_length_of_two_to_the_sixty_costs_nothing_by_itself() {
    let mut scheduler = scheduler(1 << 60);
    assert_eq!(opened(&scheduler.handle(Event::Tick, seconds(0))).len(), 4);
    assert_eq!(scheduler.waiting.len(), 1);
}
