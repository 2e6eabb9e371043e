//! Adam with decoupled weight decay over one flat vector, with a state that can be written down.

use tch::Tensor;

/// Decay of the two moments, and what keeps the quotient finite; the values of the paper.
const FIRST: f64 = 0.9;
const SECOND: f64 = 0.999;
const TINY: f64 = 1e-8;

/// The moments of the gradient.
///
/// # Source
/// D. P. Kingma, J. Ba, "Adam" (2015), <https://arxiv.org/abs/1412.6980>; decay as in I. Loshchilov, F. Hutter,
/// "Decoupled weight decay regularization" (2019), <https://arxiv.org/abs/1711.05101>
#[derive(Debug)]
pub(crate) struct Adam {
    pub(crate) first: Tensor,
    pub(crate) second: Tensor,
    pub(crate) steps: i32,
}

impl Adam {
    pub(crate) fn new(weights: &Tensor) -> Self {
        Self { first: weights.zeros_like(), second: weights.zeros_like(), steps: 0 }
    }

    /// Moves the weights against the gradient, whose norm counts as `longest` at most.
    pub(crate) fn step(&mut self, weights: &mut Tensor, gradient: &Tensor, rate: f64, decay: f64, longest: f64) {
        // Left on the device: asking for the norm here would wait for all that a GPU has still to do.
        let gradient = gradient * (longest * gradient.norm().reciprocal()).clamp_max(1.0);
        self.steps += 1;
        let _ = self.first.lerp_(&gradient, 1.0 - FIRST);
        let _ = self.second.lerp_(&gradient.square(), 1.0 - SECOND);
        let (first, second) = (1.0 - FIRST.powi(self.steps), 1.0 - SECOND.powi(self.steps));
        tch::no_grad(|| {
            let root = self.second.sqrt() / second.sqrt() + TINY;
            let _ = weights.g_mul_scalar_(1.0 - rate * decay);
            let _ = weights.g_sub_(&(&self.first / root * (rate / first)));
        });
    }
}
