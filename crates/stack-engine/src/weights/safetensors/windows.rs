//! Which layers see only a window, as configurations say it.

use super::super::LoadError;
use super::config::Config;
use super::family::{Family, WindowSettings};
use super::keys::{self, BLOCKS_MAX, Keys};

/// Sets the size of windows and a flag for each layer, if any layer has one.
pub(super) fn set(keys: &mut Keys, family: &Family, config: &Config<'_>) -> Result<(), LoadError> {
    let Some((size, windowed)) = windows(family, config)? else { return Ok(()) };
    if windowed.contains(&true) {
        keys.integer("attention.sliding_window", Some(size));
        keys.window_pattern(windowed.into_iter().map(i64::from).collect());
    } else {
        keys.integer("attention.sliding_window", Some(0));
    }
    Ok(())
}

fn windows(family: &Family, config: &Config<'_>) -> Result<Option<(usize, Vec<bool>)>, LoadError> {
    if family.windows == WindowSettings::None {
        kinds(config, None)?;
        return Ok(None);
    }
    let layers = keys::blocks(config)?.min(BLOCKS_MAX);
    let all_but_each =
        |period: usize| (1..=layers).map(|n| period == 0 || !n.is_multiple_of(period)).collect();
    let said = config.integer(&["sliding_window"])?;
    let is_null = config.is_null("sliding_window");
    let period = |default: usize| -> Result<usize, LoadError> {
        match config.integer(&["sliding_window_pattern", "_sliding_window_pattern"])? {
            Some(0) => Err(LoadError::new("config.json, sliding_window_pattern", "is zero")),
            period => Ok(period.unwrap_or(default)),
        }
    };
    let (size, windowed): (Option<usize>, Vec<bool>) = match family.windows {
        WindowSettings::None => return Ok(None),
        WindowSettings::All(default) => (said.or(default.filter(|_| !is_null)), vec![true; layers]),
        WindowSettings::Pattern { period: default, size } => {
            (said.or((!is_null).then_some(size)), all_but_each(period(default)?))
        }
        WindowSettings::PatternIfSet { period: default } => {
            (said, all_but_each(exaone_period(config, default)?))
        }
        WindowSettings::Upper => {
            let from = config.integer(&["max_window_layers"])?.unwrap_or(28);
            (flagged(config, said)?, (0..layers).map(|layer| layer >= from).collect())
        }
        WindowSettings::Flagged => {
            // Some write it beside the switch that is off.
            config.excuse(&["max_window_layers"]);
            (flagged(config, said)?, vec![true; layers])
        }
        WindowSettings::Unrotated => {
            config.excuse(&["max_window_layers"]);
            (flagged(config, said)?, (1..=layers).map(|n| n.is_multiple_of(4)).collect())
        }
    };
    let windowed = kinds(config, size.map(|_| layers))?.unwrap_or(windowed);
    match size {
        None => Ok(None),
        Some(0) => Err(LoadError::new("config.json, sliding_window", "is zero")),
        Some(size) => Ok(Some((size, windowed))),
    }
}

/// The size of windows, unless a switch is off.
fn flagged(config: &Config<'_>, size: Option<usize>) -> Result<Option<usize>, LoadError> {
    let is_on = config.boolean(&["use_sliding_window"])?.unwrap_or(false);
    Ok(if is_on { size.or(Some(4096)) } else { None })
}

/// A number, or letters such as LLLG: three local layers before a global one.
fn exaone_period(config: &Config<'_>, default: usize) -> Result<usize, LoadError> {
    match config.value(&["sliding_window_pattern"]) {
        Some((_, serde_json::Value::String(letters))) => {
            let is_known =
                letters.ends_with('G') && letters[..letters.len() - 1].bytes().all(|byte| byte == b'L');
            let problem =
                || LoadError::new("config.json, sliding_window_pattern", "is not letters L before one G");
            is_known.then_some(letters.len()).ok_or_else(problem)
        }
        _ => Ok(config.integer(&["sliding_window_pattern"])?.unwrap_or(default)),
    }
}

/// Whether each layer has a window, if the configuration lists their kinds. Without windows, none may have one.
fn kinds(config: &Config<'_>, layers: Option<usize>) -> Result<Option<Vec<bool>>, LoadError> {
    let Some(kinds) = config.texts(&["layer_types"])? else { return Ok(None) };
    let wrong = |problem: String| LoadError::new("config.json, layer_types", problem);
    if let Some(layers) = layers.filter(|&layers| layers != kinds.len()) {
        return Err(wrong(format!("has {} kinds for {layers} layers", kinds.len())));
    }
    let is_windowed = |kind: &&str| match *kind {
        "full_attention" => Ok(false),
        "sliding_attention" if layers.is_some() => Ok(true),
        "sliding_attention" => Err(wrong("has layers with a window, but no window is set".to_owned())),
        other => Err(wrong(format!("has the unknown kind {other:?}"))),
    };
    kinds.iter().map(is_windowed).collect::<Result<_, _>>().map(Some)
}
