"""What only the Symantec CCS dialect knows: its jobs, and by which names and rights it knows everything else."""
