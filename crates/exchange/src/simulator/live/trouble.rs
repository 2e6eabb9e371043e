//! Which failures a connection and its frames meet, from the seed alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::simulator::{
    fault_engine::FaultEngine,
    faults::Faults,
    synthetic::hash::{mix, unit},
};

/// Purposes of draws, so that none is used twice.
const FRAME: u64 = 101;
const FORGED: u64 = 102;
const HANDSHAKE: u64 = 103;
const KIND: u64 = 104;
const PLAIN: u64 = 105;

/// Frames that cannot be.
const GARBAGE: [&str; 8] = [
    "<html><body>502 Bad Gateway</body></html>",
    "",
    "{\"stream\":\"btcusdt@aggTrade\",\"data\":",
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":"now","s":7,"a":"x","p":1,"q":2,"T":null,"m":1}}"#,
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1,"s":"BTCUSDT","a":1,"p":"0","q":"0","f":-1,"l":-1,"T":1,"m":true,"M":true}}"#,
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1,"s":"BTCUSDT","a":2,"p":"1e30","q":"1","f":1,"l":1,"T":1,"m":true,"M":true}}"#,
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":9,"u":2,"b":[],"a":[]}}"#,
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":9,"u":12,"b":[["0","1e30"]],"a":[]}}"#,
];

/// What happens to a frame that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameFault {
    /// It is swallowed.
    Drop,
    /// It is sent twice.
    Repeat,
    /// It is sent after the next one.
    Swap,
    /// The connection ends before it.
    Cut,
    /// The connection ends in the middle of it.
    Half,
    /// Its stream sends nothing any more on this connection.
    Mute,
    /// The connection stays and says nothing any more, not even an answer to a ping.
    Silence,
    /// The exchange closes the connection with this code.
    Close(u16),
    /// Something else is sent in its place.
    Garbage(&'static str),
    /// It and all that follow come together after a pause.
    Burst(Duration),
}

/// The draws of one connection.
#[derive(Debug)]
pub(super) struct Trouble {
    seed: u64,
    frames: u64,
    forged: u64,
    faults: Faults,
    /// Failures that are left for all connections.
    left: Arc<AtomicU64>,
}

impl FaultEngine {
    /// The failures of a new connection.
    pub(super) fn of_connection(&self) -> Trouble {
        let faults = self.faults.clone();
        let seed = mix(mix(faults.seed, HANDSHAKE), self.next_connection());
        Trouble { seed, frames: 0, forged: 0, faults, left: Arc::clone(&self.stream_failures) }
    }
}

impl Trouble {
    /// Whether the handshake is answered with a page.
    pub(super) fn is_html(&self) -> bool {
        unit(mix(self.seed, HANDSHAKE)) < self.faults.ws_html && self.spend()
    }

    /// Whether frames stay plain, though the client offers to inflate them; no failure.
    pub(super) fn is_plain(&self) -> bool {
        unit(mix(self.seed, PLAIN)) < self.faults.ws_plain
    }

    /// Takes one of the failures that are left; false if there is none.
    fn spend(&self) -> bool {
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// How long the connection lives.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.faults.ws_lifetime
    }

    /// Whether a frame is swallowed in such a way that the ids of the next one do not show it.
    pub(super) fn forges(&mut self) -> bool {
        self.forged += 1;
        let forges =
            self.faults.ws_forge > 0.0 && unit(mix(mix(self.seed, FORGED), self.forged)) < self.faults.ws_forge;
        forges && self.spend()
    }

    /// What the next frame meets, if anything.
    pub(super) fn of_frame(&mut self) -> Option<FrameFault> {
        self.frames += 1;
        let faults = &self.faults;
        let draw = mix(mix(self.seed, FRAME), self.frames);
        let kind = mix(draw, KIND);
        let close = [1001, 1006, 1008, 1011, 1012][usize::try_from(kind % 5).unwrap_or(0)];
        let garbage = GARBAGE[usize::try_from(kind % 8).unwrap_or(0)];
        let mut at = unit(draw);
        for (share, fault) in [
            (faults.ws_drop, FrameFault::Drop),
            (faults.ws_repeat, FrameFault::Repeat),
            (faults.ws_swap, FrameFault::Swap),
            (faults.ws_cut, FrameFault::Cut),
            (faults.ws_half, FrameFault::Half),
            (faults.ws_mute, FrameFault::Mute),
            (faults.ws_silence, FrameFault::Silence),
            (faults.ws_close, FrameFault::Close(close)),
            (faults.ws_garbage, FrameFault::Garbage(garbage)),
            (faults.ws_burst, FrameFault::Burst(Duration::from_millis(200 + kind % 1_800))),
        ] {
            if at < share {
                return self.spend().then_some(fault);
            }
            at -= share;
        }
        None
    }
}
