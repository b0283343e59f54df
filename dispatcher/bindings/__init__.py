"""Front doors, one package per dialect."""
