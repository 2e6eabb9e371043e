//! Collects the operators and constants of a model, and names what lies between them.

use std::collections::BTreeMap;

use super::message::{Attribute, Constant, Graph, Node, ValueInfo};

/// A model's graph as it grows.
#[derive(Default)]
pub(super) struct Operators {
    nodes: Vec<Node>,
    constants: BTreeMap<String, Constant>,
}

impl Operators {
    /// Adds an operator and answers the name of its result.
    pub(super) fn apply(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = format!("{}_{}", operator.to_lowercase(), self.nodes.len());
        self.name(operator, inputs, attributes, &output);
        output
    }

    /// Adds an operator whose result has a name already.
    pub(super) fn name(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute], output: &str) {
        self.push(operator, inputs, attributes, vec![output.to_owned()]);
    }

    /// Adds a recurrent unit and answers the name of its last state.
    pub(super) fn recurrent(&mut self, inputs: &[&str], attributes: &[Attribute]) -> String {
        let last = format!("gru_{}", self.nodes.len());
        // The first output, all states, has no reader and so no name.
        self.push("GRU", inputs, attributes, vec![String::new(), last.clone()]);
        last
    }

    /// `state · weightᵀ + bias`, as libtorch's linear layer.
    pub(super) fn linear(&mut self, state: &str, weight: &str, bias: Option<&str>) -> String {
        let product = self.apply("MatMul", &[state, &transposed(weight)], &[]);
        match bias {
            Some(bias) => self.apply("Add", &[&product, bias], &[]),
            None => product,
        }
    }

    /// Adds a part of the weights: as it is, and transposed if a linear layer may want it.
    pub(super) fn weights(&mut self, name: &str, shape: &[i64], values: &[f32]) {
        self.floats(name, shape, values);
        if let [rows, columns] = *shape {
            let (height, width) = (usize::try_from(rows).unwrap_or(0), usize::try_from(columns).unwrap_or(0));
            let turned: Vec<f32> =
                (0..width).flat_map(|column| (0..height).map(move |row| values[row * width + column])).collect();
            self.floats(&transposed(name), &[columns, rows], &turned);
        }
    }

    pub(super) fn floats(&mut self, name: &str, shape: &[i64], values: &[f32]) {
        self.constants.insert(name.to_owned(), Constant::floats(name, shape, values));
    }

    pub(super) fn scalar(&mut self, name: &str, value: f32) {
        self.floats(name, &[], &[value]);
    }

    pub(super) fn ints(&mut self, name: &str, values: &[i64]) {
        self.constants.insert(name.to_owned(), Constant::ints(name, values));
    }

    /// A single index, which takes its axis away.
    pub(super) fn index(&mut self, name: &str, value: i64) {
        let constant = Constant { dims: Vec::new(), ..Constant::ints(name, &[value]) };
        self.constants.insert(name.to_owned(), constant);
    }

    /// The graph, with those constants alone that something reads.
    pub(super) fn graph(self, input: Vec<ValueInfo>, output: Vec<ValueInfo>) -> Graph {
        let is_read = |name: &str| self.nodes.iter().any(|node| node.input.iter().any(|input| input == name));
        let initializer = self.constants.values().filter(|constant| is_read(&constant.name)).cloned().collect();
        Graph { name: "streamforge".to_owned(), initializer, input, output, node: self.nodes }
    }

    fn push(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute], output: Vec<String>) {
        self.nodes.push(Node {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            name: format!("{operator}_{}", self.nodes.len()),
            op_type: operator.to_owned(),
            attribute: attributes.to_vec(),
            output,
        });
    }
}

fn transposed(weight: &str) -> String {
    format!("{weight}.transposed")
}
