"""The trusted half, `onegig comment`: runs' numbers read, judged again, and what they mean said."""
