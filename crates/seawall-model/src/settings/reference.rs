use std::fmt::Write as _;

use super::foreign::{PASSED_OVER, REFUSED};
use super::{Reading, Setting, TABLE};

const INTRODUCTION: &str = "\
# Settings

This page is generated from the table of settings in `seawall-model`.

A value comes from the first of these that has it: a call in the program, an option of the URL
(`redis://host:6379/0?deadline=2s`), the environment variable, the default. Spans carry their unit (`250ms`, `5s`,
`2m`, `1h`); under redis-py's names a plain number is seconds. An option that nobody knows, and a value that does not
fit, are errors that name what was expected. In Python some defaults are redis-py's: [python.md](python.md#settings).

";

/// The reference page of all settings, as Markdown: the source of `docs/settings.md`.
pub fn reference_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| setting | default | values |\n|---|---|---|\n");
    for setting in TABLE {
        let default = code_or_dash(setting.default);
        push(
            &mut page,
            format_args!(
                "| [`{0}`](#{0}) | {default} | {1} |\n",
                setting.name,
                setting.range()
            ),
        );
    }
    page.push('\n');
    for setting in TABLE {
        describe(&mut page, setting);
    }
    list(
        &mut page,
        "Options that are passed over",
        "They are meant for a library above the connection, or need nothing here.",
        &PASSED_OVER,
    );
    list(
        &mut page,
        "Options that are refused",
        "Passing over them would break what they ask for.",
        &REFUSED,
    );
    // Exactly one line break at the end, as editors leave it.
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn describe(page: &mut String, setting: &Setting) {
    push(
        page,
        format_args!("## {}\n\n{}\n\n", setting.name, setting.means),
    );
    push(
        page,
        format_args!("- Default: {}\n", code_or_dash(setting.default)),
    );
    push(page, format_args!("- Values: {}\n", setting.range()));
    push(
        page,
        format_args!("- In a URL: `{}={}`", setting.name, setting.example),
    );
    for (alias, reading) in setting.aliases {
        let unit = match reading {
            Reading::Own => "",
            Reading::Seconds => " (a plain number is seconds)",
            Reading::Switch => " (`true` or `false`)",
        };
        push(page, format_args!(", also `{alias}`{unit}"));
    }
    push(page, format_args!("\n- Environment: `{}`\n", setting.env));
    push(page, format_args!("- Trade-off: {}\n\n", setting.trades));
}

fn list(page: &mut String, title: &str, why: &str, options: &[(&str, &str)]) {
    push(
        page,
        format_args!("## {title}\n\n{why}\n\n| option | |\n|---|---|\n"),
    );
    for (name, says) in options {
        push(page, format_args!("| `{name}` | {says} |\n"));
    }
    page.push('\n');
}

fn code_or_dash(value: Option<&str>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("`{value}`"))
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = page.write_fmt(text);
}
