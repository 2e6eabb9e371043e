//! What a dummy is told to do, and what follows from it at each step.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// What a dummy does with a start command; nothing given means "start and finish".
///
/// It comes as the command's `parameters`, or as JSON in `STREAMFORGE_DUMMY_BEHAVIOUR` for commands without:
/// `{"simulate_loading": {"steps": 10, "step_ms": 200}, "fail_after": 3}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Reports `loading` step by step.
    pub simulate_loading: Option<Loading>,
    /// Reports `error` after this many steps.
    pub fail_after: Option<u32>,
    /// Ends the process, as a crash would, after this many steps.
    pub exit_after: Option<u32>,
    /// Ends the process when a ping arrives.
    pub exit_on_ping: bool,
    /// Answers one event of so many with "unavailable", as a bad version would, so that it comes again; a process counts
    /// all its events, so only the environment can say this.
    pub refuse_every: Option<NonZeroU64>,
    /// Reports nothing at all.
    pub noop: bool,
    /// Logs each step at info.
    pub debug: bool,
}

/// A load that is only pretended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Loading {
    /// How many steps it has, at most [`Loading::MOST_STEPS`].
    pub steps: u32,
    /// How long each step takes, in milliseconds.
    pub step_ms: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// One more step.
    Load,
    /// Report `finished`.
    Finish,
    /// Report `error`.
    Fail,
    /// End the process.
    Exit,
}

impl Loading {
    /// More steps than anybody watches.
    pub const MOST_STEPS: u32 = 10_000;
}

impl Default for Loading {
    fn default() -> Self {
        Self { steps: 10, step_ms: 200 }
    }
}

impl Behaviour {
    /// Number and length of the steps: those of the simulated load, else as many as lead to the failure or exit.
    #[must_use]
    pub fn loading(&self) -> Loading {
        let mut loading = self
            .simulate_loading
            .unwrap_or(Loading { steps: self.fail_after.max(self.exit_after).unwrap_or(0), ..Loading::default() });
        loading.steps = loading.steps.min(Loading::MOST_STEPS);
        loading
    }

    /// What comes after `done` steps.
    #[must_use]
    pub fn next(&self, done: u32) -> Next {
        if self.exit_after == Some(done) {
            return Next::Exit;
        }
        if self.fail_after == Some(done) {
            return Next::Fail;
        }
        if done < self.loading().steps { Next::Load } else { Next::Finish }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Vec<Next> {
        let behaviour: Behaviour = serde_json::from_str(json).unwrap();
        let mut course = Vec::new();
        loop {
            let next = behaviour.next(u32::try_from(course.len()).unwrap());
            course.push(next);
            if next != Next::Load {
                return course;
            }
        }
    }

    #[test]
    fn each_behaviour_takes_its_course() {
        use Next::{Exit, Fail, Finish, Load};
        let cases: [(&str, &[Next]); 6] = [
            ("{}", &[Finish]),
            (r#"{"simulate_loading": {"steps": 2}}"#, &[Load, Load, Finish]),
            (r#"{"simulate_loading": {"steps": 3}, "fail_after": 1}"#, &[Load, Fail]),
            (r#"{"fail_after": 2}"#, &[Load, Load, Fail]),
            (r#"{"exit_after": 0}"#, &[Exit]),
            (r#"{"simulate_loading": {"steps": 1}, "fail_after": 5}"#, &[Load, Finish]),
        ];
        for (json, course) in cases {
            assert_eq!(told(json), course, "{json}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<Behaviour>(r#"{"fail": 1}"#).is_err());
    }
}
