"""On Windows: the PowerShell scripts that set up the agent of a computer there, each with its parameters."""
