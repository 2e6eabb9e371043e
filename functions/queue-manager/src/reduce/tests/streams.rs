//! The rules for work that listens until it is stopped.

use super::*;

/// Two tasks that listen until they are stopped.
fn listening() -> Workflow {
    let live = stage("loader-ws/live", Work::Stream, &[], vec![task("live-0", 0), task("live-1", 1)]);
    let workflow = step(pending(), Input::Planned(vec![live]), 0).0;
    run(workflow, ["live-0", "live-1"].map(|task| heard(task, 1, What::Started)), 0).0
}

#[test]
fn who_listens_has_to_be_heard_of_whatever_the_others_say() {
    let (workflow, _) = run(listening(), [heard("live-0", 1, What::Progressed)], 100_000);
    assert_eq!(next_deadline(&workflow, 100_000), Some(PROGRESS_MILLIS));
    let (workflow, commands) = run(workflow, [Input::Overdue], PROGRESS_MILLIS);
    assert_eq!(commands, [start("live-1", 2)]);
    // One that nobody began is sent again too, although the other gets on; it has time for a node and an image.
    let later = (1 + STREAM_PATIENCE) * PROGRESS_MILLIS;
    let (workflow, commands) = run(workflow, [heard("live-0", 1, What::Progressed), Input::Overdue], later - 1);
    assert_eq!(commands, []);
    let (_, commands) = run(workflow, [Input::Overdue], later);
    assert_eq!(commands, [start("live-1", 3)]);
}

#[test]
fn a_task_that_got_on_is_handed_on_at_once_and_as_often_as_it_takes() {
    let (mut workflow, mut now) = (listening(), 0);
    for attempt in 1..=4 * MAX_ATTEMPTS {
        now += 30_000;
        let inputs = [What::Started, What::Progressed].map(|what| heard("live-0", attempt, what));
        let (next, commands) = run(workflow, inputs, now);
        assert_eq!(commands, []);
        let (next, commands) = if attempt % 2 == 0 {
            run(next, [heard("live-0", attempt, What::HandedOn)], now)
        } else {
            let (silent, _) = run(next, [heard("live-1", 1, What::Progressed)], now + PROGRESS_MILLIS);
            now += PROGRESS_MILLIS;
            run(silent, [Input::Overdue], now)
        };
        assert_eq!(commands, [start("live-0", attempt + 1)]);
        // Its last word comes again, or late.
        let again = [What::HandedOn, What::Progressed].map(|what| heard("live-0", attempt, what));
        let (same, commands) = run(next.clone(), again, now);
        assert_eq!((&same, commands), (&next, vec![]));
        workflow = next;
    }
    assert_eq!(workflow.status, Status::Loading);
    let (workflow, commands) = run(workflow, [Input::Stop], now);
    assert_eq!((workflow.status, commands), (Status::Stopped, vec![stop("loader-ws"), Command::Finish]));
}

#[test]
fn a_task_that_is_only_handed_on_fails() {
    let mut workflow = listening();
    for attempt in 1..MAX_ATTEMPTS {
        let (next, commands) = run(workflow, [heard("live-0", attempt, What::HandedOn)], 1);
        assert_eq!(commands, [start("live-0", attempt + 1)]);
        workflow = next;
    }
    let (workflow, commands) = run(workflow, [heard("live-0", MAX_ATTEMPTS, What::HandedOn)], 1);
    assert_eq!((workflow.status, commands), (Status::Error, vec![stop("loader-ws"), Command::Finish]));
}

#[test]
fn what_comes_in_has_no_end_and_other_work_is_not_handed_on_at_once() {
    let (workflow, commands) = run(listening(), [heard("live-0", 1, made(Made::default()))], 10);
    assert_eq!((workflow.status, commands), (Status::Loading, vec![]));
    let (_, commands) = run(workflow, [Input::Overdue], 10 + RETRY_MILLIS);
    assert_eq!(commands, [start("live-0", 2)]);
    let (workflow, commands) = run(planned(1), [heard("load-0", 1, What::HandedOn)], 10);
    assert_eq!((next_deadline(&workflow, 10), commands), (Some(10 + RETRY_MILLIS), vec![]));
}
