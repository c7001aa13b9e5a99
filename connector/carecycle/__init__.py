"""careCycle's side: its events, their fields, signatures, and sample traffic."""
