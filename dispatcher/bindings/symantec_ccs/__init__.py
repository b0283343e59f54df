"""Symantec Control Compliance Suite: tokens, jobs, job runs, and what jobs are about."""
