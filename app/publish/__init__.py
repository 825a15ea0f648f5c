"""From effects to records on the output topics."""
