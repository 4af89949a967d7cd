"""The trusted half, `onegig comment`: a run's numbers read, judged again and told."""
