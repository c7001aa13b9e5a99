"""How fast, how cheap, against whom: `make bench` runs all of it and writes RESULTS.md."""
