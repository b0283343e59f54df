"""OpsRamp v2: tenants' jobs, scripts and resources, as JSON."""
