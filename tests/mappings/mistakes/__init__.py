"""Ninety mistakes of people who do not program, each planted into a file that is right."""
