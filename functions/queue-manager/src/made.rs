//! What tasks have made for the stages after them and for the user: a graph, a model and its scores.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use streamforge_events::{ModelName, ModelVersion};

use crate::document::Workflow;

/// A version of a model that the workflow has trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedModel {
    /// The model.
    pub name: ModelName,
    /// Its version.
    pub version: ModelVersion,
}

/// Something that an earlier stage makes and a later one has to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// The id of the graph.
    Graph,
    /// Name and version of the model.
    Model,
}

/// What a finished task has made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The graph that it built.
    pub graph: Option<String>,
    /// The model that it trained.
    pub model: Option<TrainedModel>,
    /// How well the model and its baselines did.
    pub scores: Option<Value>,
}

impl Made {
    /// Reads `{"graph": "g"}` or `{"model": {"name": "m", "version": "1"}, "scores": {}}`; other fields are not its.
    ///
    /// # Errors
    /// Words for the user, if the model has a name or a version that none can have.
    pub fn read(extra: Option<&Value>) -> Result<Self, String> {
        let field = |name: &str| extra.and_then(|extra| extra.get(name)).filter(|value| !value.is_null());
        let model = field("model").map(TrainedModel::deserialize).transpose();
        Ok(Self {
            graph: field("graph").and_then(Value::as_str).map(str::to_owned),
            model: model.map_err(|error| format!("the trained model cannot be one: {error}"))?,
            scores: field("scores").cloned(),
        })
    }

    /// What the task of a stage that makes `product` should have said and did not.
    pub(crate) fn lacks(&self, product: Option<Product>) -> Option<&'static str> {
        match product {
            Some(Product::Graph) if self.graph.is_none() => Some("the worker does not say which graph it made"),
            Some(Product::Model) if self.model.is_none() => Some("the worker does not say which model it made"),
            _ => None,
        }
    }
}

impl Workflow {
    /// Keeps what a task has made.
    pub(crate) fn keep(&mut self, made: Made) {
        self.graph = made.graph.or(self.graph.take());
        self.model = made.model.or(self.model.take());
        self.scores = made.scores.or(self.scores.take());
    }

    /// Tells the parameters of a task what earlier stages have made.
    pub(crate) fn tell(&self, product: Product, parameters: &mut Map<String, Value>) {
        match (product, &self.graph, &self.model) {
            (Product::Graph, Some(graph), _) => {
                parameters.insert("graph".to_owned(), graph.as_str().into());
            }
            (Product::Model, _, Some(model)) => {
                parameters.insert("model".to_owned(), model.name.as_str().into());
                parameters.insert("version".to_owned(), model.version.as_str().into());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_graph_or_a_model_is_read_from_a_report_and_a_bad_name_is_told() {
        let made = Made::read(Some(&json!({"graph": "g", "nodes": 3}))).unwrap();
        assert_eq!(made, Made { graph: Some("g".to_owned()), ..Made::default() });
        assert!(made.lacks(Some(Product::Model)).is_some() && made.lacks(Some(Product::Graph)).is_none());
        let scores = json!({"volatility": {}});
        let extra = json!({"model": {"name": "gnn", "version": "1"}, "scores": scores});
        let made = Made::read(Some(&extra)).unwrap();
        let model = TrainedModel { name: "gnn".parse().unwrap(), version: "1".parse().unwrap() };
        assert_eq!((made.model.as_ref(), made.scores.as_ref()), (Some(&model), Some(&scores)));
        assert_eq!((made.lacks(Some(Product::Model)), Made::read(None)), (None, Ok(Made::default())));
        for model in [json!({"name": "../x", "version": "1"}), json!({"name": "gnn"}), json!("gnn")] {
            let words = Made::read(Some(&json!({"model": model}))).unwrap_err();
            assert!(words.contains("the trained model cannot be one"), "{words}");
        }
    }
}
