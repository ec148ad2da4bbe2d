//! What is known by name: components, what they can do, and recipes.

use clap::Command;
use serde_json::{Value, json};
use stack_insight::oracle::{self, Component, RECIPES, Recipe};

use super::{Format, tree};
use crate::error::{CommandError, Kind, did_you_mean};
use crate::terminal::output::{Data, sanitize};

pub(super) fn list(format: Format, data: &mut Data) -> Result<(), CommandError> {
    let layers = oracle::layers();
    if format == Format::Json {
        let names =
            |members: &[&Component]| members.iter().map(|member| member.name.clone()).collect::<Vec<_>>();
        let object: serde_json::Map<String, Value> =
            layers.iter().map(|(layer, members)| ((*layer).to_owned(), json!(names(members)))).collect();
        return data.json(&object);
    }
    for (layer, members) in layers {
        data.line(&match format {
            Format::Markdown => format!("## {layer}\n"),
            Format::Code => String::new(),
            _ if layer == "external" => "external (not part of the stack)".to_owned(),
            _ => layer.to_owned(),
        })?;
        for member in members {
            data.line(&match format {
                Format::Markdown => format!("- `{}` ({})", member.name, member.class),
                Format::Code => member.example.clone(),
                _ => format!("  {:<30} {}", member.name, member.class),
            })?;
        }
    }
    Ok(())
}

pub(super) fn show(name: &str, root: &Command, format: Format, data: &mut Data) -> Result<(), CommandError> {
    let component = known(name)?;
    let about = about(component, root);
    let Component { name, layer, class, example, .. } = component;
    match format {
        Format::Json => data.json(&json!({
            "name": name, "layer": layer, "class": class, "about": about, "example": example,
            "external": layer == "external", "capabilities": capabilities_of(component, root),
        })),
        Format::Code => data.line(example),
        Format::Markdown => data
            .line(&format!("## {name}\n\n{about}\n\n- Layer: {layer}\n- Class: {class}\n- Try: `{example}`")),
        Format::Text => {
            let layer = if layer == "external" { "external, not part of the stack" } else { layer };
            data.line(&format!("{name} ({layer})\n  {about}\nClass: {class}\nTry:   {example}"))
        }
    }
}

pub(super) fn capabilities(
    name: &str,
    root: &Command,
    format: Format,
    data: &mut Data,
) -> Result<(), CommandError> {
    let component = known(name)?;
    let capabilities = capabilities_of(component, root);
    match format {
        Format::Json => data.json(&json!({"name": component.name, "capabilities": capabilities})),
        Format::Code => data.line(&component.example),
        _ => capabilities.iter().try_for_each(|text| data.line(&format!("- {text}"))),
    }
}

pub(super) fn integrate(names: &[String], format: Format, data: &mut Data) -> Result<(), CommandError> {
    let [first, second] = names else {
        let message = format!("--integrate takes two components, and there are {}", names.len());
        return Err(CommandError::new(Kind::Usage, message).hint("for example `--integrate registry,engine`"));
    };
    let (first, second) = (known(first)?, known(second)?);
    let commands = oracle::integrate(first, second);
    match format {
        Format::Json => data.json(&json!({"from": first.name, "to": second.name, "commands": commands})),
        Format::Markdown => data.line(&format!("```sh\n{}\n```", commands.join("\n"))),
        Format::Code | Format::Text => commands.iter().try_for_each(|command| data.line(command)),
    }
}

pub(super) fn cookbook(format: Format, data: &mut Data) -> Result<(), CommandError> {
    if format == Format::Json {
        return data.json(&RECIPES.iter().map(recipe_json).collect::<Vec<_>>());
    }
    for recipe in RECIPES {
        match format {
            Format::Code => recipe.commands.iter().try_for_each(|command| data.line(command))?,
            Format::Markdown => data.line(&format!("- `{}`: {}", recipe.id, recipe.title))?,
            _ => data.line(&format!("{:<14} {}", recipe.id, recipe.title))?,
        }
    }
    Ok(())
}

pub(super) fn recipe(id: &str, format: Format, data: &mut Data) -> Result<(), CommandError> {
    let Some(recipe) = Recipe::find(id) else {
        return Err(CommandError::new(Kind::Missing, format!("there is no recipe {}", sanitize(id)))
            .hint("`stack oracle --cookbook` lists them"));
    };
    let commands = recipe.commands.join("\n");
    match format {
        Format::Json => data.json(&recipe_json(recipe)),
        Format::Code => data.line(&commands),
        Format::Markdown => {
            data.line(&format!("## {}\n\nNeeds: {}.\n\n```sh\n{commands}\n```", recipe.title, recipe.needs))
        }
        Format::Text => data.line(&format!("# {}\n# needs: {}\n{commands}", recipe.title, recipe.needs)),
    }
}

fn recipe_json(recipe: &Recipe) -> Value {
    json!({"id": recipe.id, "title": recipe.title, "needs": recipe.needs, "commands": recipe.commands})
}

/// Finds a component, or says which names are near.
pub(super) fn known(name: &str) -> Result<&'static Component, CommandError> {
    oracle::find(name).ok_or_else(|| {
        let near: Vec<String> = oracle::nearest(name).into_iter().map(|name| format!("`{name}`")).collect();
        let hint = format!("{}`stack oracle --list` lists all", did_you_mean(&near));
        CommandError::new(Kind::Missing, format!("there is no component {}", sanitize(name))).hint(hint)
    })
}

/// What a component is; a command says that itself.
fn about(component: &Component, root: &Command) -> String {
    let command = tree::find(root, &component.name).map(tree::about);
    command.unwrap_or_else(|| component.about.clone())
}

fn capabilities_of(component: &Component, root: &Command) -> Vec<String> {
    match tree::find(root, &component.name) {
        Some(command) => {
            let named = command.get_arguments().filter(|argument| !argument.is_hide_set());
            named
                .filter_map(|argument| Some(format!("--{}: {}", argument.get_long()?, argument.get_help()?)))
                .collect()
        }
        None => component.capabilities.clone(),
    }
}
