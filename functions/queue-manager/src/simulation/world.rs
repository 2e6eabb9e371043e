//! Everything that a workflow lives among, on one clock: the log that loses, doubles and delays, and what is to happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use fastrand::Rng;
use serde_json::json;
use streamforge_events::{Millis, TimeRange, WorkflowRequest};

use super::{
    faults::Faults,
    handler::Handler,
    judge::{Counts, Judge},
    market::{Market, NOW},
    worker::{Assignment, Worker},
};
use crate::{
    document::{Status, Workflow},
    engine::Request,
    plan,
    reduce::{Heard, Input, next_deadline},
};

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;

/// How long the clock waits before it reminds of the same deadline again.
const PATIENCE: Millis = 30 * SECOND;

/// How long after the healing every workflow has ended: a few silent attempts of two stages in a row.
const LONGEST: Millis = 15 * MINUTE;

/// How much longer a training may take: a lost start is repeated late, because jobs may have to wait.
const JOB_WAIT: Millis = 61 * MINUTE;

/// How long after the healing the last event has arrived.
const LATEST: Millis = 240 * MINUTE;

/// An event on its way.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// `workflow.requested`.
    Requested,
    /// `workflow.overdue`.
    Overdue,
    /// `queue.reported`.
    Reported(Heard),
    /// `control.start`.
    Start(Rc<Assignment>),
    /// `control.stop`.
    Stop(String),
    /// `klines.loaded` or `trades.loaded`.
    Loaded(Rc<Batch>),
}

/// A batch of records.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) assignment: Rc<Assignment>,
    pub(super) number: u32,
    pub(super) records: Vec<Millis>,
}

/// Something that happens at its time.
pub(super) enum Happening {
    Arrives(Message),
    Handles(Handler),
    Works(Worker),
    Tick,
    UserStops,
    UserStopsLive,
    Restart,
}

/// The document as it is stored.
pub(super) struct Stored {
    pub(super) workflow: Rc<Workflow>,
    pub(super) revision: u64,
    deadline: Option<Millis>,
}

pub(super) struct World {
    pub(super) random: Rng,
    pub(super) now: Millis,
    pub(super) faults: Faults,
    pub(super) market: Market,
    pub(super) document: Option<Stored>,
    pub(super) judge: Judge,
    pub(super) request: WorkflowRequest,
    /// Functions that were told to stop.
    pub(super) stopped: BTreeSet<String>,
    /// Counts restarts: who belongs to an earlier epoch is dead.
    pub(super) epoch: u32,
    cause: Request,
    agenda: BTreeMap<(Millis, u64), Happening>,
    number: u64,
    next_tick: Option<Millis>,
    is_told: bool,
}

impl World {
    pub(super) fn new(seed: u64, is_told: bool) -> Self {
        let mut random = Rng::with_seed(seed);
        let (body, range) = request(&mut random);
        let request = WorkflowRequest::parse(&body).expect("the request is sound");
        let cause = Request { source: "/simulation".to_owned(), id: seed.to_string(), body, traceparent: None };
        let mut market = Market::new(plan::series(&request));
        preload(&mut market, range, &mut random);
        let faults = Faults::draw(&mut random);
        let mut world = Self {
            random,
            now: NOW,
            faults,
            market,
            document: None,
            judge: Judge::new(range),
            request,
            stopped: BTreeSet::new(),
            epoch: 0,
            cause,
            agenda: BTreeMap::new(),
            number: 0,
            next_tick: None,
            is_told,
        };
        world.tell(|world| format!("{} with {:?}", world.cause.body, world.faults));
        for after in world.faults.restarts.clone() {
            world.schedule(after, Happening::Restart);
        }
        for after in world.faults.stops.clone() {
            world.schedule(after, Happening::UserStops);
        }
        if world.has("realtime_gnn_infer") || world.has("ws_trades") {
            let latest = world.faults.heal_after + world.longest() - MINUTE;
            world.schedule(latest, Happening::UserStopsLive);
        }
        world
    }

    /// Lets everything happen, then delivers everything once more.
    pub(super) fn run(mut self) -> Counts {
        // The API writes the pending document; its event may get lost.
        let workflow = plan::pending(&self.request, &self.cause, self.now);
        self.store(workflow);
        self.send(Message::Requested);
        while let Some(((time, _), happening)) = self.agenda.pop_first() {
            self.now = time;
            let after_healing = time - NOW - self.faults.heal_after;
            assert!(after_healing <= LATEST, "the clock never comes to rest");
            if !self.has_ended() {
                assert!(after_healing <= self.longest(), "not ended although everything has healed");
                self.judge.counts.longest = self.judge.counts.longest.max(after_healing);
            }
            self.happen(happening);
        }
        assert!(self.has_ended(), "nothing happens any more, and the workflow has not ended");
        self.judge.ended(&self.workflow());
        self.judge.redeliver(&self.workflow(), self.now, &mut self.random);
        self.judge.counts
    }

    /// How long after the healing this workflow has ended.
    fn longest(&self) -> Millis {
        if self.has("gnn_train") { LONGEST + JOB_WAIT } else { LONGEST }
    }

    fn has(&self, kind: &str) -> bool {
        self.request.entries.iter().any(|entry| entry.r#type == kind)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.workflow().status.is_terminal()
    }

    pub(super) fn workflow(&self) -> Rc<Workflow> {
        Rc::clone(&self.document.as_ref().expect("the document is written first").workflow)
    }

    /// Writes the document and sets the clock's next look at it.
    pub(super) fn store(&mut self, workflow: Workflow) {
        let deadline = next_deadline(&workflow, self.now);
        let revision = self.document.as_ref().map_or(0, |stored| stored.revision + 1);
        self.document = Some(Stored { workflow: Rc::new(workflow), revision, deadline });
        if let Some(deadline) = deadline {
            let turn = self.random.i64(0..SECOND);
            self.set_tick(deadline.max(self.now) + turn);
        }
    }

    pub(super) fn is_healed(&self) -> bool {
        self.now >= NOW + self.faults.heal_after
    }

    /// Whether something goes wrong now that does so at this rate.
    pub(super) fn strikes(&mut self, rate: u32) -> bool {
        !self.is_healed() && self.random.u32(..1000) < rate
    }

    pub(super) fn schedule(&mut self, after: Millis, happening: Happening) {
        self.number += 1;
        self.agenda.insert((self.now + after, self.number), happening);
    }

    /// Publishes an event: it may get lost, arrive twice or late, and overtake others.
    pub(super) fn send(&mut self, message: Message) {
        if self.strikes(self.faults.loss) {
            self.tell(|_| format!("  lost {message:?}"));
            self.judge.counts.lost += 1;
            return;
        }
        if self.random.u32(..1000) < self.faults.doubling {
            let delay = self.delay();
            self.schedule(delay, Happening::Arrives(message.clone()));
        }
        let delay = self.delay();
        self.schedule(delay, Happening::Arrives(message));
    }

    /// Delivers an event again after a pause, as a dispatcher does that got no answer.
    pub(super) fn send_again(&mut self, message: Message) {
        let pause = self.random.i64(200..30 * SECOND);
        self.schedule(pause, Happening::Arrives(message));
    }

    pub(super) fn tell(&self, words: impl FnOnce(&Self) -> String) {
        if self.is_told {
            let (seconds, millis) = ((self.now - NOW) / SECOND, (self.now - NOW) % SECOND);
            eprintln!("{seconds:>6}.{millis:03} s  {}", words(self));
        }
    }

    /// How long an event is on its way.
    fn delay(&mut self) -> Millis {
        if self.strikes(self.faults.lateness) {
            let most = if self.random.bool() { 5 * MINUTE } else { 180 * MINUTE };
            return self.random.i64(0..most);
        }
        self.random.i64(1..300)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives(message) => self.arrive(message),
            Happening::Handles(handler) => handler.go_on(self),
            Happening::Works(worker) => worker.go_on(self),
            Happening::Tick => self.tick(),
            Happening::UserStops => {
                self.tell(|_| "the user stops the workflow".to_owned());
                self.begin(Handler::of_user(self.epoch));
            }
            Happening::UserStopsLive => {
                let workflow = self.workflow();
                if !workflow.status.is_terminal() {
                    self.judge.stops_live(&workflow);
                    self.begin(Handler::of_user(self.epoch));
                }
            }
            Happening::Restart => {
                self.tell(|_| "the platform dies and starts again".to_owned());
                self.epoch += 1;
                self.stopped.clear();
            }
        }
    }

    fn arrive(&mut self, message: Message) {
        self.tell(|_| format!("arrives {message:?}"));
        match message {
            Message::Requested | Message::Overdue | Message::Reported(_) => {
                self.judge.hear(&message);
                self.begin(Handler::of_event(message, self.epoch));
            }
            Message::Start(assignment) => Worker::start(assignment, self),
            Message::Stop(target) => {
                self.stopped.insert(target);
            }
            Message::Loaded(batch) => super::worker::connect(batch, self),
        }
    }

    fn begin(&mut self, handler: Handler) {
        let delay = self.random.i64(0..20);
        self.schedule(delay, Happening::Handles(handler));
    }

    /// The clock's look at the document.
    fn tick(&mut self) {
        if self.next_tick != Some(self.now) {
            return;
        }
        self.next_tick = None;
        let Some(deadline) = self.document.as_ref().and_then(|stored| stored.deadline) else {
            return;
        };
        if deadline <= self.now {
            self.send(Message::Overdue);
            self.set_tick(self.now + PATIENCE);
        } else {
            self.set_tick(deadline);
        }
    }

    fn set_tick(&mut self, time: Millis) {
        if self.next_tick.is_none_or(|next| time < next) {
            self.next_tick = Some(time);
            self.schedule(time - self.now, Happening::Tick);
        }
    }

    /// What `attend` makes of the document.
    pub(super) fn attention(&mut self) -> Input {
        if self.workflow().status != Status::Pending {
            return Input::Overdue;
        }
        self.judge.planned(&self.market, self.now);
        match plan::plan(&self.request, &self.market.loaded, self.now) {
            Ok(stages) => Input::Planned(stages),
            Err(refusal) => panic!("the plan is refused: {refusal:?}"),
        }
    }
}

/// A request for klines, trades or both of some symbols, mostly with a graph, at times with a training, predictions or
/// live trades; some reach into the future.
fn request(random: &mut Rng) -> (serde_json::Value, TimeRange) {
    let loads = random.u8(1..4);
    let mut requests = Vec::new();
    if loads & 1 != 0 {
        requests.push(json!({"target": "loader-producer", "type": "api_candles_1m"}));
    }
    if loads & 2 != 0 {
        requests.push(json!({"target": "loader-producer", "type": "api_trades"}));
    }
    let has_graph = random.u8(..4) > 0;
    if has_graph {
        requests.push(json!({"target": "graph-builder", "type": "gnn_graph", "interval": "1m"}));
    }
    if random.u8(..4) == 0 {
        let mut training = json!({"target": "gnn-trainer", "type": "gnn_train", "interval": "1m"});
        if !has_graph {
            training["graph_collection"] = "earlier".into();
        }
        requests.push(training);
        if random.bool() {
            requests.push(json!({"target": "predictor", "type": "gnn_infer"}));
        }
    }
    if random.u8(..16) == 0 {
        let live = json!({"target": "predictor", "type": "realtime_gnn_infer", "interval": "1m", "model": "earlier"});
        requests.push(live);
    }
    if random.u8(..12) == 0 {
        requests.push(json!({"target": "loader-producer", "type": "ws_trades"}));
    }
    if random.u8(..4) == 0 {
        requests.push(json!({"target": "dummy-service", "type": "dummy"}));
    }
    let symbols = &["BTCUSDT", "ETHUSDT", "SOLUSDT"][..if random.u8(..4) == 0 { 3 } else { random.usize(1..=2) }];
    let to = NOW + if random.bool() { 20 * MINUTE } else { -random.i64(0..600) * MINUTE };
    // Trades are cut much shorter than klines, which keeps the number of tasks alike.
    let length = if loads & 2 == 0 { 40 * 24 * 60 } else { 10 * 60 };
    let range = TimeRange::new(to - random.i64(30..length) * MINUTE, to).expect("the range is not empty");
    let texts = [range.from(), range.to()].map(streamforge_events::rfc3339);
    (json!({"symbols": symbols, "time_range": texts.join("/"), "requests": requests}), range)
}

/// Some of what is asked for may be there from earlier runs.
fn preload(market: &mut Market, range: TimeRange, random: &mut Rng) {
    for series in 0..market.series.len() {
        if random.u8(..4) > 0 {
            continue;
        }
        let (from, to) = (range.from(), range.to().min(NOW - 10 * MINUTE));
        if to - from < 2 {
            continue;
        }
        let middle = random.i64(from + 1..to);
        let part = if random.bool() { TimeRange::new(from, middle) } else { TimeRange::new(middle, to) };
        let part = part.expect("the middle lies inside");
        let id = market.series[series].clone();
        market.stored.extend(market.records(series, part).into_iter().map(|time| (series, time)));
        market.mark_loaded(&id, part);
    }
}
