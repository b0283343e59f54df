"""Task types, one file each: the settings (pure) and the part that runs on the agent."""
