//! What is computed once for several requests.

use stack_chat::FailureKind;

use super::*;

/// Requests whose prompts begin alike: `shared` tokens, then one of their own.
fn alike(shared: usize, count: u32) -> Vec<Vec<u32>> {
    let begin: Vec<u32> = (0..shared as u32).map(|token| token % VOCABULARY).collect();
    (0..count).map(|own| [&begin[..], &[own + 3, own]].concat()).collect()
}

fn prompt_tokens(batches: &[Vec<usize>]) -> usize {
    batches.iter().flatten().filter(|&&tokens| tokens > 1).sum()
}

#[test]
fn requests_that_arrive_together_compute_their_common_beginning_once() {
    let mut bench = Bench::new(Setting {
        limits: WorkerLimits { cache_tokens: 2000, prefix_tokens: 500, ..Setting::default().limits },
        ..Setting::default()
    });
    let events: Vec<_> = alike(50, 8).iter().map(|prompt| bench.ask(prompt, None)).collect();
    let batches = bench.finish();
    assert_eq!(prompt_tokens(&batches), 52 + 7 * (2 + 2), "{batches:?}");
    let cached: Vec<u32> = events.into_iter().map(|events| read(events).1).collect();
    assert_eq!(cached, [0, 48, 48, 48, 48, 48, 48, 48], "whole pages are shared");
    bench.empty();
}

#[test]
fn a_prompt_is_shared_while_its_answer_is_still_under_way() {
    let mut bench = Bench::new(Setting::default());
    let prompts = alike(48, 2);
    let first = bench.hand_in(&Ask { max_tokens: 10, ..Ask::new(&prompts[0], None) });
    assert!(bench.turn() && bench.turn());
    let second = bench.ask(&prompts[1], None);
    bench.finish();
    assert_eq!((read(first).1, read(second).1), (0, 48));
    bench.empty();
}

#[test]
fn two_conversations_that_alternate_keep_their_own_beginnings() {
    let mut bench = Bench::new(Setting::default());
    let [one, other] = [[5; 20], [6; 20]];
    for round in 0..3 {
        for prompt in [&one, &other] {
            let events = bench.ask(prompt, Some(1));
            bench.finish();
            assert_eq!(read(events).1, if round == 0 { 0 } else { 19 });
        }
    }
    bench.empty();
}

#[test]
fn tenants_compute_the_same_prompt_each_for_itself() {
    let [ours, theirs] = ["a", "b"].map(Tenant::new);
    let ask = |tenant: &Tenant| Ask { tenant: tenant.clone(), ..Ask::new(&[5; 48], Some(1)) };
    // At the same time, where the second would wait for the first, and one after the other, where it would be kept.
    for turns_between in [0, usize::MAX] {
        let mut bench = Bench::new(Setting::default());
        let first = bench.hand_in(&ask(&ours));
        (0..turns_between).take_while(|_| bench.turn()).for_each(drop);
        let second = bench.hand_in(&ask(&theirs));
        bench.worker.admit();
        assert!(bench.worker.running.iter().all(|group| group.leader.is_none()));
        bench.finish();
        assert_eq!((read(first).1, read(second).1), (0, 0), "{turns_between}");
        let again = bench.hand_in(&ask(&theirs));
        bench.finish();
        assert_eq!(read(again).1, 47, "its own prompt is kept");
        bench.empty();
    }
}

#[test]
fn who_waits_for_a_leader_that_goes_computes_itself() {
    let mut bench = Bench::new(Setting::default());
    let prompts = alike(60, 2);
    let leader = bench.ask(&prompts[0], None);
    let follower = bench.ask(&prompts[1], None);
    bench.worker.admit();
    assert!(bench.worker.running[1].leader.is_some());
    drop(leader);
    bench.finish();
    assert_eq!(read(follower).0.len(), 3, "the context is full then");
    bench.empty();
}

#[test]
fn a_state_that_cannot_be_cut_is_reused_whole() {
    let mut bench = Bench::new(Setting { cuts_anywhere: false, ..Setting::default() });
    let first = bench.ask(&[9; 20], Some(1));
    bench.finish();
    let (answer, _) = read(first);
    let longer = [&[9; 20], &answer[..3]].concat();
    let second = bench.ask(&longer, Some(1));
    bench.finish();
    assert_eq!(read(second).1, 20, "the prompt's end was kept");
    bench.empty();
}

#[test]
fn room_is_made_of_what_is_kept_only_where_that_is_enough() {
    let limits = WorkerLimits { cache_tokens: 160, prefix_tokens: 100, ..Setting::default().limits };
    let mut bench = Bench::new(Setting { limits, ..Setting::default() });
    let kept = bench.ask(&[1; 40], None);
    bench.finish();
    read(kept);
    let running = bench.hand_in(&Ask { max_tokens: 20, ..Ask::new(&[2; 40], None) });
    assert!(bench.turn() && bench.turn());
    let waiting = bench.ask(&[3; 60], None);
    bench.turn();
    assert_eq!(bench.worker.waiting.len(), 1, "there is no room beside the one that runs");
    let again = bench.worker.prefix_cache.find(&Tenant::default(), &[1; 40]);
    assert!(again.is_some(), "and what is kept stays, because it would not have been enough");
    bench.finish();
    let (running, waiting) = (read(running).0, read(waiting).0);
    assert_eq!((running.len(), waiting.len()), (20, 5));
    bench.empty();
}

#[test]
fn nothing_is_kept_where_nothing_may_be() {
    let limits = WorkerLimits { prefix_tokens: 0, ..Setting::default().limits };
    let mut bench = Bench::new(Setting { limits, ..Setting::default() });
    for _ in 0..2 {
        let events = bench.ask(&[9; 20], None);
        bench.finish();
        assert_eq!(read(events).1, 0);
        assert_eq!(bench.worker.executor.held_tokens(), 0);
    }
}

#[test]
fn what_can_wait_begins_last() {
    let mut bench = Bench::new(Setting::default());
    let patient = Ask { priority: Priority::Batch, ..Ask::new(&[3; 20], None) };
    let _patient = bench.hand_in(&patient);
    let _urgent = bench.ask(&[4; 20], None);
    bench.worker.admit();
    let order: Vec<_> = bench.worker.running.iter().map(|group| group.priority).collect();
    assert_eq!(order, [Priority::Interactive, Priority::Batch]);
}

#[test]
fn nobody_waits_for_a_leader_that_can_wait() {
    let mut bench = Bench::new(Setting::default());
    let prompts = alike(60, 2);
    let _patient = bench.hand_in(&Ask { priority: Priority::Batch, ..Ask::new(&prompts[0], None) });
    bench.worker.admit();
    let _urgent = bench.ask(&prompts[1], None);
    bench.worker.admit();
    assert_eq!(bench.worker.running[1].leader, None);
}

#[test]
fn a_request_ends_at_its_deadline_waiting_or_running() {
    let mut bench = Bench::new(Setting::default());
    let requests: Vec<_> = (0..2_u32).map(|token| bench.ask(&[token; 20], None)).collect();
    bench.turn();
    let waiting = bench.ask(&[7; 20], None);
    let now = Instant::now();
    let groups = bench.worker.running.iter_mut().chain(&mut bench.worker.waiting);
    groups.skip(1).for_each(|group| group.deadline = Some(now));
    bench.worker.expire(now);
    bench.finish();
    let mut failed = requests.into_iter().chain([waiting]).map(|mut events| {
        loop {
            let event = Pin::new(&mut events).poll_next(&mut Context::from_waker(Waker::noop()));
            match event {
                Poll::Ready(Some(Err(error))) => return Some(error.kind),
                Poll::Ready(Some(Ok(ChatEvent::Done { .. }))) => return None,
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None) | Poll::Pending => panic!("the stream says how it ends"),
            }
        }
    });
    let late = Some(FailureKind::Timeout);
    assert_eq!([failed.next(), failed.next(), failed.next()], [Some(None), Some(late), Some(late)]);
    bench.empty();
}
