"""The steps of `format:`: pure functions, each with what it takes, what it gives and an example that runs."""
