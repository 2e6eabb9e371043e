//! A network in ONNX Runtime: raw features in, volatility and direction out.

use std::sync::{Mutex, PoisonError};

use ort::{
    session::Session,
    value::{Outlet, Tensor, TensorElementType, ValueType},
};

use crate::Runtime;

/// A network, open.
pub(crate) struct Network {
    session: Mutex<Session>,
    size: Size,
}

/// Lengths of the axes behind the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) lags: usize,
    pub(crate) symbols: usize,
    pub(crate) features: usize,
}

/// What a network reads.
///
/// # Shape
/// `features` is rows × lags × symbols × features, the newest bar first, and `present` rows × lags × symbols, 1 or 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inputs {
    pub(crate) rows: usize,
    pub(crate) features: Vec<f32>,
    pub(crate) present: Vec<f32>,
}

/// What a network says.
///
/// # Shape
/// `volatility` is rows × symbols, a logarithm, and `direction` rows × symbols × 3.
pub(crate) struct Outputs {
    pub(crate) volatility: Vec<f32>,
    pub(crate) direction: Vec<f32>,
}

impl Network {
    /// Opens a network that reads and writes tensors of this size.
    ///
    /// # Errors
    /// The library's, or what is wrong with the network.
    pub(crate) fn open(runtime: &Runtime, onnx: &[u8], size: Size) -> Result<Self, crate::Error> {
        let session = runtime.open(onnx)?;
        let Size { lags, symbols, features } = size;
        let faults = [
            fault(session.inputs(), "features", &[lags, symbols, features]),
            fault(session.inputs(), "present", &[lags, symbols]),
            fault(session.outputs(), "volatility", &[symbols]),
            fault(session.outputs(), "direction", &[symbols, 3]),
        ];
        match faults.into_iter().flatten().next() {
            Some(reason) => Err(crate::Error::Network(reason)),
            None => Ok(Self { session: Mutex::new(session), size }),
        }
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Asks the network; blocks for as long as it computes.
    ///
    /// # Errors
    /// What the runtime says.
    pub(crate) fn run(&self, inputs: Inputs) -> Result<Outputs, String> {
        self.compute(inputs).map_err(|error| format!("ONNX Runtime failed: {error}"))
    }

    fn compute(&self, inputs: Inputs) -> ort::Result<Outputs> {
        let Inputs { rows, features, present } = inputs;
        let Size { lags, symbols, features: width } = self.size;
        let features = Tensor::from_array(([rows, lags, symbols, width], features))?;
        let present = Tensor::from_array(([rows, lags, symbols], present))?;
        // A session has no state that a panic could leave half changed.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(ort::inputs!["features" => features, "present" => present])?;
        let floats =
            |name: &str| -> ort::Result<Vec<f32>> { Ok(outputs[name].try_extract_tensor::<f32>()?.1.to_vec()) };
        Ok(Outputs { volatility: floats("volatility")?, direction: floats("direction")? })
    }
}

/// What is wrong with one of the network's tensors.
fn fault(outlets: &[Outlet], name: &str, sizes: &[usize]) -> Option<String> {
    let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == name) else {
        return Some(format!("the network has no tensor `{name}`"));
    };
    let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = outlet.dtype() else {
        return Some(format!("`{name}` of the network is no tensor of 32-bit floats"));
    };
    // A network that leaves a length open takes any.
    let fits = |(found, wanted): (&i64, &usize)| *found < 0 || usize::try_from(*found) == Ok(*wanted);
    let is_sound = shape.len() == sizes.len() + 1 && shape[0] < 0 && shape[1..].iter().zip(sizes).all(fits);
    (!is_sound).then(|| {
        format!("`{name}` of the network has the shape {:?}, its card asks for any number × {sizes:?}", &shape[..])
    })
}
