"""What only the OpsRamp dialect knows: tenants, its jobs, categories and scripts."""
