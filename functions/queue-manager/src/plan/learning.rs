//! What training and prediction are told: a graph, a model, bars.

use serde_json::{Map, Value, json};
use streamforge_events::{
    FieldError, InferenceRange, Interval, Millis, RequestEntry, RequestKind, TimeRange, WorkflowRequest,
    inference_range,
};

use super::{function, refusal, stage_name, subject};
use crate::made::Product;

const DAY: Millis = 86_400_000;

/// Which of a request's other parts a part of it builds on.
pub(super) struct Sources<'a> {
    /// The stage that builds its graph.
    graph: Option<&'a RequestEntry>,
    /// The stage that trains its model.
    training: Option<&'a RequestEntry>,
}

impl<'a> Sources<'a> {
    /// The graph that a training is told of comes from the same request unless the request names another one; so does
    /// the model of a prediction.
    pub(super) fn of(request: &'a WorkflowRequest, entry: &RequestEntry) -> Self {
        let part = |kind| {
            let mut parts = request.entries.iter().filter(|part| function(part).is_some());
            parts.find(|part| part.kind == kind)
        };
        let names_it = |own: Option<&Value>, made: Option<&Value>| own.is_none() || own == made;
        let graph = part(RequestKind::Graph).filter(|graph| {
            let own = entry.parameters.get("graph_collection");
            entry.kind == RequestKind::Train && names_it(own, graph.parameters.get("collection_output"))
        });
        let training = part(RequestKind::Train).filter(|training| {
            let name = Value::from(model_name(request, training));
            matches!(entry.kind, RequestKind::Infer | RequestKind::LiveInfer)
                && names_it(entry.parameters.get("model"), Some(&name))
        });
        Self { graph, training }
    }

    /// What the tasks are told once it is there. Who predicts live goes on with later versions of the model.
    pub(super) fn takes(&self, entry: &RequestEntry) -> Vec<Product> {
        let graph = self.graph.map(|_| Product::Graph);
        let is_bound = entry.kind == RequestKind::Infer && !entry.parameters.contains_key("version");
        let model = self.training.filter(|_| is_bound).map(|_| Product::Model);
        graph.into_iter().chain(model).collect()
    }

    /// The stages that have to end before, whatever else the request says about the order.
    pub(super) fn stages(&self) -> impl Iterator<Item = String> {
        let entries = self.graph.into_iter().chain(self.training);
        entries.filter_map(|entry| Some(stage_name(function(entry)?, entry)))
    }
}

/// What a part makes for those that build on it.
pub(super) fn makes(entry: &RequestEntry) -> Option<Product> {
    match entry.kind {
        RequestKind::Graph => Some(Product::Graph),
        RequestKind::Train => Some(Product::Model),
        _ => None,
    }
}

/// Adds to `parameters`, which hold the entry's own fields, what a training or a prediction is told.
pub(super) fn complete(
    request: &WorkflowRequest,
    entry: &RequestEntry,
    interval: Interval,
    range: TimeRange,
    field: &str,
    parameters: &mut Map<String, Value>,
) -> Result<(), FieldError> {
    let sources = Sources::of(request, entry);
    let missing = |name: &str, message: &str| refusal("missing_field", &format!("{field}.{name}"), message);
    let mut range = range;
    match entry.kind {
        RequestKind::Train => {
            if let Some(graph) = parameters.remove("graph_collection") {
                parameters.insert("graph".to_owned(), graph);
            } else if sources.graph.is_none() {
                let message = "a training without a graph in the same request must name one";
                return Err(missing("graph_collection", message));
            }
            parameters.remove("model_output");
            parameters.insert("model".to_owned(), model_name(request, entry).into());
        }
        RequestKind::Infer | RequestKind::LiveInfer => match (parameters.get("model"), sources.training) {
            (None, Some(training)) => {
                parameters.insert("model".to_owned(), model_name(request, training).into());
            }
            (None, None) => {
                let message = "a prediction without a training in the same request must name its model";
                return Err(missing("model", message));
            }
            (Some(_), _) => {}
        },
        _ => return Ok(()),
    }
    if entry.kind == RequestKind::Infer {
        range = match inference_range(&entry.parameters, field)? {
            InferenceRange::LastDay => last_day(interval, range),
            InferenceRange::Own(range) => range,
        };
        parameters.remove("range");
    }
    parameters.insert("symbols".to_owned(), json!(request.symbols));
    parameters.insert("interval".to_owned(), json!(interval));
    if entry.kind != RequestKind::LiveInfer {
        parameters.insert("from".to_owned(), range.from().into());
        parameters.insert("to".to_owned(), range.to().into());
    }
    Ok(())
}

/// What the request calls the model that the part trains, else `gnn_<symbol or multi>_<interval>`.
fn model_name(request: &WorkflowRequest, training: &RequestEntry) -> String {
    let own = training.parameters.get("model_output").and_then(Value::as_str);
    own.map_or_else(
        || {
            let interval = super::interval(request, training);
            let parts = ["gnn".to_owned(), subject(request)].into_iter().chain(interval.map(|it| it.to_string()));
            parts.collect::<Vec<_>>().join("_")
        },
        str::to_owned,
    )
}

/// The last day of a range, or its last bar where bars are longer.
fn last_day(interval: Interval, range: TimeRange) -> TimeRange {
    let bar = interval.previous_open(range.to());
    TimeRange::new((range.to() - DAY).min(bar).max(range.from()), range.to()).unwrap_or(range)
}
