"""Where customers come from besides webhooks: careCycle's REST API, or a file."""
