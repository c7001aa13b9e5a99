"""Where customers come from besides webhooks: a file."""
