//! The weights of a network: one flat vector with a name and a shape for each part.
//!
//! One vector makes the optimiser a handful of operations and a checkpoint a copy.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Kind, Tensor};

/// A named part of the vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) shape: Vec<i64>,
    pub(crate) start: Start,
}

/// How a part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Zero,
    One,
    /// Uniform between plus and minus one over the square root of the number of inputs.
    Inputs(usize),
}

impl Part {
    pub(crate) fn len(&self) -> i64 {
        self.shape.iter().product()
    }
}

/// All weights of a network.
#[derive(Debug)]
pub struct Weights {
    pub(crate) parts: Vec<Part>,
    pub(crate) flat: Tensor,
}

/// Why bytes are not the weights of a network.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file.
    #[error("the weights cannot be read: {0}")]
    Format(String),
    /// A part is missing or has another shape.
    #[error("the weights do not fit: {0}")]
    Shape(String),
}

impl Weights {
    /// Start values that follow from the seed alone.
    pub(crate) fn start(parts: Vec<Part>, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut values: Vec<f32> = Vec::new();
        for part in &parts {
            let mut next = || match part.start {
                Start::Zero => 0.0,
                Start::One => 1.0,
                #[expect(clippy::cast_precision_loss, reason = "layers are narrow")]
                Start::Inputs(inputs) => (random.f32() * 2.0 - 1.0) / (inputs as f32).sqrt(),
            };
            values.extend((0..part.len()).map(|_| next()));
        }
        Self { parts, flat: Tensor::from_slice(&values) }
    }

    /// The parts as tensors of their shapes, which share the vector's memory.
    pub(crate) fn views(&self) -> Vec<Tensor> {
        let sizes: Vec<i64> = self.parts.iter().map(Part::len).collect();
        let views = self.flat.split_with_sizes(&sizes[..], 0);
        views.iter().zip(&self.parts).map(|(view, part)| view.view(&part.shape[..])).collect()
    }

    /// The same, each of which can be asked for its gradient.
    pub(crate) fn leaves(&self) -> Vec<Tensor> {
        self.views().iter().map(|view| view.detach().set_requires_grad(true)).collect()
    }

    /// Name, shape and values of each part.
    #[must_use]
    pub fn named(&self) -> Vec<(&str, &[i64], Vec<f32>)> {
        let values = values(&self.flat);
        let mut rest = &values[..];
        let mut named = Vec::new();
        for part in &self.parts {
            let (own, behind) = rest.split_at(usize::try_from(part.len()).unwrap_or_default());
            named.push((part.name.as_str(), &part.shape[..], own.to_vec()));
            rest = behind;
        }
        named
    }

    /// Whether all of them are numbers.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        values(&self.flat).iter().all(|value| value.is_finite())
    }

    /// The weights as a safetensors file.
    ///
    /// # Errors
    /// [`WeightsError::Format`] if they cannot be written.
    ///
    /// # Source
    /// <https://github.com/huggingface/safetensors#format>
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        let named: Vec<(&str, Vec<usize>, Vec<u8>)> = self
            .named()
            .into_iter()
            .map(|(name, shape, values)| {
                let shape = shape.iter().filter_map(|size| usize::try_from(*size).ok()).collect();
                (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .collect();
        let format = |error: safetensors::SafeTensorError| WeightsError::Format(error.to_string());
        let mut views = Vec::new();
        for (name, shape, bytes) in &named {
            views.push((*name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(format)?));
        }
        safetensors::serialize(views, &None).map_err(format)
    }

    /// Takes over the values of a safetensors file of the same parts.
    ///
    /// # Errors
    /// [`WeightsError`] if the file is damaged or of another network; then nothing is changed.
    pub fn read_safetensors(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| WeightsError::Format(error.to_string()))?;
        let mut flat: Vec<u8> = Vec::new();
        for part in &self.parts {
            let view = file.tensor(&part.name).map_err(|error| WeightsError::Shape(error.to_string()))?;
            let shape: Vec<i64> = view.shape().iter().filter_map(|size| i64::try_from(*size).ok()).collect();
            if shape != part.shape || view.dtype() != Dtype::F32 {
                return Err(WeightsError::Shape(format!("`{}` is {shape:?}, wanted is {:?}", part.name, part.shape)));
            }
            flat.extend_from_slice(view.data());
        }
        let values: Vec<f32> = flat.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(WeightsError::Shape(format!("value {place} is not finite")));
        }
        tch::no_grad(|| self.flat.copy_(&Tensor::from_slice(&values)));
        Ok(())
    }
}

/// The values of a tensor of floats in row-major order, from whichever device.
pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
    Vec::try_from(&flat).expect("a flat tensor of floats on the CPU is a vector")
}
