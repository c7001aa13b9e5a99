"""What careCycle says: its events, their fields, signatures, and sample traffic."""
