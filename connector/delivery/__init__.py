"""From a due event to a settled one."""
