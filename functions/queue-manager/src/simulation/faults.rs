//! What goes wrong in one simulated run, and how often; everything heals after a while.

use fastrand::Rng;
use streamforge_events::Millis;

/// Rates in thousandths; each run has its own.
#[derive(Debug)]
pub(super) struct Faults {
    /// An event never arrives.
    pub(super) loss: u32,
    /// An event arrives twice.
    pub(super) doubling: u32,
    /// An event arrives minutes or hours later than the others.
    pub(super) lateness: u32,
    /// A handler of the engine dies before its next step.
    pub(super) crash: u32,
    /// The work is done and the answer gets lost.
    pub(super) lost_answer: u32,
    /// A worker does not do what it should.
    pub(super) bad_worker: u32,
    /// A batch cannot be stored.
    pub(super) refusal: u32,
    /// How long things go wrong.
    pub(super) heal_after: Millis,
    /// When the platform is restarted.
    pub(super) restarts: Vec<Millis>,
    /// When the user stops the workflow.
    pub(super) stops: Vec<Millis>,
}

impl Faults {
    /// The faults of a run: some runs have none of a kind, some have many.
    pub(super) fn draw(random: &mut Rng) -> Self {
        let heal_after = random.i64(1..40 * 60_000);
        let mut moments = |chance: f64, most: usize| {
            let count = if random.f64() < chance { random.usize(1..=most) } else { 0 };
            let latest = random.i64(1_000..900_000).min(heal_after);
            (0..count).map(|_| random.i64(0..latest)).collect::<Vec<_>>()
        };
        let (restarts, stops) = (moments(0.3, 3), moments(0.2, 2));
        let mut rate = |most: u32| if random.u8(..3) == 0 { 0 } else { random.u32(0..most) };
        Self {
            loss: rate(100),
            doubling: rate(400),
            lateness: rate(100),
            crash: rate(100),
            lost_answer: rate(200),
            bad_worker: rate(500),
            refusal: if rate(10) > 8 { 30 } else { 0 },
            heal_after,
            restarts,
            stops,
        }
    }
}

/// How a worker takes its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// It does what it is told.
    Honest,
    /// It dies before this step, without a word.
    Dies(u32),
    /// It falls silent before this step, for so long that its task is given to another, and goes on.
    Pauses(u32, Millis),
    /// It withholds a batch, reports `finished` with it, then `error`.
    Withholds(u32),
    /// It announces a batch that does not exist.
    Boasts,
    /// It reports `finished` without saying what it loaded, then `error`.
    Mumbles,
    /// It reports an error before this step.
    Fails { step: u32, is_final: bool },
    /// It is told to end before this step.
    Interrupted(u32),
}

impl Temper {
    pub(super) fn draw(random: &mut Rng) -> Self {
        let step = random.u32(..6);
        match random.u8(..16) {
            0..=3 => Self::Dies(step),
            4..=7 => Self::Pauses(step, random.i64(30_000..600_000)),
            8..=9 => Self::Withholds(random.u32(..3)),
            10 => Self::Boasts,
            11 => Self::Mumbles,
            12..=13 => Self::Fails { step, is_final: false },
            14 => Self::Interrupted(step),
            _ => Self::Fails { step, is_final: random.u8(..8) == 0 },
        }
    }
}
