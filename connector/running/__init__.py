"""Processes and configuration."""
