//! The engine's rules as tables.

mod streams;

use serde_json::{Map, Value};
use streamforge_events::{Interval, SeriesKind};

use super::*;
use crate::made::{Made, Product, TrainedModel};

const BATCHES: u32 = 4;
const SLICE: Millis = 1_000_000;

fn stage(name: &str, work: Work, after: &[&str], tasks: Vec<Task>) -> Stage {
    let (function, kind) = name.split_once('/').unwrap();
    Stage {
        name: name.to_owned(),
        function: function.to_owned(),
        r#type: kind.to_owned(),
        work,
        after: after.iter().map(|&name| name.to_owned()).collect(),
        status: Status::Pending,
        heard_at: 0,
        progress_millis: None,
        parameters: Map::new(),
        makes: None,
        takes: vec![],
        tasks,
    }
}

fn task(id: &str, number: i64) -> Task {
    let range = TimeRange::new(number * SLICE, (number + 1) * SLICE).unwrap();
    Task::waiting(id.to_owned(), "BTCUSDT".parse().unwrap(), range, 0)
}

fn stages(tasks: i64) -> Vec<Stage> {
    let slices = (0..tasks).map(|number| task(&format!("load-{number}"), number)).collect();
    vec![
        stage("loader/k", Work::Load(SeriesKind::Klines(Interval::M15)), &[], slices),
        stage("connector/k", Work::Store("loader/k".to_owned()), &[], vec![]),
        stage("graph/g", Work::Compute, &["loader/k", "connector/k"], vec![task("graph-0", 0)]),
    ]
}

fn pending() -> Workflow {
    Workflow {
        id: "wf-btcusdt-api_candles_15m-19700101-abc123".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        symbols: vec!["BTCUSDT".parse().unwrap()],
        r#type: "k".to_owned(),
        status: Status::Pending,
        loader_type: None,
        start_time: 0,
        end_time: SLICE,
        last_loaded_timestamp: None,
        records_written: 0,
        error_message: None,
        kafka_topic: String::new(),
        created_at: 0,
        started_at: None,
        finished_at: None,
        graph: None,
        model: None,
        scores: None,
        request: Value::Null,
        stages: vec![],
        traceparent: None,
        outbox: vec![],
    }
}

/// Applies an input; answers the document and the commands.
fn step(mut workflow: Workflow, input: Input, now: Millis) -> (Workflow, Vec<Command>) {
    let before = workflow.clone();
    let Step { commands, has_changed } = super::step(&mut workflow, input, now);
    assert_eq!(has_changed, workflow != before || !commands.is_empty());
    (workflow, commands)
}

fn heard(task: &str, attempt: u32, what: What) -> Input {
    Input::Heard(Heard { task: task.to_owned(), attempt: Some(attempt), what })
}

fn announced(until: Millis) -> What {
    let announced = BatchSet::of(&(0..u64::from(BATCHES)).collect::<Vec<_>>()).unwrap();
    What::Finished { announced, complete_until: Some(until), made: Made::default() }
}

fn failed(message: &str, is_final: bool) -> What {
    What::Failed { message: message.to_owned(), is_final, batch: None }
}

/// Applies inputs one after another; answers the document and all commands.
fn run(workflow: Workflow, inputs: impl IntoIterator<Item = Input>, now: Millis) -> (Workflow, Vec<Command>) {
    inputs.into_iter().fold((workflow, vec![]), |(workflow, mut commands), input| {
        let (workflow, more) = step(workflow, input, now);
        commands.extend(more);
        (workflow, commands)
    })
}

fn planned(tasks: i64) -> Workflow {
    step(pending(), Input::Planned(stages(tasks)), 0).0
}

fn stored(task: &str) -> impl Iterator<Item = Input> {
    (0..BATCHES).map(move |batch| heard(task, 1, What::Stored { batch, rows: 10 }))
}

fn start(task: &str, attempt: u32) -> Command {
    Command::Start { task: task.to_owned(), attempt }
}

fn stop(target: &str) -> Command {
    Command::Stop { target: target.to_owned() }
}

#[test]
fn a_clock_that_was_set_back_delays_nothing_for_longer_than_a_deadline() {
    const HOUR: Millis = 3_600_000;
    let (workflow, _) = run(planned(1), [heard("load-0", 1, What::Started)], 2 * HOUR);
    let (workflow, commands) = run(workflow, [Input::Overdue], HOUR);
    assert_eq!((next_deadline(&workflow, HOUR), commands.len()), (Some(HOUR + PROGRESS_MILLIS), 0));
    let (failed, _) = run(
        workflow,
        [heard("load-0", 1, What::Failed { message: "no".to_owned(), is_final: false, batch: None })],
        2 * HOUR,
    );
    let (failed, _) = run(failed, [Input::Overdue], HOUR);
    let deadline = next_deadline(&failed, HOUR).unwrap();
    assert!((HOUR..HOUR + PROGRESS_MILLIS).contains(&deadline), "{deadline}");
}

#[test]
fn a_stage_may_have_a_patience_of_its_own() {
    let mut workflow = planned(1);
    workflow.stages[0].progress_millis = Some(5_000);
    let (workflow, _) = run(workflow, [heard("load-0", 1, What::Started)], 100_000);
    assert_eq!(next_deadline(&workflow, 100_000), Some(105_000));
}

#[test]
fn a_plan_starts_only_the_first_stages_and_only_once() {
    let (workflow, commands) = step(pending(), Input::Planned(stages(2)), 5);
    assert_eq!(commands, [start("load-0", 1), start("load-1", 1)]);
    assert_eq!((workflow.status, workflow.started_at), (Status::Loading, Some(5)));
    assert_eq!(workflow.stages[1].status, Status::Loading);
    assert_eq!(workflow.stages[2].status, Status::Pending);
    let (again, commands) = step(workflow.clone(), Input::Planned(stages(3)), 9);
    assert_eq!((again, commands), (workflow, vec![]));
}

#[test]
fn the_graph_waits_for_the_last_batch_and_ends_the_workflow() {
    let inputs = [heard("load-0", 1, What::Started), heard("load-0", 1, announced(SLICE - 7))];
    let (workflow, commands) = run(planned(1), inputs, 1);
    assert_eq!(commands, []);
    assert_eq!(workflow.stages[0].status, Status::Finished);
    let (workflow, commands) = run(workflow, stored("load-0"), 2);
    let series = SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind: SeriesKind::Klines(Interval::M15) };
    let range = TimeRange::new(0, SLICE - 7).unwrap();
    assert_eq!(commands, [Command::MarkLoaded { series, range }, start("graph-0", 1)]);
    assert_eq!((workflow.records_written, workflow.last_loaded_timestamp), (40, Some(SLICE - 7)));
    let (workflow, commands) = run(workflow, [heard("graph-0", 1, announced(0))], 3);
    assert_eq!(commands, [Command::Finish]);
    assert_eq!((workflow.status, workflow.finished_at), (Status::Finished, Some(3)));
    assert_eq!(next_deadline(&workflow, 3), None);
}

#[test]
fn a_plan_without_missing_ranges_goes_straight_to_the_graph() {
    let (workflow, commands) = step(pending(), Input::Planned(stages(0)), 0);
    assert_eq!(commands, [start("graph-0", 1)]);
    assert_eq!(workflow.records_written, 0);
}

#[test]
fn a_batch_counts_once_whichever_attempt_stored_it() {
    let batch = |attempt| heard("load-0", attempt, What::Stored { batch: 1, rows: 10 });
    let (workflow, _) = run(planned(1), [batch(1), batch(1)], 1);
    let (workflow, _) = run(workflow, [Input::Overdue], PROGRESS_MILLIS + 1);
    assert_eq!(workflow.stages[0].tasks[0].attempt, 2);
    let late = heard("load-0", 1, What::Stored { batch: 2, rows: 10 });
    let (workflow, _) = run(workflow, [batch(1), batch(2), late], PROGRESS_MILLIS + 2);
    assert_eq!(workflow.records_written, 20);
}

#[test]
fn silence_is_answered_by_another_attempt_until_there_are_none() {
    let mut workflow = planned(1);
    for attempt in 2..=MAX_ATTEMPTS {
        let deadline = next_deadline(&workflow, 0).unwrap();
        let (early, commands) = step(workflow.clone(), Input::Overdue, deadline - 1);
        assert_eq!((early, commands), (workflow.clone(), vec![]));
        let (next, commands) = step(workflow, Input::Overdue, deadline);
        assert_eq!(commands, [start("load-0", attempt)]);
        workflow = next;
    }
    let deadline = next_deadline(&workflow, 0).unwrap();
    let (workflow, commands) = step(workflow, Input::Overdue, deadline);
    assert_eq!(commands, [stop("loader"), Command::Finish]);
    assert_eq!(workflow.status, Status::Error);
    assert_eq!(workflow.error_message.unwrap(), "task `load-0` failed after 5 attempts: no progress was reported");
}

#[test]
fn progress_moves_the_deadline_and_a_waiting_task_shares_its_stage_s() {
    let (workflow, _) = run(planned(2), [heard("load-0", 1, What::Started)], 100_000);
    assert_eq!(next_deadline(&workflow, 0), Some(100_000 + PROGRESS_MILLIS));
    let (workflow, _) = run(workflow, [heard("load-0", 1, What::Progressed)], 200_000);
    assert_eq!(next_deadline(&workflow, 0), Some(200_000 + PROGRESS_MILLIS));
    // The repeated word of a task that nobody hears from otherwise is no progress.
    let (workflow, _) = run(workflow, [heard("load-0", 1, What::Started)], 300_000);
    assert_eq!(next_deadline(&workflow, 0), Some(200_000 + PROGRESS_MILLIS));
}

#[test]
fn batches_that_never_arrive_are_loaded_again() {
    let (workflow, _) = run(planned(1), [heard("load-0", 1, announced(SLICE))], 0);
    let (workflow, commands) = run(workflow, [Input::Overdue], PROGRESS_MILLIS);
    assert_eq!(commands, [start("load-0", 2)]);
    assert_eq!(workflow.stages[0].status, Status::Loading);
    let (workflow, _) = run(workflow, stored("load-0").chain([heard("load-0", 2, announced(SLICE))]), PROGRESS_MILLIS);
    assert_eq!(workflow.stages[1].status, Status::Finished);
}

#[test]
fn a_retryable_failure_is_repeated_after_a_pause() {
    let (workflow, commands) = run(planned(1), [heard("load-0", 1, failed("timeout", false))], 10);
    assert_eq!(commands, []);
    assert_eq!(next_deadline(&workflow, 10), Some(10 + RETRY_MILLIS));
    let (workflow, commands) = run(workflow, [Input::Overdue], 10 + RETRY_MILLIS);
    assert_eq!(commands, [start("load-0", 2)]);
    assert_eq!(workflow.stages[0].tasks[0].error_message.as_deref(), Some("timeout"));
    let (same, commands) = run(workflow.clone(), [heard("load-0", 1, failed("timeout", false))], 10 + RETRY_MILLIS);
    assert_eq!((same, commands), (workflow, vec![]));
}

#[test]
fn what_a_failed_attempt_left_behind_does_not_put_off_its_repetition() {
    let (workflow, _) = run(planned(1), [heard("load-0", 1, failed("timeout", false))], 10);
    let (workflow, _) = run(workflow, stored("load-0").take(1), 20);
    for what in [What::Started, What::Progressed, What::Interrupted, failed("again", false)] {
        let (after, commands) = run(workflow.clone(), [heard("load-0", 1, what)], 30);
        assert_eq!((&after, commands), (&workflow, vec![]));
        assert_eq!(next_deadline(&after, 30), Some(10 + RETRY_MILLIS));
    }
    let (workflow, _) = run(workflow, [heard("load-0", 1, announced(SLICE))], 40);
    assert_eq!(next_deadline(&workflow, 40), Some(40 + PROGRESS_MILLIS));
}

#[test]
fn a_loader_that_does_not_say_what_it_loaded_has_failed() {
    let mute = What::Finished { announced: BatchSet::default(), complete_until: None, made: Made::default() };
    let (workflow, commands) = run(planned(1), [heard("load-0", 1, mute)], 10);
    assert_eq!((commands, workflow.stages[0].status), (vec![], Status::Loading));
    let (workflow, commands) = run(workflow, [Input::Overdue], 10 + RETRY_MILLIS);
    assert_eq!(commands, [start("load-0", 2)]);
    let reason = workflow.stages[0].tasks[0].error_message.as_deref();
    assert_eq!(reason, Some("the loader does not say up to when it loaded"));
}

#[test]
fn a_final_failure_ends_the_workflow_with_the_worker_s_words() {
    let words = "exchange refused: -1121 Invalid symbol.";
    let (workflow, commands) = run(planned(2), [heard("load-1", 1, failed(words, true))], 1);
    assert_eq!(commands, [stop("loader"), Command::Finish]);
    assert_eq!(workflow.error_message.unwrap(), format!("task `load-1` failed: {words}"));
    assert_eq!(workflow.stages[2].status, Status::Pending);
}

#[test]
fn the_connector_s_refusal_of_a_batch_fails_even_a_loaded_task() {
    let refusal = |batch| What::Failed { message: "bad row".to_owned(), is_final: true, batch: Some(batch) };
    let inputs = [heard("load-0", 1, announced(SLICE)), heard("load-0", 1, What::Stored { batch: 0, rows: 1 })];
    let (workflow, _) = run(planned(1), inputs, 1);
    assert_eq!(run(workflow.clone(), [heard("load-0", 1, refusal(0))], 1).0.status, Status::Loading);
    assert_eq!(run(workflow, [heard("load-0", 1, refusal(1))], 1).0.status, Status::Error);
}

#[test]
fn what_must_not_change_a_document_does_not() {
    let (loading, _) = run(planned(1), [heard("load-0", 1, announced(SLICE))], 1);
    let (finished, _) = run(loading.clone(), stored("load-0").chain([heard("graph-0", 1, announced(0))]), 1);
    let stopped = step(loading.clone(), Input::Stop, 2).0;
    let cases = [
        ("finished, then error", loading.clone(), heard("load-0", 1, failed("no", true))),
        ("an attempt that was never sent", planned(1), heard("load-0", 7, announced(SLICE))),
        ("an unknown task", planned(1), heard("load-9", 1, failed("no", true))),
        ("a task that waits for its stage", planned(1), heard("graph-0", 0, announced(SLICE))),
        ("a batch number no task has", planned(1), heard("load-0", 1, What::Stored { batch: u32::MAX, rows: 1 })),
        ("error after the end", finished.clone(), heard("graph-0", 1, failed("no", true))),
        ("stop after the end", finished, Input::Stop),
        ("a late batch after stop", stopped.clone(), heard("load-0", 1, What::Stored { batch: 0, rows: 1 })),
        ("time after stop", stopped.clone(), Input::Overdue),
        ("a second stop", stopped, Input::Stop),
    ];
    for (name, workflow, input) in cases {
        let (after, commands) = step(workflow.clone(), input, 10 * PROGRESS_MILLIS);
        assert_eq!((after, commands), (workflow, vec![]), "{name}");
    }
}

#[test]
fn a_stop_takes_back_starts_that_were_not_published() {
    let mut workflow = planned(1);
    workflow.outbox = vec![start("load-0", 1)];
    let (workflow, commands) = step(workflow, Input::Stop, 1);
    assert_eq!(commands, [stop("loader"), Command::Finish]);
    assert_eq!(workflow.outbox, []);
}

#[test]
fn only_so_many_tasks_are_out_at_once() {
    let (workflow, commands) = step(pending(), Input::Planned(stages(100)), 0);
    assert_eq!(commands.len(), MAX_IN_FLIGHT);
    let (_, commands) = run(workflow, stored("load-0").chain([heard("load-0", 1, announced(SLICE))]), 1);
    assert!(commands.contains(&start("load-64", 1)), "{commands:?}");
}

/// A graph that is built, a training, a prediction and one that lives on.
fn learning() -> Workflow {
    let mut graph = stage("graph-builder/g", Work::Compute, &[], vec![task("graph", 0)]);
    let mut training = stage("gnn-trainer/t", Work::Job, &["graph-builder/g"], vec![task("train", 0)]);
    let mut prediction = stage("predictor/p", Work::Compute, &["gnn-trainer/t"], vec![task("infer", 0)]);
    let live = stage("predictor/l", Work::Live, &["predictor/p"], vec![task("live", 0)]);
    (graph.makes, training.makes) = (Some(Product::Graph), Some(Product::Model));
    (training.takes, prediction.takes) = (vec![Product::Graph], vec![Product::Model]);
    step(pending(), Input::Planned(vec![graph, training, prediction, live]), 0).0
}

fn made(made: Made) -> What {
    What::Finished { announced: BatchSet::default(), complete_until: None, made }
}

fn graph(name: &str) -> Made {
    Made { graph: Some(name.to_owned()), ..Made::default() }
}

fn model(version: &str) -> Made {
    let model = TrainedModel { name: "gnn".parse().unwrap(), version: version.parse().unwrap() };
    Made { model: Some(model), scores: Some(version.into()), graph: None }
}

#[test]
fn what_a_stage_makes_is_kept_and_told_to_the_next() {
    let (workflow, commands) = run(learning(), [heard("graph", 1, made(graph("g1")))], 1);
    assert_eq!((workflow.graph.as_deref(), commands), (Some("g1"), vec![start("train", 1)]));
    let (workflow, commands) = run(workflow, [heard("train", 1, made(model("7")))], 2);
    assert_eq!((workflow.model.clone(), commands), (model("7").model, vec![start("infer", 1)]));
    assert_eq!(workflow.scores, Some("7".into()));
    let told = |product| {
        let mut parameters = Map::new();
        workflow.tell(product, &mut parameters);
        Value::Object(parameters)
    };
    assert_eq!(told(Product::Graph), serde_json::json!({"graph": "g1"}));
    assert_eq!(told(Product::Model), serde_json::json!({"model": "gnn", "version": "7"}));
    // Another attempt's word comes too late.
    let (same, _) = run(workflow.clone(), [heard("train", 1, made(model("8")))], 3);
    assert_eq!(same, workflow);
}

#[test]
fn who_does_not_say_what_it_made_has_failed() {
    for (what, words) in [(made(Made::default()), "which graph"), (made(model("1")), "which graph")] {
        let (workflow, commands) = run(learning(), [heard("graph", 1, what)], 1);
        let task = &workflow.stages[0].tasks[0];
        assert_eq!((commands, workflow.stages[0].status), (vec![], Status::Loading));
        assert!(task.error_message.as_deref().unwrap().contains(words) && task.retry_at.is_some());
    }
    let (workflow, _) = run(learning(), [heard("graph", 1, made(graph("g")))], 1);
    let (workflow, _) = run(workflow, [heard("train", 1, made(Made::default()))], 2);
    assert_eq!((workflow.model.as_ref(), workflow.stages[1].status), (None, Status::Loading));
}

#[test]
fn a_job_waits_long_for_its_turn_and_not_longer_than_others_between_two_words() {
    let (workflow, _) = run(learning(), [heard("graph", 1, made(graph("g")))], 0);
    assert_eq!(next_deadline(&workflow, 0), Some(JOB_PATIENCE * PROGRESS_MILLIS));
    let (workflow, _) = run(workflow, [heard("train", 1, What::Started)], 1_000);
    assert_eq!(next_deadline(&workflow, 0), Some(1_000 + PROGRESS_MILLIS));
    let (workflow, _) = run(workflow, [heard("train", 1, What::Progressed)], 100_000);
    let deadline = 100_000 + PROGRESS_MILLIS;
    assert_eq!(next_deadline(&workflow, 0), Some(deadline));
    let (_, commands) = run(workflow, [Input::Overdue], deadline);
    assert_eq!(commands, [start("train", 2)]);
}

#[test]
fn what_lives_on_is_left_in_peace_until_it_is_stopped() {
    let done = [("graph", made(graph("g"))), ("train", made(model("1"))), ("infer", made(Made::default()))];
    let (workflow, _) = run(learning(), done.map(|(task, what)| heard(task, 1, what)), 0);
    // Nobody has begun it yet.
    assert_eq!(next_deadline(&workflow, 0), Some(PROGRESS_MILLIS));
    let (workflow, _) = run(workflow, [heard("live", 1, What::Started)], 1);
    assert_eq!((next_deadline(&workflow, 1), workflow.status), (None, Status::Loading));
    let (same, commands) = run(workflow.clone(), [Input::Overdue], 100 * PROGRESS_MILLIS);
    assert_eq!((&same, commands), (&workflow, vec![]));
    // Who was interrupted is replaced.
    let (interrupted, _) = run(workflow.clone(), [heard("live", 1, What::Interrupted)], 5);
    let (_, commands) = run(interrupted, [Input::Overdue], 5 + RETRY_MILLIS);
    assert_eq!(commands, [start("live", 2)]);
    let (workflow, commands) = run(workflow, [Input::Stop], 9);
    assert_eq!((workflow.status, commands), (Status::Stopped, vec![stop("predictor"), Command::Finish]));
}
