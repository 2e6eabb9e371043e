//! How well a trained model did, as tables for people: the network among its baselines, the best first.

use serde_json::Value;
use streamforge_dataset::{Score, Scores};
use streamforge_events::Prediction;

use super::{
    exit::Outcome,
    output::{self},
};

/// Under which name the scores hold the trained network.
const NETWORK: &str = "network";

/// Prints the scores of a workflow; nothing if it has none that can be read.
pub(super) fn print(scores: Option<&Value>) -> Outcome {
    for line in lines(scores) {
        output::line(&line)?;
    }
    Ok(())
}

/// Prints what is predicted after the last bar of each symbol.
pub(super) fn print_predictions(predictions: &[Prediction]) -> Outcome {
    if predictions.is_empty() {
        return Ok(());
    }
    output::line("\npredicted after the last bar")?;
    let row = |prediction: &Prediction| {
        let Prediction { symbol, open_time, horizon, volatility, .. } = prediction;
        let shares = prediction.probabilities.array().map(|share| format!("{share:.3}"));
        let texts = [symbol.to_string(), streamforge_events::rfc3339(*open_time), horizon.to_string()];
        let health = prediction.health.map(|health| health.grade.as_str().to_owned()).unwrap_or_default();
        texts.into_iter().chain([format!("{volatility:.6}")]).chain(shares).chain([health]).collect()
    };
    let rows: Vec<Vec<String>> = predictions.iter().map(row).collect();
    let names = ["symbol", "bar", "bars ahead", "volatility", "down", "sideways", "up", "data"];
    Ok(output::table(&names, &[2, 3, 4, 5, 6], &rows)?)
}

fn lines(scores: Option<&Value>) -> Vec<String> {
    let Some(scores) = scores.and_then(|scores| serde_json::from_value::<Scores>(scores.clone()).ok()) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if !scores.volatility.is_empty() {
        lines.push("\nvolatility: mean squared error of its logarithm, less is better".to_owned());
        lines.push(table(scores.volatility.iter().collect(), |left, right| left.mean.total_cmp(&right.mean)));
        lines.push(sentence(&scores.verdict_on_volatility(NETWORK).words));
    }
    if !scores.direction.is_empty() {
        lines.push("\ndirection: share of right ones, more is better".to_owned());
        lines.push(table(scores.direction.iter().collect(), |left, right| right.mean.total_cmp(&left.mean)));
        lines.push(sentence(&scores.verdict_on_direction(NETWORK).words));
    }
    lines
}

fn table(mut scores: Vec<(&String, &Score)>, order: fn(&Score, &Score) -> std::cmp::Ordering) -> String {
    scores.sort_by(|(_, left), (_, right)| order(left, right));
    let number = |value: f64| format!("{value:.4}");
    let row = |(name, score): (&String, &Score)| {
        let windows: Vec<String> = score.windows.iter().map(|value| number(*value)).collect();
        vec![name.clone(), number(score.mean), number(score.spread), windows.join(" ")]
    };
    let rows: Vec<Vec<String>> = scores.into_iter().map(row).collect();
    let text = output::layout(&["model", "mean", "spread", "tests"], &[1, 2], &rows);
    text.trim_end().to_owned()
}

/// What a verdict says, as a sentence about the network.
fn sentence(words: &str) -> String {
    let words = words.replacen(&format!("`{NETWORK}`"), "The network", 1);
    format!("{words}.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_best_comes_first_and_a_network_that_is_beaten_says_so() {
        let score = |mean: f64| json!({"mean": mean, "spread": 0.01, "windows": [mean, mean]});
        let scores = json!({
            "volatility": {"network": score(0.3), "HAR": score(0.2), "last value": score(0.4)},
            "volatility_qlike": {}, "direction_log_loss": {},
            "direction": {"network": score(0.5), "majority class": score(0.4)},
        });
        let lines = lines(Some(&scores));
        let order: Vec<&str> = lines[1].lines().skip(1).filter_map(|row| row.split_whitespace().next()).collect();
        assert_eq!(order, ["HAR", "network", "last"], "{}", lines[1]);
        assert_eq!(lines[2], "The network predicts the volatility better than last value, but no better than HAR.");
        let order: Vec<&str> = lines[4].lines().skip(1).filter_map(|row| row.split_whitespace().next()).collect();
        assert_eq!(order, ["network", "majority"], "{}", lines[4]);
        assert_eq!(lines[5], "The network predicts the direction better than majority class.");
    }

    #[test]
    fn what_is_not_there_is_not_printed() {
        assert!(lines(None).is_empty() && super::lines(Some(&json!("none"))).is_empty());
    }
}
