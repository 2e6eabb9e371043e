//! `GET /views/platform`: the functions with their replicas and their lag, now and in the last minutes.

use std::{collections::VecDeque, sync::Arc};

use futures::stream;
use serde_json::json;
use streamforge_events::Millis;
use streamforge_function::{
    api::{Problem, success},
    axum::{
        extract::State,
        http::{HeaderMap, StatusCode},
        response::{Response, sse::Event},
    },
};
use tokio::sync::watch;

use crate::{Samples, Views, follow::last_event_id, samples::Sample};

pub(crate) async fn show(State(views): State<Arc<Views>>) -> Result<Response, Problem> {
    let samples = samples(&views)?;
    let kept = samples.after(Millis::MIN);
    let data =
        json!({"functions": samples.functions(), "samples": kept.iter().map(AsRef::as_ref).collect::<Vec<&Sample>>()});
    Ok(success(StatusCode::OK, "functions, and samples of the last minutes", &data))
}

/// `GET /views/platform/events`: a sample a second; whoever comes back gets what is kept of the time between.
pub(crate) async fn events(State(views): State<Arc<Views>>, headers: HeaderMap) -> Result<Response, Problem> {
    let samples = samples(&views)?.clone();
    let newest = samples.newest();
    let after = last_event_id(&headers)?.unwrap_or_else(|| *newest.borrow());
    let watcher = Watcher { samples, newest, after, ready: VecDeque::new() };
    views.stream(stream::unfold(watcher, async |mut watcher| Some((watcher.next().await?, watcher))))
}

fn samples(views: &Views) -> Result<&Samples, Problem> {
    let message = "no samples are taken here, as `STREAMFORGE_PROMETHEUS_URL` is not set: look at the dashboards, or at \
                   `kubectl get scaledobjects,scaledjobs,pods -n streamforge`";
    let missing = || Problem::new(StatusCode::NOT_IMPLEMENTED, "no_samples_here", message);
    views.samples.as_ref().ok_or_else(missing)
}

/// One reader of the samples.
struct Watcher {
    samples: Samples,
    newest: watch::Receiver<Millis>,
    after: Millis,
    ready: VecDeque<Arc<Sample>>,
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(sample) = self.ready.pop_front() {
                self.after = sample.at;
                return Some(
                    Event::default().event("sample").id(sample.at.to_string()).data(json!(*sample).to_string()),
                );
            }
            self.newest.borrow_and_update();
            self.ready = self.samples.after(self.after);
            if self.ready.is_empty() {
                self.newest.changed().await.ok()?;
            }
        }
    }
}
